"""The flow process is killed: its supervisor stops what runs, says how it ended, and leaves nothing behind."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from prefect_wfexec.runtime.outcome import read_outcome
from tests.integration.runtime.programs import COUNT_SIGNALS, DEAF, ESCAPE
from tests.support.processes import is_alive, processes_with, python, wait_until

ROOT = Path(__file__).parents[3]
SECRET = "hunter22-hunter22"


class FlowProcess:
    """A process that runs one command and can be killed."""

    def __init__(self, folder: Path, argv: tuple[str, ...], **plan: object) -> None:
        self.folder = folder
        (folder / "scratch" / "deep").mkdir(parents=True, exist_ok=True)
        (folder / "scratch" / "deep" / "plan").write_text("secret")
        defaults = {"interrupt_seconds": 300, "terminate_seconds": None, "env": {"PATH": os.environ["PATH"]}}
        whole = {**defaults, **plan, "folder": str(folder), "argv": argv}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.integration.runtime.flow_process", json.dumps(whole)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.supervisor = int(self.process.stdout.readline())

    def kill(self) -> str:
        """SIGKILL; gives what it had still printed."""
        self.process.kill()
        return self.process.communicate()[0]

    def wait_until_nothing_is_left(self) -> None:
        wait_until(lambda: not is_alive(self.supervisor), "the end of the supervisor")
        assert processes_with(f"TEST_FOLDER={self.folder}") == []


@pytest.fixture
def outcome_file(tmp_path: Path) -> Path:
    return tmp_path / "outcomes" / "one.json"


@pytest.fixture
def count(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "count"
    assert processes_with(f"TEST_FOLDER={tmp_path}") == []


def test_the_command_is_interrupted_once_and_its_end_is_told(tmp_path: Path, count: Path, outcome_file: Path) -> None:
    flow = FlowProcess(tmp_path, python(COUNT_SIGNALS, str(count), "1"))
    wait_until(count.exists)
    flow.kill()
    flow.wait_until_nothing_is_left()
    outcome = read_outcome(outcome_file)
    assert outcome is not None
    assert outcome.label == "apply"
    assert (outcome.result.exit_code, outcome.result.stopped) == (0, "parent_died")
    assert outcome.result.signals_sent == ("SIGINT",)
    assert outcome.stdout_tail.endswith("state saved\n")
    assert outcome.ended > outcome.started
    assert count.read_text() == "1 0"
    assert outcome_file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in outcome_file.parent.iterdir()] == ["one.json"]
    assert not (tmp_path / "scratch").exists()


def test_a_flood_does_not_block_and_its_end_is_masked(tmp_path: Path, outcome_file: Path) -> None:
    script = f"""
import os, signal, sys, time
stopping = []
signal.signal(signal.SIGINT, lambda *_: stopping.append(1))
open("begun", "w").close()
while not stopping:
    os.write(1, b"{SECRET}\\n" * 1000)
for _ in range(300):
    os.write(1, b"{SECRET}\\n" * 1000)
    os.write(2, b"in {SECRET.encode().hex()} hex\\n" * 100)
sys.stdout.write("the last line\\n")
sys.exit(9)
"""
    flow = FlowProcess(tmp_path, python(script), secrets=[SECRET])
    wait_until((tmp_path / "begun").exists)
    flow.kill()
    flow.wait_until_nothing_is_left()
    outcome = read_outcome(outcome_file)
    assert outcome is not None
    assert outcome.result.exit_code == 9
    assert outcome.stdout_tail.endswith("***\nthe last line\n")
    assert outcome.stderr_tail.endswith("in *** hex\n")
    for tail in (outcome.stdout_tail, outcome.stderr_tail):
        assert 1000 < len(tail.encode()) <= 1 << 16
        assert SECRET[-6:] not in tail
        assert SECRET[-6:].encode().hex() not in tail


def test_who_hears_nothing_is_killed(tmp_path: Path, outcome_file: Path) -> None:
    flow = FlowProcess(tmp_path, python(DEAF), interrupt_seconds=0.5)
    wait_until((tmp_path / "ready").exists)
    flow.kill()
    flow.wait_until_nothing_is_left()
    outcome = read_outcome(outcome_file)
    assert outcome is not None
    assert outcome.result.signal == signal.SIGKILL
    assert outcome.result.signals_sent[-1] == "SIGKILL"
    assert "SIGTERM" not in outcome.result.signals_sent


def test_what_moved_away_is_found(tmp_path: Path, outcome_file: Path) -> None:
    flow = FlowProcess(tmp_path, python(ESCAPE, "stay"))
    wait_until((tmp_path / "ready").exists)
    flow.kill()
    flow.wait_until_nothing_is_left()
    assert read_outcome(outcome_file) is not None


def test_a_cancel_before_the_death_stays_the_only_interrupt(tmp_path: Path, count: Path, outcome_file: Path) -> None:
    flow = FlowProcess(tmp_path, python(COUNT_SIGNALS, str(count), "2"), cancel_after=0.5)
    wait_until(lambda: count.exists() and count.read_text() == "1 0")
    flow.kill()
    flow.wait_until_nothing_is_left()
    outcome = read_outcome(outcome_file)
    assert outcome is not None
    assert (outcome.result.stopped, outcome.result.signals_sent) == ("cancelled", ("SIGINT",))
    assert outcome.result.exit_code == 0
    assert count.read_text() == "1 0"


def test_a_command_that_ended_unrecorded_is_told_too(tmp_path: Path, outcome_file: Path) -> None:
    flow = FlowProcess(tmp_path, ("sh", "-c", "exit 5"), holds=True)
    assert flow.process.stdout is not None
    assert "exit_code=5" in flow.process.stdout.readline()
    flow.kill()
    flow.wait_until_nothing_is_left()
    outcome = read_outcome(outcome_file)
    assert outcome is not None
    assert (outcome.result.exit_code, outcome.result.stopped) == (5, None)
    assert not (tmp_path / "scratch").exists()


def test_a_flow_process_that_says_goodbye_leaves_its_folders_to_itself(tmp_path: Path, outcome_file: Path) -> None:
    flow = FlowProcess(tmp_path, ("true",))
    flow.process.communicate(timeout=60)
    flow.wait_until_nothing_is_left()
    assert not outcome_file.exists()
    assert (tmp_path / "scratch").exists()


def test_a_copy_of_the_flow_process_does_not_hide_its_death(tmp_path: Path, count: Path, outcome_file: Path) -> None:
    script = f"""
import asyncio, os, time
from pathlib import Path
from prefect_wfexec.runtime.command import Command, StopPolicy
from prefect_wfexec.runtime.supervisor import Supervisor
async def main():
    supervisor = Supervisor()
    command = Command({python(COUNT_SIGNALS, str(count), "0")!r}, Path("/"), {{"TEST_FOLDER": {str(tmp_path)!r}}},
        stop=StopPolicy(300, None), outcome_file=Path({str(outcome_file)!r}))
    task = asyncio.create_task(supervisor.run(command, lambda *_: None))
    while not os.path.exists({str(count)!r}):
        await asyncio.sleep(0.01)
    copy = os.fork()
    if copy == 0:
        os.close(1)
        time.sleep(1000)
    print(copy, flush=True)
    await task
asyncio.run(main())
"""
    with subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        copy = int(process.stdout.readline())
        process.kill()
    wait_until(outcome_file.exists)
    assert count.read_text() == "1 0"
    os.kill(copy, signal.SIGKILL)


@pytest.mark.parametrize("seed", range(8))
def test_killed_at_any_moment(tmp_path: Path, count: Path, outcome_file: Path, seed: int) -> None:
    chance = random.Random(seed)
    plan: dict[str, object] = {"cancel_after": chance.uniform(0, 0.3)} if seed % 2 else {}
    flow = FlowProcess(tmp_path, python(COUNT_SIGNALS, str(count), "0.3"), **plan)
    time.sleep(chance.uniform(0, 0.6))
    printed = flow.kill()
    flow.wait_until_nothing_is_left()
    if count.exists():  # it had begun to count
        assert count.read_text().split() in (["1", "0"], ["0", "0"])
    outcome = read_outcome(outcome_file)
    if outcome is not None:
        assert outcome.result.signals_sent in ((), ("SIGINT",))
        assert not (tmp_path / "scratch").exists()
    else:
        assert "cancelled" in printed or not count.exists()  # it was all over, or had not begun
