"""Commands of steps, run under the supervisor, with a trace on disk of where they ran and how they ended.

The trace lets a later engine on this machine see whether the supervisor of a dead engine still stops a command, and
read the exit code and log tail it left.
"""

import asyncio
import os
import shutil
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from prefect_wfexec.definition.model import Step
from prefect_wfexec.engine.host import is_alive, process_started
from prefect_wfexec.engine.instance_names import file_name
from prefect_wfexec.engine.scratch import Scratch
from prefect_wfexec.errors import StepFailed, SupervisorError
from prefect_wfexec.runtime.command import Command, CommandNotStarted, CommandResult, MissingProgram, StopPolicy
from prefect_wfexec.runtime.outcome import Outcome, read_outcome
from prefect_wfexec.runtime.supervisor import Supervisor
from prefect_wfexec.steps.base import CommandRunner, OnChunk, OnEnd

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prefect_wfexec.engine.steplog import AttemptLog


@dataclass(frozen=True, slots=True)
class Trace:
    """Where one attempt's command leaves its trace."""

    folder: Path
    step: str
    attempt: int

    @property
    def outcome(self) -> Path:
        return self.folder / f"{file_name(self.step)}-{self.attempt}.json"

    @property
    def supervisor(self) -> Path:
        return self.folder / f"{file_name(self.step)}-{self.attempt}.supervisor"

    @property
    def log(self) -> Path:
        """The attempt's log so far, masked, until the journal says where it is kept."""
        return self.folder / f"{file_name(self.step)}-{self.attempt}.log.gz"

    def read_outcome(self) -> Outcome | None:
        """What the supervisor left when the flow process died; None when it left nothing that can be read."""
        try:
            return read_outcome(self.outcome)
        except SupervisorError:
            return None

    def is_being_stopped(self) -> bool:
        """Whether the supervisor that ran the command still lives on this machine."""
        try:
            pid, _, started = self.supervisor.read_text().partition(" ")
            return is_alive(int(pid), started)
        except (OSError, ValueError):
            return False

    def forget_command(self) -> None:
        """A command has ended and the engine knows how."""
        for path in (self.outcome, self.supervisor):
            path.unlink(missing_ok=True)

    def forget(self) -> None:
        """The attempt has ended and the journal says how."""
        self.forget_command()
        self.log.unlink(missing_ok=True)


class Commands:
    """Runs commands for one run.

    Args:
        supervisor: The supervisor of this process.
        folder: Where traces of this run are kept on this machine.
        secrets: Gives the secrets known so far, for the tail a supervisor leaves.
    """

    def __init__(self, supervisor: Supervisor, folder: Path, secrets: Callable[[], tuple[str, ...]]) -> None:
        self._supervisor = supervisor
        self._folder = folder
        self._secrets = secrets

    def forget_all(self) -> None:
        """Remove the traces of a run that has ended."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def trace(self, step: str, attempt: int) -> Trace:
        """Where an attempt leaves its trace."""
        return Trace(self._folder, step, attempt)

    def new_trace(self, step: str, attempt: int) -> Trace:
        """The same for an attempt that begins; its folder is made."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return self.trace(step, attempt)

    def runner(
        self,
        step: Step,
        attempt: int,
        environment: Callable[[], Mapping[str, str]],
        scratch: Scratch,
        log: "AttemptLog",
        watch: OnEnd,
    ) -> CommandRunner:
        """What a step calls to run a command; `watch` is told how each ended, before the step is."""
        trace = self.trace(step.id, attempt)

        async def run(
            argv: list[str],
            *,
            cwd: Path,
            env: Mapping[str, str] | None = None,
            stop: StopPolicy | None = None,
            on_chunk: OnChunk | None = None,
            on_end: OnEnd | None = None,
        ) -> CommandResult:
            def ended(result: CommandResult) -> None:
                watch(result)
                if on_end is not None:
                    on_end(result)

            command = Command(
                argv=tuple(argv),
                cwd=cwd,
                env={**environment(), **(env or {})},
                stop=stop or StopPolicy(),
                deadline_seconds=step.timeout_seconds,
                scratch=scratch.made,
                outcome_file=trace.outcome,
                secrets=self._secrets(),
                label=step.id,
            )
            try:
                return await self._run(command, trace, on_chunk or log.feed, ended)
            finally:
                log.command_ended()

        return run

    async def _run(self, command: Command, trace: Trace, on_chunk: OnChunk, on_end: OnEnd) -> CommandResult:
        with _marked(trace, self._supervisor.start()):
            try:
                result = await self._supervisor.run(command, on_chunk, on_end)
            except MissingProgram as missing:
                raise StepFailed(missing.message, type="missing_tool", hint=missing.hint, retryable=False) from None
            except CommandNotStarted as fault:
                raise StepFailed(fault.message, type="not_started", hint=fault.hint) from None
        if result.stopped == "timeout":
            # The supervisor's clock was first, on a busy machine: the step ends as by the attempt's own.
            raise asyncio.CancelledError
        return result


@contextmanager
def _marked(trace: Trace, pid: int) -> "Iterator[None]":
    """Leave the supervisor's pid where a later engine finds it, for as long as the command runs."""
    descriptor = os.open(trace.supervisor, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(f"{pid} {process_started(pid)}")
    try:
        yield
    except SupervisorError:
        # The outcome is unknown: the mark stays for whoever looks into it.
        raise
    except BaseException:
        trace.forget_command()
        raise
    trace.forget_command()
