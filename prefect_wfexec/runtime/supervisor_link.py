"""Starts a supervisor process and talks to it."""

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from prefect_wfexec.errors import SupervisorError
from prefect_wfexec.runtime.supervision.processes import MARKER
from prefect_wfexec.runtime.supervision.wire import Channel, Message

_SCRIPT = Path(__file__).with_name("supervisor_process.py")
_KEPT_VARIABLES = ("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "LD_LIBRARY_PATH", MARKER)
_LEAVE_SECONDS = 5.0


class SupervisorLink:
    """One supervisor process and the socket to it, served by the event loop it was made in.

    Args:
        on_message: Called with each message and the descriptors that came with it.
        on_loss: Called once when the supervisor is gone without having been told to go.

    Raises:
        SupervisorError: the process can't be started.
    """

    def __init__(
        self, on_message: Callable[[Message, tuple[int, ...]], None], on_loss: Callable[["SupervisorLink"], None]
    ) -> None:
        self._on_message = on_message
        self._on_loss = on_loss
        self.loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                self._process = _start_process(theirs.fileno())
            except OSError as error:
                ours.close()
                raise SupervisorError(
                    f"the process supervisor does not start: {error.strerror}",
                    hint="look for limits on processes and open files on this machine",
                ) from error
        self.pid = self._process.pid
        self._owner = os.getpid()
        self._channel: Channel | None = Channel(ours)
        self._fd = self._channel.fileno()
        self.loop.add_reader(self._fd, self._receive)

    @property
    def is_open(self) -> bool:
        return self._channel is not None and self._owner == os.getpid()

    def send(self, message: Message) -> None:
        """Send a message; one that can't be sent is lost, and the loss of the supervisor is told by `on_loss`."""
        if self._channel is None:
            return
        try:
            self._channel.send(message)
        except OSError:  # what it sent before it went is still to be read
            return
        if self._channel.has_outgoing:
            self.loop.add_writer(self._fd, self._flush)

    def _flush(self) -> None:
        if self._channel is not None:
            try:
                self._channel.flush()
            except OSError:
                self.loop.remove_writer(self._fd)
                return
            if not self._channel.has_outgoing:
                self.loop.remove_writer(self._fd)

    def _receive(self) -> None:
        if self._channel is None:
            return
        is_open = self._channel.receive()
        for message, fds in self._channel.messages():
            self._on_message(message, fds)
        if not is_open:
            self._disconnect()
            self._process.kill()  # it is gone already, unless its socket was closed by mistake
            self._process.wait()
            self._on_loss(self)

    async def leave(self) -> None:
        """Say goodbye and wait until the supervisor is gone."""
        self._part()
        until = time.monotonic() + _LEAVE_SECONDS
        while self._process.poll() is None and time.monotonic() < until:  # noqa: ASYNC110 - no event tells of its end
            await asyncio.sleep(0.002)
        self._bury()

    def leave_now(self) -> None:
        """The same without an event loop."""
        self._part()
        try:
            self._process.wait(_LEAVE_SECONDS)
        except subprocess.TimeoutExpired:
            self._bury()

    def abandon(self) -> None:
        """Close the socket without a goodbye: the supervisor stops what runs, as when this process has died."""
        self._disconnect()
        self._bury()

    def _part(self) -> None:
        self.send({"type": "goodbye"})
        self._disconnect()

    def _disconnect(self) -> None:
        channel, self._channel = self._channel, None
        if channel is None:
            return
        if not self.loop.is_closed():
            self.loop.remove_reader(self._fd)
            self.loop.remove_writer(self._fd)
        channel.close()

    def _bury(self) -> None:
        """Let go of the process; one that still stops a command outlives us, and init takes it in."""
        if self._process.poll() is None:
            self._process.returncode = 0  # no complaint of the subprocess module about a child that goes on


def _start_process(fd: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-I", "-S", "-X", "utf8", str(_SCRIPT), str(fd), str(os.getpid())],
        env={name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        pass_fds=(fd,),
        start_new_session=True,
        cwd="/",
    )
