"""Runs commands under a supervisor process that stops them when the flow process can't."""

import asyncio
import itertools
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from prefect_wfexec.errors import SupervisorError
from prefect_wfexec.runtime.command import Command, CommandNotStarted, CommandResult, MissingProgram, StopReason
from prefect_wfexec.runtime.running import OnChunk, RunningCommand
from prefect_wfexec.runtime.supervision.wire import Message
from prefect_wfexec.runtime.supervisor_link import SupervisorLink
from prefect_wfexec.runtime.supervisor_loss import stop_without_supervisor

OnEnd = Callable[[CommandResult], None]


@dataclass(frozen=True, slots=True)
class CommandInfo:
    """A command that runs now.

    Attributes:
        id: The value of `WFEXEC_COMMAND` in its environment.
        label: Whose command it is, e.g. the step's id.
        pid: The pid of its leader, which is also its group's; None while it starts.
        program: The first of its arguments.
    """

    id: str
    label: str
    pid: int | None
    program: str


class Supervisor:
    """Runs commands; the process behind it is started by the first one.

    One serves any number of commands at a time, all from one event loop; make one for each run of a workflow and
    close it at the run's end. One that ran nothing has no process.
    """

    def __init__(self) -> None:
        self._link: SupervisorLink | None = None
        self._running: dict[str, RunningCommand] = {}
        self._losses: set[asyncio.Task[None]] = set()
        self._prefix = secrets.token_hex(8)
        self._numbers = itertools.count(1)

    def start(self) -> int:
        """Start the process behind it, when there is none yet; its pid.

        Raises:
            SupervisorError: it can't be started.
        """
        return self._ensure_link().pid

    @property
    def pid(self) -> int | None:
        """The pid of the supervisor process; None while there is none."""
        return self._link.pid if self._link else None

    def commands(self) -> list[CommandInfo]:
        """What runs now."""
        return [
            CommandInfo(running.id, running.command.label, running.pid, running.command.argv[0])
            for running in self._running.values()
        ]

    async def run(self, command: Command, on_chunk: OnChunk, on_end: OnEnd | None = None) -> CommandResult:
        """Run a command until nothing of it is left.

        Args:
            command: What to run, and how to stop it.
            on_chunk: Takes ("stdout" | "stderr", bytes) as they arrive; while it works, nothing more is read. When it
                raises, the command is stopped and the error raised from here.
            on_end: Told how the command ended, also when it was cancelled.

        Raises:
            MissingProgram: the program is not there.
            CommandNotStarted: it can't be started for another reason.
            SupervisorError: the supervisor died, so the outcome is unknown; what ran has been stopped.
            asyncio.CancelledError: this call was cancelled; the command has been stopped.
        """
        if not command.argv:
            raise CommandNotStarted("a command needs a program", hint="give argv at least one item")
        link = self._ensure_link()
        running = RunningCommand(f"{self._prefix}-{next(self._numbers)}", command, on_chunk, link.loop)
        running.on_fault = self._stop
        self._running[running.id] = running
        try:
            link.send(running.request())
            cancelled = await self._wait(running)
        finally:
            self._running.pop(running.id, None)
        error = running.finished.exception()
        if on_end is not None and error is None:
            on_end(running.finished.result())
        if cancelled is not None:
            raise cancelled
        return running.finished.result()

    async def _wait(self, running: RunningCommand) -> asyncio.CancelledError | None:
        """Wait for the end; when cancelled, once or often, stop the command first and give the first cancellation."""
        cancelled: asyncio.CancelledError | None = None
        while not running.finished.done():
            try:
                await asyncio.wait([running.finished])
            except asyncio.CancelledError as error:
                cancelled = cancelled or error
                self._stop(running)
        return cancelled

    def _stop(self, running: RunningCommand, reason: StopReason = "cancelled") -> None:
        if running.note_stop(reason) and self._link is not None:
            self._link.send({"type": "stop", "id": running.id, "reason": reason})

    async def close(self) -> None:
        """Stop what runs, and let the supervisor process go."""
        while self._running:
            for running in self._running.values():
                self._stop(running)
            await asyncio.wait([running.finished for running in self._running.values()])
            await asyncio.sleep(0)
        link, self._link = self._link, None
        if link is not None:
            await link.leave()

    def close_now(self) -> None:
        """The same for when there is no event loop any more; what still runs is stopped by the supervisor alone."""
        link, self._link = self._link, None
        if link is None:
            return
        if self._running:
            link.abandon()
        else:
            link.leave_now()

    def _ensure_link(self) -> SupervisorLink:
        if self._link is not None and (self._link.loop is not asyncio.get_running_loop() or not self._link.is_open):
            self._link.abandon()
            self._link = None
        if self._link is None:
            self._link = SupervisorLink(self._take, self._lose)
        return self._link

    def _take(self, message: Message, fds: tuple[int, ...]) -> None:
        running = self._running.get(message.get("id", ""))
        if running is None:
            for fd in fds:
                os.close(fd)
            return
        match message["type"]:
            case "started" if len(fds) == 2:
                running.open(message["pid"], message["started"], *fds)
            case "started":
                running.fault = SupervisorError(
                    f"no room for the pipes of {_name(running)}: too many open files",
                    hint="raise the limit on open files (ulimit -n)",
                )
                self._stop(running)
            case "signal":
                running.note_stop(message["reason"])
                running.signals_sent.append(message["signal"])
            case "ended":
                running.end(_result(message))
            case "not_started":
                running.fail(_not_started(running, message["kind"], message["detail"]))

    def _lose(self, link: SupervisorLink) -> None:
        if self._link is link:
            self._link = None
        for running in self._running.values():
            if not running.finished.done():
                task = link.loop.create_task(self._stop_alone(running))
                self._losses.add(task)
                task.add_done_callback(self._losses.discard)

    async def _stop_alone(self, running: RunningCommand) -> None:
        await stop_without_supervisor(running)
        running.fail(
            SupervisorError(
                f"the process supervisor died while {_name(running)} ran: its outcome is unknown",
                hint="look at what it may have changed before it is run again",
            )
        )


def _result(message: Message) -> CommandResult:
    return CommandResult(
        exit_code=message["exit_code"],
        signal=message["signal"],
        stopped=cast("StopReason | None", message["stopped"]),
        signals_sent=tuple(message["signals_sent"]),
        duration_seconds=message["duration_seconds"],
        leftovers=message["leftovers"],
    )


def _not_started(running: RunningCommand, kind: str, detail: str) -> CommandNotStarted:
    command = running.command
    program = command.argv[0]
    if kind == "missing":
        return MissingProgram(
            f"program '{program}' is not there: {detail.lower()}",
            hint="install it where this process runs, or add its folder to PATH",
        )
    if kind == "folder":
        return CommandNotStarted(
            f"folder '{command.cwd}' can't be entered: {detail.lower()}", hint="check the step's folder"
        )
    return CommandNotStarted(
        f"program '{program}' can't be started: {detail.lower()}",
        hint="check that it may be executed, and the size of its arguments and environment",
    )


def _name(running: RunningCommand) -> str:
    return f"'{running.command.label or running.command.argv[0]}'"
