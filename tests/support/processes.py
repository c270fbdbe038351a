"""Looks at the process table, for tests that nothing is left behind."""

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

DEADLINE_SECONDS = 60.0


def wait_until(condition: Callable[[], object], what: str = "it") -> None:
    """Wait for a condition, up to a deadline that no working program meets."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not happen in time"
        time.sleep(0.01)


def is_alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return text.rpartition(")")[2].split()[0] not in "ZX"


def supervisors_of(pid: int) -> list[int]:
    """The pids of the supervisors that a run's process has started."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in children if b"supervisor_process" in Path(f"/proc/{child}/cmdline").read_bytes()]


def processes_with(text: str) -> list[int]:
    """The pids of living processes whose environment or arguments hold the text, this one aside."""
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit() or int(folder.name) == os.getpid():
            continue
        try:
            content = (folder / "environ").read_bytes() + (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if text.encode() in content and is_alive(int(folder.name)):
            found.append(int(folder.name))
    return found


def working_in(folder: Path, *words: str) -> list[int]:
    """The pids of living processes whose folder this is, and whose arguments have these words."""
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and is_alive(int(process.name)):
            try:
                arguments = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
                if (process / "cwd").readlink() == folder and set(words) <= set(arguments):
                    found.append(int(process.name))
            except OSError:
                continue
    return found


def kill_terraform(folder: Path, command: str) -> None:
    """What the system does to a process that takes too much memory: SIGKILL to the terraform at work in a folder."""
    # A process that is about to run something else has the same arguments for a moment.
    wait_until(lambda: len(working_in(folder, command)) == 1, "one terraform at work")
    (pid,) = working_in(folder, command)
    os.kill(pid, signal.SIGKILL)


def python(script: str, *arguments: str) -> tuple[str, ...]:
    """The command that runs a script quickly."""
    return (sys.executable, "-I", "-S", "-c", script, *arguments)
