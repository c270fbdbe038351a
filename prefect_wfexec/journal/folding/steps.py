"""Facts about steps."""

from dataclasses import replace

from prefect_wfexec.journal.facts import Fact
from prefect_wfexec.journal.folding.parts import final_status, moment, with_step
from prefect_wfexec.journal.state import SKIP_CAUSES, Attempt, ExecutionState, StepFault
from prefect_wfexec.status import StepStatus


def step_started(state: ExecutionState, fact: Fact, _number: int) -> ExecutionState:
    step_id, attempt, engine = str(fact.data["step"]), int(fact.data["attempt"]), str(fact.data["engine"])
    step = state.step(step_id)
    is_fenced_out = state.engine is None or state.engine.id != engine
    if is_fenced_out or step.status.is_final or step.status is StepStatus.RUNNING:
        return state
    if state.open_gate(step_id) is not None:
        return state
    if attempt != step.attempt + 1:
        return state
    started = replace(
        step,
        status=StepStatus.RUNNING,
        attempt=attempt,
        engine=engine,
        first_started=step.first_started or fact.time,
        started=fact.time,
        ended=None,
        retry_at=None,
        asks=False,
        summary="",
        reason="",
        fault=None,
        reports=(),
    )
    return with_step(state, started)


def step_claimed(state: ExecutionState, fact: Fact, _number: int) -> ExecutionState:
    step = state.step(str(fact.data["step"]))
    return with_step(state, replace(step, claims=step.claims | {str(fact.data["claim"])}))


def step_finished(state: ExecutionState, fact: Fact, _number: int) -> ExecutionState:
    data = fact.data
    step = state.step(str(data["step"]))
    is_its_own = step.attempt == int(data["attempt"]) and step.engine == str(data["engine"])
    if not is_its_own or step.status.is_final or step.started is None:
        return state
    status = final_status(data["status"])
    if step.asks:
        # Its attempt is known; what is new is that nothing more is asked about it.
        settled = replace(step, status=status, ended=fact.time, asks=False, reason=str(data.get("reason") or ""))
        return with_step(state, settled)
    asks = bool(data.get("asks"))
    fault = StepFault.from_json(data["error"]) if data.get("error") else None
    retry_at = moment(data.get("retry_at"))
    attempt = Attempt(step.attempt, step.started, fact.time, status, fault, tuple(data.get("log") or ()))
    seconds = max(0.0, (fact.time - step.started).total_seconds())
    finished = replace(
        step,
        status=StepStatus.WAITING if retry_at or asks else status,
        ended=None if retry_at or asks else fact.time,
        retry_at=retry_at,
        asks=asks,
        summary=str(data.get("summary") or ""),
        reason=str(data.get("reason") or ""),
        skip_cause="optional" if status is StepStatus.SKIPPED else None,
        fault=fault,
        outputs=dict(data.get("outputs") or {}),
        outputs_ref=data.get("outputs_ref"),
        local=tuple(tuple(str(part) for part in place) for place in data.get("local") or ()),
        artifacts=dict(data["artifacts"]) if data.get("artifacts") else None,
        reports=tuple(dict(one) for one in data.get("reports") or ()),
        attempts=(*step.attempts, attempt),
        active_seconds=step.active_seconds + seconds,
    )
    return with_step(state, finished)


def step_skipped(state: ExecutionState, fact: Fact, _number: int) -> ExecutionState:
    step = state.step(str(fact.data["step"]))
    if step.status.is_final or step.status is StepStatus.RUNNING:
        return state
    cause = fact.data["cause"]
    if cause not in SKIP_CAUSES or state.open_gate(step.id) is not None:
        return state
    skipped = replace(
        step,
        status=final_status(fact.data.get("status", StepStatus.SKIPPED)),
        ended=fact.time,
        retry_at=None,
        asks=False,
        fault=None,
        outputs=dict(fact.data.get("outputs") or {}),
        reason=str(fact.data.get("reason") or ""),
        skip_cause=cause,
    )
    return with_step(state, skipped)
