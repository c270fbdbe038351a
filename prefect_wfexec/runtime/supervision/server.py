"""The supervisor's loop: runs what the flow process asks for, and stops it when the flow process is gone."""

import contextlib
import os
import select
import signal
import time
from typing import Any

from prefect_wfexec.runtime.supervision.bequest import Tails, outcome_of, remove_folders, write_outcome
from prefect_wfexec.runtime.supervision.orphans import Orphans
from prefect_wfexec.runtime.supervision.processes import MARKER, Process, signal_process
from prefect_wfexec.runtime.supervision.spawning import SpawnError, spawn
from prefect_wfexec.runtime.supervision.supervised import LOOK_SECONDS, SupervisedCommand
from prefect_wfexec.runtime.supervision.wire import Channel, Message

PARENT_LOOK_SECONDS = 1.0
STRAYS_SECONDS = 2.0
_REMEMBERED = 256


class Server:
    """Serves one flow process.

    Args:
        channel: The socket to it; its end means that the flow process is gone.
        parent: Its pid; a second sign, should a copy of the flow process hold the socket open.
        wakeup: Becomes readable when a child ends.
    """

    def __init__(self, channel: Channel, parent: int, wakeup: int) -> None:
        self._channel = channel
        self._parent = parent
        self._wakeup = wakeup
        self._commands: dict[str, SupervisedCommand] = {}
        self._orphans = Orphans()
        self._tails: dict[str, Tails] = {}
        self._unread: dict[str, tuple[str, dict[str, Any]]] = {}
        self._scratch: set[str] = set()
        self._is_alone = False
        self._had_goodbye = False
        self._child_ended = False

    def serve(self) -> None:
        """Serve until the flow process is gone and every command has ended."""
        try:
            self._serve()
        except Exception as error:
            self._tell({"type": "fault", "detail": f"{type(error).__name__}: {error}"})
            raise

    def _serve(self) -> None:
        while not self._is_alone or self._commands:
            self._wait()
            if not self._is_alone:
                self._listen()
            if not self._is_alone and os.getppid() != self._parent:
                self._go_on_alone()
            self._look_after()
        self._sweep_strays()
        if not self._had_goodbye:
            for path, outcome in self._unread.values():
                write_outcome(path, outcome)
            remove_folders(self._scratch)

    def _wait(self) -> None:
        poll = select.poll()
        poll.register(self._wakeup, select.POLLIN)
        if not self._is_alone:
            poll.register(self._channel, select.POLLIN | (select.POLLOUT if self._channel.has_outgoing else 0))
        for tails in self._tails.values():
            for fd in tails.open_pipes:
                poll.register(fd, select.POLLIN)
        due = min((command.due for command in self._commands.values()), default=float("inf"))
        seconds = min(due - time.monotonic(), PARENT_LOOK_SECONDS)
        poll.poll(max(0, int(seconds * 1000) + 1))
        with contextlib.suppress(BlockingIOError):
            self._child_ended = bool(os.read(self._wakeup, 4096))
        for tails in self._tails.values():
            tails.read()

    def _listen(self) -> None:
        is_open = self._channel.receive()
        for message, _ in self._channel.messages():
            self._take(message)
        try:
            self._channel.flush()
        except OSError:
            is_open = False
        if not is_open:
            self._go_on_alone()

    def _take(self, message: Message) -> None:
        if message["type"] == "run":
            self._start(message)
        elif message["type"] == "stop" and message["id"] in self._commands:
            self._commands[message["id"]].stop(message["reason"])
        elif message["type"] == "goodbye":
            self._had_goodbye = True

    def _start(self, request: Message) -> None:
        try:
            spawned = spawn(request["argv"], request["cwd"], {**request["env"], MARKER: request["id"]})
        except SpawnError as error:
            self._tell({"type": "not_started", "id": request["id"], "kind": error.kind, "detail": error.detail})
            return
        del request["env"]
        self._forget_unread(request["outcome_file"])
        command = self._commands[request["id"]] = SupervisedCommand(request, spawned, self._announce)
        if request["scratch"]:
            self._scratch.add(request["scratch"])
        self._tell(
            {"type": "started", "id": command.id, "pid": command.pid, "started": command.started},
            spawned.shared,
        )

    def _forget_unread(self, path: str | None) -> None:
        """The next command with the same outcome file shows that the one before has been read."""
        for command_id in [known for known, (kept, _) in self._unread.items() if kept == path]:
            del self._unread[command_id]

    def _announce(self, command: SupervisedCommand, signal_name: str) -> None:
        self._tell({"type": "signal", "id": command.id, "signal": signal_name, "reason": command.stopped})

    def _tell(self, message: Message, fds: tuple[int, ...] = ()) -> None:
        if not self._is_alone:
            with contextlib.suppress(OSError):  # the end of the socket is seen where it is read
                self._channel.send(message, fds)

    def _go_on_alone(self) -> None:
        self._is_alone = True
        self._channel.close()
        for command in self._commands.values():
            self._tails[command.id] = Tails(command)
            command.stop("parent_died")

    def _look_after(self) -> None:
        if self._child_ended:
            self._find_orphans()
        for command in list(self._commands.values()):
            command.advance(self._left_of)
            if command.ended:
                self._end(command)
        if not self._commands and self._child_ended:
            self._kill_strays()
        self._child_ended = False

    def _find_orphans(self) -> None:
        self._orphans.refresh({command.pid: command.id for command in self._commands.values()})

    def _left_of(self, command_id: str) -> list[Process]:
        self._find_orphans()
        return self._orphans.of(command_id)

    def _kill_strays(self) -> bool:
        """Kill what outlived its command in spite of all; whether there was any."""
        self._find_orphans()
        strays = self._orphans.strays()
        for process in strays:
            signal_process(process.pid, signal.SIGKILL)
        return bool(strays)

    def _end(self, command: SupervisedCommand) -> None:
        del self._commands[command.id]
        self._orphans.release(command.id)
        path = command.request["outcome_file"]
        if self._is_alone:
            tails = self._tails.pop(command.id)
            tails.read_rest()
            if path:
                write_outcome(path, outcome_of(command, tails.masked(command.request["secrets"])))
        elif path:
            self._unread[command.id] = (path, outcome_of(command, {}))
            while len(self._unread) > _REMEMBERED:
                del self._unread[next(iter(self._unread))]
        self._tell({"type": "ended", **command.report()})
        command.close()

    def _sweep_strays(self) -> None:
        until = time.monotonic() + STRAYS_SECONDS
        while self._kill_strays() and time.monotonic() < until:
            time.sleep(LOOK_SECONDS)
