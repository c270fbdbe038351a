"""What a timeout does to each step type, in an attempt of the engine with real processes and servers."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from prefect_wfexec.definition.model import Step
from prefect_wfexec.engine.attempt import Attempt, Finish
from prefect_wfexec.engine.commands import Commands
from prefect_wfexec.settings import HTTP_ALLOW
from prefect_wfexec.status import StepStatus
from prefect_wfexec.steps.base import CommandRunner
from prefect_wfexec.steps.registry import find_step_type
from tests.support.processes import is_alive, processes_with
from tests.support.web_server import Reply, WebServer
from tests.unit.engine.lent import Lent

BOUND_SECONDS = 60.0


@pytest.fixture
async def lent(tmp_path: Path) -> AsyncIterator[Lent]:
    lent = Lent(tmp_path)
    yield lent
    await lent.supervisor.close()


@pytest.fixture
def deaf() -> Iterator[str]:
    """A server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        kept: list[socket.socket] = []

        def take() -> None:
            while True:
                try:
                    kept.append(listener.accept()[0])
                except OSError:
                    return

        threading.Thread(target=take, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        listener.shutdown(socket.SHUT_RDWR)
        for connection in kept:
            connection.close()


async def timed_out(
    lent: Lent, uses: str, seconds: float, run: str | None = None, after: str = "", **with_: Any
) -> Finish:
    """Run an attempt that does not end by itself; with `after`, its time is up when it has said that."""
    one = Step("one", "One", uses, with_, run=run, timeout_seconds=seconds)
    attempt = Attempt(one, 1, find_step_type(uses), {}, lent)

    def hear(_stream: str, text: str) -> None:
        if after and after in text:
            attempt.stop("timeout")

    attempt.sink = hear
    async with asyncio.timeout(BOUND_SECONDS):
        finish = await attempt.run()
    assert (finish.status, finish.retryable) == (StepStatus.FAILED, True)
    assert finish.fault is not None
    assert (finish.fault["type"], finish.fault["exit_code"]) == ("timeout", None)
    return finish


def pids(path: Path) -> list[int]:
    return [int(line) for line in path.read_text().split()]


async def test_a_script_is_stopped_with_what_it_started(lent: Lent) -> None:
    noted = lent.folder / "pids"
    script = f"""
        sleep 600 & echo $! >> '{noted}'
        (trap '' INT; setsid sleep 600 & echo $! >> '{noted}'; wait) &
        echo $$ >> '{noted}'
        trap 'echo interrupted; exit 3' INT
        echo deploying
        wait
    """
    finish = await timed_out(lent, "shell", 1800.0, script, after="deploying")
    assert finish.fault is not None
    assert finish.fault["message"].splitlines()[0] == "timed out after 30 m; last output: deploying"
    assert finish.fault["tail"].splitlines()[:2] == ["deploying", "interrupted"]
    assert len(pids(noted)) == 3
    assert not any(map(is_alive, pids(noted)))
    assert not processes_with(str(noted))


async def test_a_script_that_heeds_no_signal_is_killed_and_that_is_said(lent: Lent) -> None:
    noted = lent.folder / "pids"
    script = f"""
        trap '' INT TERM
        echo $$ > '{noted}'
        echo I stay
        while :; do sleep 0.2; done
    """
    finish = await timed_out(lent, "shell", 1800.0, script, after="I stay")
    assert finish.fault is not None
    assert finish.fault["message"].splitlines() == [
        "timed out after 30 m; last output: I stay",
        "its command did not end on SIGINT and SIGTERM, and was killed",
    ]
    assert not any(map(is_alive, pids(noted)))
    assert not processes_with(str(noted))


async def test_a_deadline_that_the_supervisor_saw_first_is_told_as_any_other(lent: Lent) -> None:
    class Hurried(Commands):
        """Gives every command a deadline that comes before the attempt's own."""

        def runner(self, step: Step, *given: Any) -> CommandRunner:
            return super().runner(replace(step, timeout_seconds=0.2), *given)

    class Busy(Lent):
        @property
        def commands(self) -> Commands:
            return Hurried(self.supervisor, self.folder / "traces", tuple)

    busy = Busy(lent.folder, supervisor=lent.supervisor)
    finish = await timed_out(busy, "shell", 1800.0, "sleep 600")
    assert finish.fault is not None
    assert finish.fault["message"] == "timed out after 30 m"


async def test_a_wait_is_over(lent: Lent) -> None:
    finish = await timed_out(lent, "wait", 0.1, **{"for": "1h"})
    assert finish.fault is not None
    assert finish.fault["message"] == "timed out after 0.1 s"
    until = await timed_out(lent, "wait", 0.1, until="2999-01-01T00:00:00Z")
    assert until.fault == finish.fault


async def test_a_check_says_what_was_answered_last(lent: Lent, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(HTTP_ALLOW.variable, "127.0.0.1")
    with WebServer(lambda _asked: Reply(503)) as web:
        finish = await timed_out(lent, "http.check", 2.0, url=f"{web.url}/up", retry_for="1h", every="50ms")
    assert finish.fault is not None
    first, second = finish.fault["message"].splitlines()
    assert first.startswith("timed out after 2 s; last output: GET http://127.0.0.1")
    assert "/up asked " in second
    assert " times; the last answer: GET " in second
    assert "503" in second


async def test_a_check_of_a_server_that_never_answers(lent: Lent, deaf: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(HTTP_ALLOW.variable, "127.0.0.1")
    finish = await timed_out(lent, "http.check", 0.5, url=deaf, retry_for="1h")
    assert finish.fault is not None
    assert finish.fault["message"].splitlines() == ["timed out after 0.5 s", f"GET {deaf} asked once, no answer yet"]
