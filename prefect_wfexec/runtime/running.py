"""A command as the flow process sees it while it runs: its pipes, what is known of its stop, and its end."""

import asyncio
import fcntl
import os
import struct
import termios
import time
from collections.abc import Callable
from typing import Any

from prefect_wfexec.runtime.command import Command, CommandResult, StopReason

OnChunk = Callable[[str, bytes], None]

_READ_BYTES = 1 << 18


class RunningCommand:
    """One command that was handed to the supervisor.

    Attributes:
        finished: Done once nothing of the command is left: its result, or why there is none.
        signals_sent: The signals the supervisor has announced.
        stop_asked_at: When its stop was first known here, on the monotonic clock.
    """

    def __init__(self, command_id: str, command: Command, on_chunk: OnChunk, loop: asyncio.AbstractEventLoop) -> None:
        self.id = command_id
        self.command = command
        self.finished: asyncio.Future[CommandResult] = loop.create_future()
        self.signals_sent: list[str] = []
        self.stopped: StopReason | None = None
        self.stop_asked_at: float | None = None
        self.pid: int | None = None
        self.started = 0
        self.fault: Exception | None = None
        self.on_fault: Callable[[RunningCommand], None] = lambda running: None
        self.began = time.monotonic()
        self._on_chunk = on_chunk
        self._loop = loop
        self._pipes: dict[str, int] = {}

    def request(self) -> dict[str, Any]:
        """What the supervisor is asked to do."""
        command = self.command
        return {
            "type": "run",
            "id": self.id,
            "argv": list(command.argv),
            "cwd": os.path.abspath(command.cwd),  # noqa: PTH100 - links stay as they are
            "env": dict(command.env),
            "interrupt_seconds": command.stop.interrupt_seconds,
            "terminate_seconds": command.stop.terminate_seconds,
            "deadline_seconds": command.deadline_seconds,
            "scratch": _absolute(command.scratch),
            "outcome_file": _absolute(command.outcome_file),
            "secrets": list(command.secrets),
            "label": command.label,
        }

    def open(self, pid: int, started: int, stdout: int, stderr: int) -> None:
        """It has started: read its pipes from now on."""
        self.pid, self.started = pid, started
        self._pipes = {"stdout": stdout, "stderr": stderr}
        for stream, fd in self._pipes.items():
            self._loop.add_reader(fd, self._read, stream, fd)

    def note_stop(self, reason: StopReason) -> bool:
        """Remember that a stop was asked for; False when one was before."""
        if self.stop_asked_at is not None:
            return False
        self.stopped, self.stop_asked_at = reason, time.monotonic()
        return True

    def end(self, result: CommandResult) -> None:
        """Nothing of it is left: read the rest and give the result."""
        self._close_pipes()
        if self.finished.done():
            return
        if self.fault is not None:
            self.finished.set_exception(self.fault)
        else:
            self.finished.set_result(result)

    def fail(self, error: Exception) -> None:
        """There will be no result."""
        self._close_pipes()
        if not self.finished.done():
            self.finished.set_exception(error)

    def _read(self, stream: str, fd: int, limit: int = _READ_BYTES) -> int:
        try:
            data = os.read(fd, min(limit, _READ_BYTES))
        except BlockingIOError:
            return 0
        if not data:
            self._close(stream)
        elif self.fault is None:
            try:
                self._on_chunk(stream, data)
            except Exception as error:  # noqa: BLE001 - whatever it is, it must reach the caller of run
                self.fault = error
                self.on_fault(self)
        return len(data)

    def _close_pipes(self) -> None:
        """Read what is in the pipes now, and not what a process that is none of ours may add."""
        for stream, fd in list(self._pipes.items()):
            rest = _waiting_bytes(fd)
            while rest > 0 and (size := self._read(stream, fd, rest)):
                rest -= size
            self._close(stream)

    def _close(self, stream: str) -> None:
        fd = self._pipes.pop(stream, None)
        if fd is not None:
            self._loop.remove_reader(fd)
            os.close(fd)


def _absolute(path: os.PathLike[str] | None) -> str | None:
    return None if path is None else os.path.abspath(path)  # noqa: PTH100


def _waiting_bytes(fd: int) -> int:
    return int(struct.unpack("i", fcntl.ioctl(fd, termios.FIONREAD, bytes(4)))[0])
