"""One attempt of one step: its `with` rendered, its work done under a deadline, its result ready for the journal."""

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Literal, Protocol

from prefect_wfexec.definition.expressions import ExpressionError, references, render
from prefect_wfexec.definition.model import JSON, Step
from prefect_wfexec.definition.withs import validate_with
from prefect_wfexec.engine.artifacts import save_artifacts
from prefect_wfexec.engine.commands import Commands
from prefect_wfexec.engine.outcome import BLOB_GONE, OUTCOME_UNKNOWN
from prefect_wfexec.engine.outputs import StoredOutputs, store_outputs
from prefect_wfexec.engine.portable import Place, portable
from prefect_wfexec.engine.reports import store_reports
from prefect_wfexec.engine.restoring import MakeContext, folder_beside
from prefect_wfexec.engine.scratch import Scratch
from prefect_wfexec.engine.secret_values import strings_in
from prefect_wfexec.engine.steplog import AttemptLog
from prefect_wfexec.engine.stopped import how_it_stopped, in_words, shortened
from prefect_wfexec.errors import EngineError, Page, StepFailed, StepSkipped, StepStopped, WfexecError
from prefect_wfexec.journal.facts import utc_now
from prefect_wfexec.runtime.command import CommandResult
from prefect_wfexec.runtime.environment import protected_environment, step_environment
from prefect_wfexec.runtime.masking import Masker
from prefect_wfexec.runtime.workspace import Workspace
from prefect_wfexec.settings import PASS_ENV
from prefect_wfexec.status import StepStatus
from prefect_wfexec.steps.base import Artifact, BlobStore, RunInfo, StepContext, StepResult, StepType
from prefect_wfexec.steps.registry import find_step_type

StopReason = Literal["cancelled", "timeout", "leaving"]
LEFT = "the process that ran it was told to stop"
_WHY: Mapping[StopReason | None, str] = {None: "it was stopped", "cancelled": "the run was cancelled", "leaving": LEFT}
DEFAULT_TAIL_LINES = 20
_FAULT_OF = {"supervisor": OUTCOME_UNKNOWN, "blob-gone": BLOB_GONE, "blob-changed": BLOB_GONE}
"""The error types of faults that are not the step's, by the codes of the errors."""


class Services(Protocol):
    """What the engine lends every attempt."""

    run: RunInfo
    masker: Masker
    folder: Path
    commands: Commands
    digest_key: bytes
    workspace: Workspace

    @property
    def blobs(self) -> BlobStore: ...

    def is_protected(self, step: Step) -> bool: ...

    async def secrets(self, names: frozenset[str]) -> dict[str, JSON]: ...

    async def claim(self, step_id: str, claim: str) -> None: ...

    async def check_lock(self) -> None: ...

    async def restore(self, step: Step, make_context: MakeContext) -> None: ...


@dataclass(frozen=True, slots=True)
class Finish:
    """How an attempt ended, as `step_finished` says it."""

    status: StepStatus
    summary: str = ""
    reason: str = ""
    fault: dict[str, JSON] | None = None
    outputs: StoredOutputs = field(default_factory=lambda: StoredOutputs({}, None))
    values: Mapping[str, JSON] = field(default_factory=dict)
    log: tuple[JSON, ...] = ()
    artifacts: tuple[Artifact, ...] = ()
    local: tuple[Place, ...] = ()
    artifacts_kept: Mapping[str, JSON] | None = None
    reports: tuple[JSON, ...] = ()
    retryable: bool = False


class Attempt:
    """Runs one attempt. `stop()` may be called at any time; `run()` then ends once the work is really stopped.

    Args:
        step: The step.
        number: 1 for its first run.
        kind: Its step type.
        scope: The expression scope, without secrets.
        services: What the engine lends.
        first_started: When the step's first attempt began.

    `sink` takes coalesced, masked text for Prefect's logger, (stream, text); it is set before `run()`. `ended_at` is
    when the work had stopped, before its outputs and log were stored.
    """

    def __init__(
        self,
        step: Step,
        number: int,
        kind: type[StepType],
        scope: Mapping[str, JSON],
        services: Services,
        first_started: datetime | None = None,
    ) -> None:
        self._step = step
        self._number = number
        self._kind = kind
        self._scope = dict(scope)
        self._services = services
        self._first_started = first_started
        self.sink: Callable[[str, str], None] = lambda _stream, _text: None
        self.ended_at: datetime | None = None
        self._stop_reason: StopReason | None = None
        self._work: asyncio.Task[StepResult] | None = None
        self._log: AttemptLog | None = None
        self._last_command: CommandResult | None = None
        self._tail_at_stop: str | None = None
        self._artifacts: dict[str, JSON] | None = None

    def stop(self, reason: StopReason) -> None:
        """Ask the work to stop; once only, a second call changes nothing, nor does one after the work has ended."""
        if self._stop_reason is None and (self._work is None or not self._work.done()):
            self._stop_reason = reason
            # What it says of its stop is not what it was at.
            self._tail_at_stop = self._log.tail() if self._log is not None else None
            if self._work is not None:
                self._work.cancel()

    def _command_ended(self, result: CommandResult) -> None:
        self._last_command = result
        if result.stopped == "timeout" and self._stop_reason is None:
            self._stop_reason = "timeout"

    async def run(self) -> Finish:
        """Do the work. Never raises but for cancellation from outside, and only after the work has stopped."""
        scratch = Scratch()
        trace = self._services.commands.new_trace(self._step.id, self._number)
        log = self._log = AttemptLog(self._services.masker, trace.log, self.sink)
        try:
            finish = await self._outcome(scratch, log)
            return await self._with_log(finish, log)
        finally:
            log.close()
            await scratch.remove()

    async def _outcome(self, scratch: Scratch, log: AttemptLog) -> Finish:
        try:
            result = await self._guarded(scratch, log)
            return await self._success(result)
        except StepSkipped as skipped:
            return Finish(StepStatus.SKIPPED, reason=self._mask(skipped.message))
        except StepFailed as failed:
            return await self._failed(failed, log)
        except ExpressionError as error:
            return self._fault("expression", _two_lines(error))
        except EngineError as error:
            return self._fault(_FAULT_OF.get(error.code, "internal"), _two_lines(error), tail=log.tail())
        except asyncio.CancelledError:
            if _is_cancelled_from_outside():
                raise
            if self._stop_reason is None:
                return self._fault("internal", "the step cancelled itself", tail=log.tail())
            return await self._stopped(log)
        except WfexecError as error:
            return self._fault(error.code.replace("-", "_"), _two_lines(error), tail=log.tail())
        except Exception as error:  # noqa: BLE001 - a step type's own defect must not take the run down unrecorded
            return self._fault("internal", f"{type(error).__name__}: {error}", tail=log.tail())

    async def _guarded(self, scratch: Scratch, log: AttemptLog) -> StepResult:
        """The step's result; cancellation of the work waits until it has stopped."""
        work = self._work = asyncio.ensure_future(self._do(scratch, log))
        if self._stop_reason is not None:
            work.cancel()
        timer = None
        if self._step.timeout_seconds is not None:
            timer = asyncio.get_running_loop().call_later(self._step.timeout_seconds, self.stop, "timeout")
        try:
            return await _finished_even_if_cancelled(work)
        finally:
            self.ended_at = utc_now()
            if timer is not None:
                timer.cancel()

    async def _do(self, scratch: Scratch, log: AttemptLog) -> StepResult:
        async def make_context(step: Step, number: int, scope: Mapping[str, JSON]) -> StepContext:
            return await self._context(step, number, scope, scratch, log)

        context = await make_context(self._step, self._number, self._scope)
        if self._kind.uses_files:
            await self._services.restore(self._step, make_context)
        result = await self._kind().run(context)
        self._artifacts = await save_artifacts(context, self._kind)
        return result

    async def _context(
        self, step: Step, number: int, scope: Mapping[str, JSON], scratch: Scratch, log: AttemptLog
    ) -> StepContext:
        """What this step is given, or an earlier one whose files are made again for it."""
        is_own = step is self._step
        with_, env = await self._rendered(step, scope)
        spec = self._kind.spec if is_own else find_step_type(step.uses).spec
        services = self._services
        make = protected_environment if services.is_protected(self._step) else step_environment
        environment = partial(make, os.environ, env, PASS_ENV.read_list())
        return StepContext(
            step=step,
            inputs=validate_with(spec, with_),
            run=services.run,
            attempt=number,
            folder=services.folder,
            scratch_folder=scratch.folder,
            env=env,
            log=log,
            masker=services.masker,
            command=services.commands.runner(self._step, self._number, environment, scratch, log, self._command_ended),
            blobs=services.blobs,
            claim=self._claim,
            check_lock=services.check_lock,
            digest_key=services.digest_key,
            stdout_tail=log.stdout_tail,
            tail=log.tail,
            timeout_seconds=self._step.timeout_seconds,
            first_started=self._first_started if is_own else None,
            workspace=services.workspace,
            trigger=self._trigger(),
            environment=str((self._scope.get("environment") or {}).get("name") or ""),
        )

    def _trigger(self) -> Mapping[str, JSON]:
        trigger = self._scope.get("trigger")
        return trigger if isinstance(trigger, dict) else {}

    async def _rendered(self, step: Step, scope: Mapping[str, JSON]) -> tuple[dict[str, JSON], dict[str, str]]:
        names = references({"with": dict(step.with_), "env": dict(step.env)}).secrets
        secrets = await self._services.secrets(names)
        self._services.masker.add(*(text for value in secrets.values() for text in strings_in(value)))
        full = {**scope, "secrets": secrets}
        env = {name: _as_text(value) for name, value in render(dict(step.env), full).items()}
        with_ = render(dict(step.with_), {**full, "env": env})
        return with_, env

    async def _claim(self, claim: str) -> None:
        await self._services.claim(self._step.id, claim)

    async def _success(self, result: StepResult) -> Finish:
        masker = self._services.masker
        masker.add(*(text for path in result.sensitive for text in _strings_at(result.outputs, path)))
        outputs, places = portable(result.outputs, self._services.workspace.root)
        stored = await store_outputs(outputs, result.sensitive, masker, self._services.blobs)
        self._note_files(places)
        return Finish(
            StepStatus.SUCCESS,
            summary=self._mask(result.summary),
            outputs=stored,
            values=outputs,
            local=places,
            artifacts_kept=self._artifacts,
            artifacts=self._pages(result.artifacts),
            reports=await store_reports(result.reports, masker, self._services.blobs),
        )

    def _note_files(self, places: tuple[Place, ...]) -> None:
        """Files that the step has left here need not be made again here."""
        services = self._services
        if places or self._artifacts or self._kind.restore is not StepType.restore:
            beside = folder_beside(self._artifacts, services.folder)
            # Without the note they are made again for a later step, which does no harm.
            with contextlib.suppress(OSError, EngineError):
                services.workspace.note_here(self._step.id, self._number, beside)

    def _pages(self, pages: Iterable[Page]) -> tuple[Artifact, ...]:
        return tuple(Artifact(page.key, self._mask(page.markdown), self._mask(page.description)) for page in pages)

    async def _reports(self, failed: StepFailed, log: AttemptLog) -> tuple[JSON, ...]:
        """What a step that failed leaves; that it can't be kept must not hide why the step failed."""
        try:
            return await store_reports(failed.reports, self._services.masker, self._services.blobs)
        except EngineError as error:
            log.system(f"its reports are lost: {self._mask(error.message)}")
            return ()

    async def _failed(self, failed: StepFailed, log: AttemptLog) -> Finish:
        stopped = failed if isinstance(failed, StepStopped) else None
        if self._stop_reason is not None:
            return await self._stopped(log, stopped)
        if stopped is not None and _is_cancelled_from_outside():
            raise asyncio.CancelledError from stopped
        values, places = portable(failed.outputs, self._services.workspace.root)
        stored = await store_outputs(values, (), self._services.masker, self._services.blobs)
        finish = self._fault(failed.type, _two_lines(failed), failed.exit_code, failed.tail or log.tail())
        return Finish(
            finish.status,
            fault=finish.fault,
            outputs=stored,
            values=values,
            local=places,
            artifacts=self._pages(failed.artifacts),
            reports=await self._reports(failed, log),
            retryable=failed.retryable,
        )

    async def _stopped(self, log: AttemptLog, stopped: StepStopped | None = None) -> Finish:
        """Cancelled, or failed by the timeout; a step that knows what it leaves behind has a say in it."""
        said = stopped.message if stopped is not None else how_it_stopped(self._last_command)
        is_unknown = stopped is not None and stopped.type == OUTCOME_UNKNOWN
        is_timeout = self._stop_reason == "timeout"
        first = self._timeout_words(log) if is_timeout else _WHY[self._stop_reason]
        outputs, places = portable(stopped.outputs if stopped is not None else {}, self._services.workspace.root)
        stored = await store_outputs(outputs, (), self._services.masker, self._services.blobs)
        if not is_timeout and not is_unknown:
            reason = f"{first}; {said}" if said else first
            return Finish(StepStatus.CANCELLED, reason=self._mask(reason), outputs=stored, values=outputs, local=places)
        finish = self._fault(
            OUTCOME_UNKNOWN if is_unknown else "timeout",
            f"{first}\n{said}" if said else first,
            stopped.exit_code if stopped is not None else None,
            tail=log.tail(),
        )
        is_harmless = stopped.retryable if stopped is not None else not self._kind.spec.changes_infrastructure
        retryable = is_timeout and is_harmless
        return Finish(
            finish.status, fault=finish.fault, outputs=stored, values=outputs, local=places, retryable=retryable
        )

    def _timeout_words(self, log: AttemptLog) -> str:
        tail = log.tail() if self._tail_at_stop is None else self._tail_at_stop
        last = next((line.strip() for line in reversed(tail.splitlines()) if line.strip()), "")
        words = f"timed out after {in_words(self._step.timeout_seconds or 0.0)}"
        return f"{words}; last output: {shortened(last)}" if last else words

    def _fault(self, kind: str, message: str, exit_code: int | None = None, tail: str = "") -> Finish:
        fault = {
            "type": kind,
            "message": self._mask(message),
            "exit_code": exit_code,
            "tail": self._mask(tail),
        }
        return Finish(StepStatus.FAILED, fault=fault)

    async def _with_log(self, finish: Finish, log: AttemptLog) -> Finish:
        from dataclasses import replace

        if finish.fault is not None:
            first = str(finish.fault["message"]).partition("\n")[0].rstrip(":")
            log.system(f"{finish.status.value}: {first}")
        try:
            return replace(finish, log=await log.stored(self._services.blobs))
        except EngineError as error:
            return replace(finish, log=({"lost": self._mask(error.message)},))

    def _mask(self, text: str) -> str:
        return self._services.masker.mask(text)


def _is_cancelled_from_outside() -> bool:
    """Whether someone cancelled the task this runs in, as opposed to a step that raises the same error by itself."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def _finished_even_if_cancelled(work: "asyncio.Task[StepResult]") -> StepResult:
    """Wait for the work; when this coroutine is cancelled, cancel the work and wait until it has stopped."""
    while not work.done():
        try:
            await asyncio.wait({work})
        except asyncio.CancelledError:
            work.cancel()
            await _until_done(work)
            if work.cancelled():
                raise
            # What it ended with counts: it may have finished, or how it went may be unknown.
    return work.result()


async def _until_done(work: Awaitable[Any]) -> None:
    while True:
        try:
            await asyncio.wait({asyncio.ensure_future(work)})
        except asyncio.CancelledError:
            continue
        return


def _two_lines(error: WfexecError) -> str:
    return f"{error.message}\n{error.hint}" if error.hint else error.message


def _as_text(value: JSON) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    import json

    return json.dumps(value)


def _strings_at(outputs: Mapping[str, JSON], path: tuple[str, ...]) -> list[str]:
    from prefect_wfexec.engine.outputs import value_at

    return strings_in(value_at(outputs, path))
