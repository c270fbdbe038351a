"""Reads the process table and sends signals, with a guard against a pid that now means another process."""

import os
import signal
from collections.abc import Iterator
from typing import NamedTuple

MARKER = "WFEXEC_COMMAND"
"""The environment variable by which the descendants of a command are known, wherever they have moved to."""


class Process(NamedTuple):
    """One line of the process table; `started` is in clock ticks since boot and tells two users of a pid apart."""

    pid: int
    state: str
    parent: int
    group: int
    session: int
    started: int

    @property
    def is_alive(self) -> bool:
        return self.state not in "ZXx"


def find_process(pid: int) -> Process | None:
    """The process with this pid, a zombie too; None when there is none."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123 - pathlib would double the supervisor's start
            text = file.read()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text[text.rindex(b")") + 2 :].split()
    return Process(pid, fields[0].decode(), int(fields[1]), int(fields[2]), int(fields[3]), int(fields[19]))


def all_processes() -> Iterator[Process]:
    """Every process of this machine that /proc shows."""
    for name in os.listdir("/proc"):  # noqa: PTH208
        if name.isdigit() and (process := find_process(int(name))):
            yield process


def children_of_this_process() -> list[int]:
    """The pids of this process's children, zombies and adopted ones too."""
    own = os.getpid()
    try:
        with open(f"/proc/{own}/task/{own}/children", "rb") as file:  # noqa: PTH123
            return [int(pid) for pid in file.read().split()]
    except OSError:  # the kernel was built without that file
        return [process.pid for process in all_processes() if process.parent == own]


def marker_of(pid: int) -> str | None:
    """The id of the command a process descends from; None when it has none, or does not let us see it."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:  # noqa: PTH123
            environment = file.read()
    except OSError:
        return None
    start = (b"\0" + environment).find(f"\0{MARKER}=".encode())
    if start < 0:
        return None
    return environment[start + len(MARKER) + 1 :].split(b"\0", 1)[0].decode(errors="replace")


def ignores_interrupt(pid: int) -> bool:
    """Whether SIGINT has no effect on a process, as on a shell's background jobs: waiting for it is no use."""
    try:
        with open(f"/proc/{pid}/status", "rb") as file:  # noqa: PTH123
            status = file.read()
    except OSError:
        return False
    ignored = status.partition(b"SigIgn:")[2].split(None, 1)
    return bool(ignored) and bool(int(ignored[0], 16) >> (signal.SIGINT - 1) & 1)


def signal_group(group: int, number: int) -> None:
    """Send a signal to a process group; one that is gone, or not ours to signal, is no error."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return


def interrupt_members(group: int) -> list[Process]:
    """Send SIGINT to each process of a group by itself, the leader first; to none that may be between fork and exec.

    There a child may share its parent's memory, signal handlers included: a Go program that is just starting another
    takes one signal to its group for two then, and terraform exits at the second without saving its state.

    Returns:
        Who was passed over.
    """
    members = [process for process in all_processes() if process.group == group and process.is_alive]
    passed_over = []
    for process in sorted(members, key=lambda process: process.pid != group):
        if process.pid != group and _may_be_starting(process):
            passed_over.append(process)
        else:
            signal_process(process.pid, signal.SIGINT)
    return passed_over


def _may_be_starting(process: Process) -> bool:
    image = _image(process.pid)
    return image is not None and image == _image(process.parent)


def _image(pid: int) -> tuple[str, bytes] | None:
    """What a process executes: the program's file and its arguments."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:  # noqa: PTH123
            return os.readlink(f"/proc/{pid}/exe"), file.read()  # noqa: PTH115
    except OSError:
        return None


def signal_process(pid: int, number: int) -> None:
    """Send a signal to a process; one that is gone, or not ours to signal, is no error."""
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return
