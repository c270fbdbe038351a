"""The steps an engine runs at this moment, and those that ended but do not stand in the journal yet."""

import asyncio
from collections.abc import Callable, Collection, Coroutine, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from prefect_wfexec.definition.model import JSON, Step
from prefect_wfexec.engine.attempt import LEFT, Attempt, Finish, StopReason
from prefect_wfexec.engine.lending import Lending
from prefect_wfexec.engine.session import OnLog
from prefect_wfexec.engine.task_runs import Sink, run_as_task
from prefect_wfexec.journal.facts import Fact, Kind, utc_now
from prefect_wfexec.journal.state import ExecutionState
from prefect_wfexec.status import StepStatus
from prefect_wfexec.steps.base import StepType
from prefect_wfexec.steps.registry import find_step_type


@dataclass(slots=True)
class _Ended:
    """An attempt that ended; `recorded` is set once the journal says so."""

    step: Step
    number: int
    engine: str
    finish: Finish
    at: datetime
    recorded: "asyncio.Future[None]"


class AtWork:
    """Starts attempts and hands over how they ended.

    Args:
        engine: The engine's id.
        flow_run_id: The run.
        lent: What attempts are lent.
        wake: Called when something ended.
        on_log: Told every masked piece of log.
    """

    def __init__(self, engine: str, flow_run_id: UUID, lent: Lending, wake: Callable[[], None], on_log: OnLog) -> None:
        self._engine = engine
        self._flow_run_id = flow_run_id
        self._lent = lent
        self._wake = wake
        self._on_log = on_log
        self._attempts: dict[str, Attempt] = {}
        self._ended: dict[str, _Ended] = {}
        self._tasks: dict[asyncio.Task[None], str] = {}

    @property
    def names(self) -> list[str]:
        """The steps at work, sorted."""
        return sorted(self._attempts)

    @property
    def has_news(self) -> bool:
        """Whether something ended that the journal does not say yet."""
        return bool(self._ended)

    @property
    def values(self) -> dict[str, Mapping[str, JSON]]:
        """The outputs, in clear, of what ended."""
        return {step_id: ended.finish.values for step_id, ended in self._ended.items() if ended.finish.values}

    def start(self, step: Step, number: int, kind: type[StepType], scope: Mapping[str, JSON]) -> None:
        """Begin an attempt whose start stands in the journal."""
        first_started = self._lent.journal.state.step(step.id).first_started
        attempt = Attempt(step, number, kind, scope, self._lent, first_started)
        self._attempts[step.id] = attempt

        async def work(to_prefect: Sink) -> tuple[StepStatus, str]:
            def sink(stream: str, text: str) -> None:
                to_prefect(stream, text)
                self._on_log(step.id, stream, text)

            attempt.sink = sink
            finish = await attempt.run()
            await self._note(step, number, finish, attempt.ended_at)
            message = finish.fault["message"] if finish.fault else finish.summary or finish.reason
            return finish.status, str(message)

        self.spawn(step, number, run_as_task(step, self._flow_run_id, number, work))

    def spawn(self, step: Step, number: int, work: Coroutine[Any, Any, None]) -> None:
        """Run something for a step; when it raises, the step failed by a fault of ours."""
        task = asyncio.create_task(work, name=f"wfexec-{step.id}")
        self._tasks[task] = step.id
        task.add_done_callback(lambda done: self._task_done(step, number, done))

    def _task_done(self, step: Step, number: int, task: "asyncio.Task[None]") -> None:
        self._tasks.pop(task, None)
        if task.cancelled():
            self._note(step, number, Finish(StepStatus.CANCELLED, reason=LEFT))
        elif (fault := task.exception()) is not None:
            self.failed(step, number, "internal", f"{type(fault).__name__}: {fault}")

    def failed(self, step: Step, number: int, kind: str, message: str) -> None:
        """A step ended by a fault before its attempt could say so."""
        fault = {"type": kind, "message": self._lent.masker.mask(message), "exit_code": None, "tail": ""}
        self._note(step, number, Finish(StepStatus.FAILED, fault=fault))

    def _note(self, step: Step, number: int, finish: Finish, at: datetime | None = None) -> "asyncio.Future[None]":
        """Hand over how an attempt ended; done once the journal says it."""
        recorded = asyncio.get_running_loop().create_future()
        # A gate may have been started by an engine that is gone: its claim is carried on as it stands.
        engine = self._lent.journal.state.step(step.id).engine or self._engine
        known = self._ended.setdefault(step.id, _Ended(step, number, engine, finish, at or utc_now(), recorded))
        self._wake()
        return known.recorded

    def finishes(self, state: ExecutionState) -> list[Fact]:
        """The facts that end what ended, as long as the journal holds them to be running here."""
        facts = []
        for ended in self._ended.values():
            current = state.step(ended.step.id)
            is_ours = current.engine == ended.engine and current.attempt == ended.number
            if is_ours and current.status is StepStatus.RUNNING:
                facts.append(self._fact(ended, state))
        return facts

    def settle(self, step_id: str) -> Finish | None:
        """The journal says how a step ended: let its task run end too; how it ended, if it was ours."""
        self._attempts.pop(step_id, None)
        ended = self._ended.pop(step_id, None)
        if ended is None:
            return None
        self._lent.commands.trace(step_id, ended.number).forget()
        if not ended.recorded.done():
            ended.recorded.set_result(None)
        return ended.finish

    def stop(self, reason: StopReason, *, but_for: Collection[str] = ()) -> None:
        """Ask everything at work to stop, but for some steps."""
        for step_id, attempt in self._attempts.items():
            if step_id not in but_for:
                attempt.stop(reason)

    async def until_stopped(self) -> None:
        """Wait until all work has stopped, however often this is cancelled."""
        while not set(self._attempts) <= set(self._ended):
            try:
                await (asyncio.wait(list(self._tasks), timeout=0.2) if self._tasks else asyncio.sleep(0.02))
            except asyncio.CancelledError:
                continue

    async def let_go(self) -> None:
        """Let the task runs end whose last word will not be recorded any more."""
        for step_id in list(self._ended):
            self.settle(step_id)
        if self._tasks:
            await asyncio.wait(list(self._tasks), timeout=10)

    def _fact(self, ended: _Ended, state: ExecutionState) -> Fact:
        finish = ended.finish
        before = state.step(ended.step.id).attempts_before
        retry_at = _retry_at(ended, ended.number - before) if state.cancel is None else None
        data = {
            "step": ended.step.id,
            "attempt": ended.number,
            "engine": ended.engine,
            "status": finish.status.value,
            "summary": finish.summary,
            "reason": finish.reason,
            "error": finish.fault,
            "outputs": finish.outputs.shown,
            "outputs_ref": finish.outputs.ref,
            "local": [list(place) for place in finish.local],
            "artifacts": finish.artifacts_kept,
            "reports": list(finish.reports),
            "log": list(finish.log),
            "retry_at": retry_at.isoformat() if retry_at else None,
            "asks": retry_at is None and state.cancel is None and _asks(ended),
        }
        return Fact(Kind.STEP_FINISHED, {key: value for key, value in data.items() if value}, time=ended.at)


def _asks(ended: _Ended) -> bool:
    """Whether what becomes of a step that failed is to be decided."""
    is_gate = find_step_type(ended.step.uses).spec.is_gate
    return ended.step.on_failure == "ask" and ended.finish.status is StepStatus.FAILED and not is_gate


def _retry_at(ended: _Ended, tries: int) -> datetime | None:
    """When the step is tried again after so many tries; None when it is not."""
    finish, policy = ended.finish, ended.step.retry
    may_be = finish.retryable or policy.takes_any
    if finish.status is not StepStatus.FAILED or not may_be or tries >= policy.attempts:
        return None
    if policy.on and (finish.fault or {}).get("type") not in policy.on:
        return None
    return ended.at + timedelta(seconds=policy.delay_seconds * policy.backoff ** (tries - 1))
