"""Commands under the supervisor: how they run, end and are stopped."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

from prefect_wfexec.runtime.command import Command, CommandNotStarted, CommandResult, MissingProgram, StopPolicy
from prefect_wfexec.runtime.supervisor import Supervisor
from tests.integration.runtime.programs import COUNT_SIGNALS, DEAF, DISPOSITIONS, ESCAPE, FLOOD
from tests.support.processes import is_alive, processes_with, python, wait_until

ENVIRONMENT = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
FOREVER = 500.0


class Output:
    """Keeps what a command writes."""

    def __init__(self) -> None:
        self.streams = {"stdout": b"", "stderr": b""}

    def __call__(self, stream: str, data: bytes) -> None:
        self.streams[stream] += data

    @property
    def stdout(self) -> str:
        return self.streams["stdout"].decode()


@pytest.fixture
async def supervisor() -> AsyncIterator[Supervisor]:
    supervisor = Supervisor()
    yield supervisor
    pid = supervisor.pid
    await supervisor.close()
    assert pid is None or not is_alive(pid)


@pytest.fixture
def output() -> Output:
    return Output()


def command(folder: Path, *argv: str, stop: StopPolicy | None = None, deadline_seconds: float | None = None) -> Command:
    environment = {**ENVIRONMENT, "TEST_FOLDER": str(folder)}
    return Command(argv, folder, environment, stop=stop or StopPolicy(), deadline_seconds=deadline_seconds, label="it")


async def started(output: Output, text: str = "ready") -> None:
    while text not in output.stdout:
        await asyncio.sleep(0.005)


async def cancelled(task: asyncio.Task[CommandResult]) -> None:
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_output_and_exit_code(supervisor: Supervisor, tmp_path: Path, output: Output) -> None:
    result = await supervisor.run(command(tmp_path, "sh", "-c", "echo out; echo err >&2; exit 3"), output)
    assert (result.exit_code, result.signal, result.stopped, result.signals_sent) == (3, None, None, ())
    assert result.duration_seconds > 0
    assert output.streams == {"stdout": b"out\n", "stderr": b"err\n"}


async def test_a_signal_that_ended_it_is_told(supervisor: Supervisor, tmp_path: Path, output: Output) -> None:
    result = await supervisor.run(command(tmp_path, "sh", "-c", "kill -SEGV $$"), output)
    assert (result.exit_code, result.signal, result.stopped) == (None, signal.SIGSEGV, None)


async def test_it_starts_clean(supervisor: Supervisor, tmp_path: Path, output: Output) -> None:
    await supervisor.run(command(tmp_path, *python(DISPOSITIONS)), output)
    signals, place = output.stdout.splitlines()
    assert signals == f"{[signal.SIGPIPE, signal.SIGXFSZ]} set() True"  # what python itself ignores
    assert place == f"[0, 1, 2] /dev/null {tmp_path}"


async def test_it_gets_its_environment_and_nothing_of_ours(
    supervisor: Supervisor, tmp_path: Path, output: Output
) -> None:
    odd = {"ODD": "\udcff=x\n", "PATH": ENVIRONMENT["PATH"]}
    await supervisor.run(Command(("env", "-0"), tmp_path, odd), output)
    variables = dict(item.split(b"=", 1) for item in output.streams["stdout"].split(b"\0") if item)
    assert variables.pop(b"WFEXEC_COMMAND")
    assert variables == {b"ODD": b"\xff=x\n", b"PATH": ENVIRONMENT["PATH"].encode()}


async def test_the_supervisor_holds_no_setting_of_prefect(
    supervisor: Supervisor, tmp_path: Path, output: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_API_KEY", "key")
    monkeypatch.setenv("PREFECT_INTEGRATIONS_WFEXEC_SECRET_KEY", "key")
    await supervisor.run(command(tmp_path, "true"), output)
    assert b"key" not in Path(f"/proc/{supervisor.pid}/environ").read_bytes()
    maps = Path(f"/proc/{supervisor.pid}/maps").read_text()
    assert "site-packages" not in maps


@pytest.mark.parametrize(
    ("argv", "cwd", "error", "words"),
    [
        (("no-such-program",), ".", MissingProgram, "'no-such-program'"),
        (("./nothing/here",), ".", MissingProgram, "'./nothing/here'"),
        (("./plain",), ".", CommandNotStarted, "permission denied"),
        (("true",), "no-such-folder", CommandNotStarted, "no-such-folder"),
        (("echo", "x" * 3_000_000), ".", CommandNotStarted, "argument list too long"),
        (("echo", "a\0b"), ".", CommandNotStarted, "null"),
        (("echo", "\ud800"), ".", CommandNotStarted, "encode"),
        ((), ".", CommandNotStarted, "needs a program"),
    ],
)
async def test_what_can_not_start_says_why(
    supervisor: Supervisor,
    tmp_path: Path,
    output: Output,
    argv: tuple[str, ...],
    cwd: str,
    error: type[CommandNotStarted],
    words: str,
) -> None:
    (tmp_path / "plain").touch()
    with pytest.raises(error) as caught:
        await supervisor.run(Command(argv, tmp_path / cwd, ENVIRONMENT), output)
    assert words in caught.value.message
    assert caught.value.hint
    assert (await supervisor.run(command(tmp_path, "true"), output)).exit_code == 0


async def test_the_program_is_found_on_the_commands_own_path(
    supervisor: Supervisor, tmp_path: Path, output: Output
) -> None:
    (tmp_path / "tool").write_text("#!/bin/sh\necho mine\n")
    (tmp_path / "tool").chmod(0o755)
    await supervisor.run(Command(("tool",), tmp_path, {"PATH": f"/nowhere:{tmp_path}"}), output)
    assert output.stdout == "mine\n"


async def test_many_at_a_time(supervisor: Supervisor, tmp_path: Path) -> None:
    outputs = [Output() for _ in range(30)]
    results = await asyncio.gather(
        *(supervisor.run(command(tmp_path, "sh", "-c", f"echo {n}; exit {n}"), out) for n, out in enumerate(outputs))
    )
    assert [result.exit_code for result in results] == list(range(30))
    assert [out.stdout for out in outputs] == [f"{n}\n" for n in range(30)]
    assert supervisor.commands() == []


async def test_no_byte_of_a_flood_is_lost(supervisor: Supervisor, tmp_path: Path) -> None:
    size = 0

    def count(stream: str, data: bytes) -> None:
        nonlocal size
        size += len(data)

    await supervisor.run(command(tmp_path, "sh", "-c", "head -c 300000000 /dev/zero; head -c 777 /dev/zero >&2"), count)
    assert size == 300_000_777


async def test_deadline(supervisor: Supervisor, tmp_path: Path, output: Output) -> None:
    result = await supervisor.run(command(tmp_path, "sleep", "1000", deadline_seconds=0.2), output)
    assert (result.stopped, result.signals_sent, result.signal) == ("timeout", ("SIGINT",), signal.SIGINT)


async def test_a_deadline_that_has_passed_stops_at_once(supervisor: Supervisor, tmp_path: Path, output: Output) -> None:
    result = await supervisor.run(command(tmp_path, "sleep", "1000", deadline_seconds=0.0), output)
    assert result.stopped == "timeout"


async def test_an_environment_that_is_no_text_is_refused(
    supervisor: Supervisor, tmp_path: Path, output: Output
) -> None:
    with pytest.raises(CommandNotStarted):
        await supervisor.run(Command(("true",), tmp_path, {"A": 1}), output)  # type: ignore[dict-item]
    assert (await supervisor.run(command(tmp_path, "true"), output)).exit_code == 0


async def test_the_deadline_holds_while_the_flow_process_hangs(
    supervisor: Supervisor, tmp_path: Path, output: Output
) -> None:
    count = tmp_path / "count"
    task = asyncio.create_task(
        supervisor.run(command(tmp_path, *python(COUNT_SIGNALS, str(count), "0"), deadline_seconds=1.0), output)
    )
    await started(output)
    wait_until(lambda: count.read_text() == "1 0")  # the event loop stands still meanwhile
    assert (await task).stopped == "timeout"


async def test_cancelling_interrupts_once_and_waits(supervisor: Supervisor, tmp_path: Path, output: Output) -> None:
    count = tmp_path / "count"
    ends: list[CommandResult] = []
    policy = StopPolicy(interrupt_seconds=FOREVER, terminate_seconds=None)
    work = command(tmp_path, *python(COUNT_SIGNALS, str(count), "1"), stop=policy, deadline_seconds=FOREVER)
    task = asyncio.create_task(supervisor.run(work, output, ends.append))
    await started(output)
    for _ in range(20):
        task.cancel()
        await asyncio.sleep(0.02)
    assert not task.done()
    await cancelled(task)
    assert count.read_text() == "1 0"
    assert output.stdout == "ready\nstate saved\n"
    assert [(end.exit_code, end.stopped, end.signals_sent) for end in ends] == [(0, "cancelled", ("SIGINT",))]


async def test_a_deadline_after_a_cancel_changes_nothing(
    supervisor: Supervisor, tmp_path: Path, output: Output
) -> None:
    count = tmp_path / "count"
    ends: list[CommandResult] = []
    policy = StopPolicy(interrupt_seconds=FOREVER, terminate_seconds=None)
    work = command(tmp_path, *python(COUNT_SIGNALS, str(count), "2"), stop=policy, deadline_seconds=1.0)
    task = asyncio.create_task(supervisor.run(work, output, ends.append))
    await started(output)
    task.cancel()
    await cancelled(task)
    assert ends[0].duration_seconds > 1.5
    assert count.read_text() == "1 0"
    assert ends[0].stopped in {"cancelled", "timeout"}
    assert ends[0].signals_sent == ("SIGINT",)


@pytest.mark.parametrize(
    ("terminate", "signals"), [(0.3, ("SIGINT", "SIGTERM", "SIGKILL")), (None, ("SIGINT", "SIGKILL"))]
)
async def test_who_hears_nothing_is_killed(
    supervisor: Supervisor, tmp_path: Path, output: Output, terminate: float | None, signals: tuple[str, ...]
) -> None:
    ends: list[CommandResult] = []
    policy = StopPolicy(interrupt_seconds=0.3, terminate_seconds=terminate)
    task = asyncio.create_task(supervisor.run(command(tmp_path, *python(DEAF), stop=policy), output, ends.append))
    await started(output)
    task.cancel()
    await cancelled(task)
    assert (ends[0].signal, ends[0].signals_sent) == (signal.SIGKILL, signals)
    assert processes_with(str(tmp_path)) == []


async def test_cancelled_before_it_began(supervisor: Supervisor, tmp_path: Path, output: Output) -> None:
    task = asyncio.create_task(supervisor.run(command(tmp_path, "sleep", "1000"), output))
    await asyncio.sleep(0)
    task.cancel()
    await cancelled(task)
    assert processes_with(str(tmp_path)) == []


async def test_a_wrapper_that_goes_first_does_not_cost_its_child_the_time(
    supervisor: Supervisor, tmp_path: Path, output: Output
) -> None:
    count = tmp_path / "count"
    (tmp_path / "count.py").write_text(COUNT_SIGNALS)
    script = f"""
import os, signal, subprocess, sys, time
subprocess.Popen([sys.executable, "-I", "-S", {str(tmp_path / "count.py")!r}, {str(count)!r}, "3"])
signal.signal(signal.SIGINT, signal.SIG_DFL)
time.sleep(1000)
"""
    ends: list[CommandResult] = []
    policy = StopPolicy(interrupt_seconds=FOREVER, terminate_seconds=None)
    task = asyncio.create_task(supervisor.run(command(tmp_path, *python(script), stop=policy), output, ends.append))
    await started(output)
    task.cancel()
    await cancelled(task)
    assert output.stdout == "ready\nstate saved\n"
    assert count.read_text() == "1 0"
    assert (ends[0].signal, ends[0].signals_sent) == (signal.SIGINT, ("SIGINT",))


FORKED = """
import os, signal, sys, time
count = {count!r}
def note(number, frame):
    with open(count + sys.argv[1] + str(os.getpid() == leader), "a") as file:
        file.write("x")
    if os.getpid() == leader:
        wait_for(count + sys.argv[1] + "-may-end")
    sys.exit(0)
def wait_for(path):
    while not os.path.exists(path):
        time.sleep(0.01)
leader = os.getpid()
signal.signal(signal.SIGINT, note)
if os.fork():
    print("ready", flush=True)
time.sleep(1000)
"""


async def test_what_is_between_fork_and_exec_is_not_interrupted_before_its_parent_has_ended(
    supervisor: Supervisor, tmp_path: Path, output: Output
) -> None:
    """As a Go program that starts another: until exec, the child is its parent over again, handlers and all."""
    policy = StopPolicy(interrupt_seconds=FOREVER, terminate_seconds=None)
    program = FORKED.replace("{count!r}", repr(str(tmp_path / "count-")))
    task = asyncio.create_task(supervisor.run(command(tmp_path, *python(program, "a"), stop=policy), output))
    await started(output)
    task.cancel()
    async with asyncio.timeout(FOREVER / 4):
        while not (tmp_path / "count-aTrue").exists():
            await asyncio.sleep(0.01)
    assert not (tmp_path / "count-aFalse").exists()
    (tmp_path / "count-a-may-end").touch()
    await cancelled(task)
    assert (tmp_path / "count-aTrue").read_text() == (tmp_path / "count-aFalse").read_text() == "x"


async def test_nobody_waits_for_a_background_job_that_ignores_the_interrupt(
    supervisor: Supervisor, tmp_path: Path, output: Output
) -> None:
    policy = StopPolicy(interrupt_seconds=FOREVER, terminate_seconds=FOREVER)
    task = asyncio.create_task(
        supervisor.run(command(tmp_path, "sh", "-c", "sleep 1000 & echo ready; wait", stop=policy), output)
    )
    await started(output)
    task.cancel()
    async with asyncio.timeout(FOREVER / 4):
        await cancelled(task)
    assert processes_with(str(tmp_path)) == []


@pytest.mark.parametrize("how", ["", "wiped"])
async def test_what_moved_to_another_session_does_not_survive(
    supervisor: Supervisor, tmp_path: Path, output: Output, how: str
) -> None:
    seconds = f"1000.{uuid4().int}"
    result = await supervisor.run(command(tmp_path, *python(ESCAPE, how, seconds)), output)
    assert (result.exit_code, result.stopped, result.signals_sent, result.leftovers) == (0, None, (), 1)
    assert processes_with(str(tmp_path)) == []
    assert processes_with(seconds) == []


async def test_a_leftover_is_told_from_another_commands(supervisor: Supervisor, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    output, other = Output(), Output()
    staying = asyncio.create_task(supervisor.run(command(tmp_path / "b", *python(ESCAPE, "stay")), other))
    await started(other)
    await supervisor.run(command(tmp_path / "a", *python(ESCAPE)), output)
    assert processes_with(str(tmp_path / "a")) == []
    assert len(processes_with(str(tmp_path / "b"))) == 2
    staying.cancel()
    await cancelled(staying)
    assert processes_with(str(tmp_path / "b")) == []


async def test_a_deaf_leftover_is_killed(supervisor: Supervisor, tmp_path: Path, output: Output) -> None:
    (tmp_path / "deaf.py").write_text(DEAF)
    script = f"{sys.executable} -I -S {tmp_path}/deaf.py & while ! [ -e go ]; do sleep 0.01; done"
    task = asyncio.create_task(supervisor.run(command(tmp_path, "sh", "-c", script), output))
    await started(output)
    (tmp_path / "go").touch()
    assert (await task).leftovers == 1
    assert processes_with(str(tmp_path)) == []


async def test_what_still_writes_after_the_leader_is_read(
    supervisor: Supervisor, tmp_path: Path, output: Output
) -> None:
    await supervisor.run(command(tmp_path, "sh", "-c", "(sleep 0.1; echo late) & echo early"), output)
    assert output.stdout == "early\nlate\n"


async def test_an_error_of_the_reader_stops_the_command(supervisor: Supervisor, tmp_path: Path) -> None:
    def fail(stream: str, data: bytes) -> None:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        await supervisor.run(command(tmp_path, *python(FLOOD)), fail)
    assert processes_with(str(tmp_path)) == []


async def test_closing_stops_what_runs(tmp_path: Path, output: Output) -> None:
    supervisor = Supervisor()
    task = asyncio.create_task(supervisor.run(command(tmp_path, *python(FLOOD)), output))
    while not output.stdout:
        await asyncio.sleep(0.01)
    (info,) = supervisor.commands()
    assert info.label == "it"
    assert info.pid is not None
    assert is_alive(info.pid)
    pid = supervisor.pid
    assert pid is not None
    await supervisor.close()
    assert (await task).exit_code == 7
    assert not is_alive(pid)
    assert not is_alive(info.pid)


async def test_a_closed_one_starts_again(supervisor: Supervisor, tmp_path: Path, output: Output) -> None:
    assert supervisor.pid is None
    await supervisor.run(command(tmp_path, "true"), output)
    first = supervisor.pid
    await supervisor.close()
    assert supervisor.pid is None
    await supervisor.run(command(tmp_path, "true"), output)
    assert supervisor.pid not in {None, first}


def test_it_can_be_used_from_one_loop_after_another(tmp_path: Path, output: Output) -> None:
    supervisor = Supervisor()
    for _ in range(2):
        asyncio.run(supervisor.run(command(tmp_path, "true"), output), debug=True)
    pid = supervisor.pid
    assert pid is not None
    supervisor.close_now()
    wait_until(lambda: not is_alive(pid))


async def test_signals_to_the_supervisor_don_t_end_it(supervisor: Supervisor, tmp_path: Path, output: Output) -> None:
    await supervisor.run(command(tmp_path, "true"), output)
    pid = supervisor.pid
    assert pid is not None
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(pid, number)
    assert (await supervisor.run(command(tmp_path, "true"), output)).exit_code == 0
    assert supervisor.pid == pid
    assert os.getsid(pid) == pid


def test_the_supervisor_imports_nothing_but_the_standard_library() -> None:
    script = """
import sys
sys.path.append(sys.argv[1])
import prefect_wfexec.runtime.supervision.server, prefect_wfexec.runtime.masking
others = {name.partition(".")[0] for name in sys.modules} - sys.stdlib_module_names - {"__main__"}
assert others == {"prefect_wfexec"}, others
"""
    root = Path(__file__).parents[3]
    subprocess.run(python(script, str(root)), check=True, timeout=60)


async def test_no_descriptor_leaks(supervisor: Supervisor, tmp_path: Path, output: Output) -> None:
    await supervisor.run(command(tmp_path, "true"), output)

    def open_fds() -> tuple[int, int]:
        return len(list(Path("/proc/self/fd").iterdir())), len(list(Path(f"/proc/{supervisor.pid}/fd").iterdir()))

    before = open_fds()
    for _ in range(20):
        await supervisor.run(command(tmp_path, "true"), output)
        with pytest.raises(MissingProgram):
            await supervisor.run(command(tmp_path, "no-such-program"), output)
    deadline = time.monotonic() + 20
    while any(now > then for now, then in zip(open_fds(), before, strict=True)):
        assert time.monotonic() < deadline, (before, open_fds())
        await asyncio.sleep(0.01)
