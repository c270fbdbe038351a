"""The supervisor is killed: the flow process stops what ran itself, and says that the outcome is unknown."""

import asyncio
import os
import random
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from prefect_wfexec.errors import SupervisorError
from prefect_wfexec.runtime.command import Command, StopPolicy
from prefect_wfexec.runtime.supervisor import Supervisor
from tests.integration.runtime.programs import COUNT_SIGNALS, DEAF, ESCAPE
from tests.support.processes import processes_with, python

PATIENT = StopPolicy(interrupt_seconds=500, terminate_seconds=None)


class Case:
    """One command in a folder of its own, and what it wrote."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.count = folder / "count"
        self.supervisor = Supervisor()
        self.written = b""

    def start(self, argv: tuple[str, ...], stop: StopPolicy = PATIENT) -> asyncio.Task[object]:
        environment = {"PATH": os.environ["PATH"], "TEST_FOLDER": str(self.folder)}
        command = Command(argv, self.folder, environment, stop=stop, label="apply")
        return asyncio.create_task(self.supervisor.run(command, self._take))

    def _take(self, stream: str, data: bytes) -> None:
        self.written += data

    async def ready(self) -> None:
        while b"ready" not in self.written:
            await asyncio.sleep(0.005)

    def kill_supervisor(self) -> None:
        assert self.supervisor.pid is not None
        os.kill(self.supervisor.pid, signal.SIGKILL)

    @property
    def left(self) -> list[int]:
        return processes_with(f"TEST_FOLDER={self.folder}")


@pytest.fixture
async def case(tmp_path: Path) -> AsyncIterator[Case]:
    case = Case(tmp_path)
    yield case
    await case.supervisor.close()
    assert case.left == []


async def test_the_command_is_interrupted_once_and_waited_for(case: Case) -> None:
    task = case.start(python(COUNT_SIGNALS, str(case.count), "1"))
    await case.ready()
    case.kill_supervisor()
    with pytest.raises(SupervisorError, match=r"'apply'.*outcome is unknown"):
        await task
    assert case.count.read_text() == "1 0"
    assert case.written == b"ready\nstate saved\n"
    assert case.left == []


async def test_a_stop_that_was_asked_for_stays_the_only_one(case: Case) -> None:
    task = case.start(python(COUNT_SIGNALS, str(case.count), "1"))
    await case.ready()
    task.cancel()
    while case.count.read_text() != "1 0":
        await asyncio.sleep(0.01)
    case.kill_supervisor()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert case.count.read_text() == "1 0"
    assert case.written.endswith(b"state saved\n")


async def test_a_stop_asked_for_at_the_same_moment_is_never_doubled(case: Case) -> None:
    task = case.start(python(COUNT_SIGNALS, str(case.count), "0.2"), StopPolicy(3, None))
    await case.ready()
    task.cancel()
    await asyncio.sleep(0)
    case.kill_supervisor()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert case.count.read_text() in {"1 0", "0 0"}


@pytest.mark.parametrize("terminate_seconds", [None, 0.3])
async def test_who_hears_nothing_is_killed(case: Case, terminate_seconds: float | None) -> None:
    task = case.start(python(DEAF), StopPolicy(0.3, terminate_seconds))
    await case.ready()
    case.kill_supervisor()
    with pytest.raises(SupervisorError):
        await task
    assert case.left == []


async def test_what_moved_away_is_found(case: Case) -> None:
    task = case.start(python(ESCAPE, "stay"))
    await case.ready()
    case.kill_supervisor()
    with pytest.raises(SupervisorError):
        await task
    assert case.left == []


async def test_the_next_command_has_a_new_supervisor(case: Case) -> None:
    task = case.start(python(DEAF), StopPolicy(0, None))
    await case.ready()
    case.kill_supervisor()
    with pytest.raises(SupervisorError):
        await task
    result = await case.start(("true",))
    assert getattr(result, "exit_code", None) == 0


async def test_an_idle_supervisor_that_dies_is_replaced(case: Case) -> None:
    await case.start(("true",))
    case.kill_supervisor()
    while case.supervisor.pid is not None:
        await asyncio.sleep(0.01)
    result = await case.start(("true",))
    assert getattr(result, "exit_code", None) == 0


async def test_a_command_sent_to_a_dead_supervisor_is_no_success(case: Case) -> None:
    await case.start(("true",))
    case.kill_supervisor()
    with pytest.raises(SupervisorError):
        await case.start(("true",))


@pytest.mark.parametrize("seed", range(10))
async def test_killed_at_any_moment(case: Case, seed: int) -> None:
    chance = random.Random(seed)
    task = case.start(python(COUNT_SIGNALS, str(case.count), "0.2"), StopPolicy(5, None))
    await asyncio.sleep(chance.uniform(0, 0.15))
    if seed % 3 == 0:
        task.cancel()
        await asyncio.sleep(chance.uniform(0, 0.05))
    if case.supervisor.pid is not None:
        case.kill_supervisor()
    with pytest.raises((SupervisorError, asyncio.CancelledError)):
        await task
    if case.count.exists():
        assert case.count.read_text() in {"1 0", "0 0"}
    assert case.left == []
