"""fold(entries) -> ExecutionState: pure and total. What does not fit is passed over, never raised."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from prefect_wfexec.journal.facts import MISFITS, Entry, Fact, Kind
from prefect_wfexec.journal.state import (
    APPROVE_OR_REJECT,
    SKIP_CAUSES,
    Attempt,
    Closed,
    Decision,
    EngineInfo,
    ExecutionState,
    Gate,
    Notice,
    Opened,
    Request,
    StepFault,
    StepState,
    Validation,
)
from prefect_wfexec.status import RunStatus, StepStatus, TriggerKind

JSON = Any


def fold(entries: Iterable[Entry], state: ExecutionState | None = None) -> ExecutionState:
    """The state after `entries`, which follow those that made `state`."""
    state = state or ExecutionState()
    for entry in entries:
        state = fold_facts(entry.trusted_facts, state, entry.number)
    return state


def fold_facts(facts: Iterable[Fact], state: ExecutionState, number: int) -> ExecutionState:
    """The state after `facts` of the entry `number`; a fact that does not fit changes nothing."""
    for fact in facts:
        handler = _HANDLERS.get(fact.kind)
        if handler is None or (state.closed is not None and fact.kind in _UNTIL_CLOSED):
            continue
        try:
            state = replace(handler(state, fact, number), last_fact=fact.time)
        except MISFITS:
            continue
    return state


def _opened(state: ExecutionState, fact: Fact, _number: int) -> ExecutionState:
    if state.opened is not None:
        return state
    data = fact.data
    opened = Opened(
        at=fact.time,
        definition=str(data["definition"]),
        digest=str(data["digest"]),
        workflow=str(data["workflow"]),
        path=str(data.get("path", "")),
        folder=str(data.get("folder", "")),
        inputs=dict(data["inputs"]),
        trigger=dict(data.get("trigger") or {}),
        triggered_by=str(data.get("triggered_by") or TriggerKind.MANUAL),
        user=data.get("user"),
        run_name=str(data.get("run_name", "")),
    )
    return replace(state, opened=opened)


def _entered(state: ExecutionState, fact: Fact, number: int) -> ExecutionState:
    engine = EngineInfo(
        id=str(fact.data["engine"]),
        number=number,
        at=fact.time,
        host=str(fact.data.get("host", "")),
        pid=int(fact.data.get("pid", 0)),
        pid_started=str(fact.data.get("pid_started", "")),
        last_fact=fact.time,
    )
    segments = state.segments
    if not state.closed and (not segments or segments[-1][1] is not None):
        segments = (*segments, (fact.time, None))
    return replace(state, engines=(*state.engines, engine), segments=segments)


def _validated(state: ExecutionState, fact: Fact, _number: int) -> ExecutionState:
    is_fenced_out = state.engine is None or state.engine.id != str(fact.data["engine"])
    if is_fenced_out or state.validation is not None:
        return state
    data = fact.data
    policy = data.get("policy")
    validation = Validation(
        environment=dict(data.get("environment") or {}),
        problem=str(data.get("problem") or ""),
        is_protected=bool(data.get("is_protected")),
        policy=None if policy is None else dict(policy),
        policies={str(name): dict(one) for name, one in dict(data.get("policies") or {}).items()},
    )
    return replace(state, validation=validation)


def _superseded(state: ExecutionState, fact: Fact, _number: int) -> ExecutionState:
    return _with_engine(state, str(fact.data["engine"]), lambda engine: replace(engine, left=True, last_fact=fact.time))


def _noted(state: ExecutionState, fact: Fact, _number: int) -> ExecutionState:
    engine_id = fact.data.get("engine")
    if not engine_id:
        return state
    has_left = bool(fact.data.get("suspended"))
    return _with_engine(
        state,
        str(engine_id),
        lambda engine: replace(engine, left=engine.left or has_left, last_fact=fact.time),
    )


def _with_engine(state: ExecutionState, engine_id: str, change: Callable[[EngineInfo], EngineInfo]) -> ExecutionState:
    engines = tuple(change(engine) if engine.id == engine_id else engine for engine in state.engines)
    return replace(state, engines=engines)


def _step_started(state: ExecutionState, fact: Fact, _number: int) -> ExecutionState:
    step_id, attempt, engine = str(fact.data["step"]), int(fact.data["attempt"]), str(fact.data["engine"])
    step = state.step(step_id)
    is_fenced_out = state.engine is None or state.engine.id != engine
    if is_fenced_out or step.status.is_final or step.status is StepStatus.RUNNING:
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
    )
    return _with_step(state, started)


def _step_claimed(state: ExecutionState, fact: Fact, _number: int) -> ExecutionState:
    step = state.step(str(fact.data["step"]))
    return _with_step(state, replace(step, claims=step.claims | {str(fact.data["claim"])}))


def _step_finished(state: ExecutionState, fact: Fact, _number: int) -> ExecutionState:
    data = fact.data
    step = state.step(str(data["step"]))
    is_its_own = step.attempt == int(data["attempt"]) and step.engine == str(data["engine"])
    if not is_its_own or step.status.is_final or step.started is None:
        return state
    status = _final(data["status"])
    if step.asks:
        # Its attempt is known; what is new is that nothing more is asked about it.
        settled = replace(step, status=status, ended=fact.time, asks=False, reason=str(data.get("reason") or ""))
        return _with_step(state, settled)
    asks = bool(data.get("asks"))
    fault = StepFault.from_json(data["error"]) if data.get("error") else None
    retry_at = _moment(data.get("retry_at"))
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
        attempts=(*step.attempts, attempt),
        active_seconds=step.active_seconds + seconds,
    )
    return _with_step(state, finished)


def _step_skipped(state: ExecutionState, fact: Fact, _number: int) -> ExecutionState:
    step = state.step(str(fact.data["step"]))
    if step.status.is_final or step.status is StepStatus.RUNNING:
        return state
    cause = fact.data["cause"]
    if cause not in SKIP_CAUSES or state.open_gate(step.id) is not None:
        return state
    skipped = replace(
        step,
        status=_final(fact.data.get("status", StepStatus.SKIPPED)),
        ended=fact.time,
        retry_at=None,
        asks=False,
        fault=None,
        outputs=dict(fact.data.get("outputs") or {}),
        reason=str(fact.data.get("reason") or ""),
        skip_cause=cause,
    )
    return _with_step(state, skipped)


def _approval_opened(state: ExecutionState, fact: Fact, _number: int) -> ExecutionState:
    data = fact.data
    step = state.step(str(data["step"]))
    if (step.status is not StepStatus.RUNNING and not step.asks) or state.open_gate(step.id):
        return state
    expire = data.get("on_expire")
    covered_by, hold = data.get("covered_by"), data.get("hold")
    gate = Gate(
        step=step.id,
        generation=int(data["generation"]),
        opened=fact.time,
        message=str(data.get("message") or ""),
        subject_digest=str(data.get("subject_digest") or ""),
        subject=data.get("subject"),
        choices=tuple(str(one) for one in data.get("choices") or APPROVE_OR_REJECT),
        quorum=max(1, int(data.get("quorum") or 1)),
        approvers=tuple(str(name) for name in data.get("approvers") or ()),
        is_governed=bool(data.get("is_governed")),
        allow_self=bool(data.get("allow_self", True)),
        expires=_moment(data.get("expires")),
        on_expire=expire if expire in ("fail", "cancel") else "reject",
        fields={str(name): dict(spec) for name, spec in dict(data.get("fields") or {}).items()},
        hold=None if hold is None else float(hold),
        notify=tuple(dict(one) for one in data.get("notify") or ()),
        reuse=bool(data.get("reuse", True)),
        news=tuple(str(line) for line in data.get("news") or ()),
        covered_by=None if covered_by is None else int(covered_by),
    )
    waiting = _with_step(state, replace(step, status=StepStatus.WAITING))
    return replace(waiting, gates=(*state.gates, gate))


def _decided(state: ExecutionState, fact: Fact, _number: int) -> ExecutionState:
    data = fact.data
    gate = state.open_gate(str(data["step"]))
    answered = _answered(state, data.get("request"))
    if gate is None or gate.generation != int(data["generation"]) or data["decision"] not in gate.choices:
        return answered
    fields = dict(data.get("fields") or {})
    decision = Decision(str(data["decision"]), fact.actor, str(data.get("comment") or ""), fact.time, fields)
    answers = gate.answers + bool(data.get("form"))
    return _with_gate(answered, replace(gate, decisions=(*gate.decisions, decision), answers=answers, refusal=""))


def _notified(state: ExecutionState, fact: Fact, _number: int) -> ExecutionState:
    data = fact.data
    step_id, generation = str(data["step"]), int(data["generation"])
    gate = next((gate for gate in state.gates if (gate.step, gate.generation) == (step_id, generation)), None)
    if gate is None:
        return state
    key = str(data["key"])
    tries = gate.notices[key].tries + 1 if key in gate.notices else 1
    notice = Notice(key, fact.time, str(data.get("error") or ""), tries, dict(data.get("place") or {}))
    return _with_gate(state, replace(gate, notices={**gate.notices, notice.key: notice}))


def _approval_closed(state: ExecutionState, fact: Fact, _number: int) -> ExecutionState:
    data = fact.data
    gate = state.open_gate(str(data["step"]))
    if gate is None or gate.generation != int(data["generation"]):
        return state
    outcome = str(data["outcome"])
    if not outcome:
        return state
    closed = replace(gate, outcome=outcome, closed=fact.time, reason=str(data.get("reason") or ""))
    step = state.step(gate.step)
    running = step if step.status.is_final or step.asks else replace(step, status=StepStatus.RUNNING)
    return _with_step(_with_gate(state, closed), running)


def _requested(state: ExecutionState, fact: Fact, _number: int) -> ExecutionState:
    request = Request(fact.id, str(fact.data["what"]), dict(fact.data), fact.actor, fact.time)
    if request.what == "cancel" and state.cancel is None and not state.closed:
        return replace(state, cancel=request)
    if request.id in state.requests:
        return state
    return replace(state, requests={**state.requests, request.id: request})


def _refused(state: ExecutionState, fact: Fact, _number: int) -> ExecutionState:
    data = fact.data
    answered = _answered(state, data.get("request"))
    gate = state.open_gate(str(data["step"])) if data.get("step") else None
    if gate is None or gate.generation != int(data["generation"]):
        return answered
    burnt = dict(gate.burnt)
    if data.get("burnt"):
        burnt[str(data["burnt"])] = burnt.get(str(data["burnt"]), 0) + 1
    is_form = bool(data.get("form"))
    changed = replace(
        gate,
        answers=gate.answers + is_form,
        refusal=str(data.get("reason") or "") if is_form else gate.refusal,
        wrong_codes=gate.wrong_codes + bool(data.get("wrong_code")),
        burnt=burnt,
    )
    return _with_gate(answered, changed)


def _answered(state: ExecutionState, request_id: JSON) -> ExecutionState:
    if request_id not in state.requests:
        return state
    return replace(state, requests={key: value for key, value in state.requests.items() if key != request_id})


def _closed(state: ExecutionState, fact: Fact, _number: int) -> ExecutionState:
    if state.closed is not None or state.engine is None or state.engine.id != fact.data.get("engine"):
        return state
    data = fact.data
    status = RunStatus(data["status"])
    if not status.is_final:
        return state
    closed = Closed(
        at=fact.time,
        status=status,
        reason=str(data.get("reason") or ""),
        outputs=data.get("outputs"),
        outputs_ref=data.get("outputs_ref"),
    )
    segments = state.segments
    if segments and segments[-1][1] is None:
        segments = (*segments[:-1], (segments[-1][0], fact.time))
    return replace(state, closed=closed, segments=segments)


def _reset(state: ExecutionState, fact: Fact, _number: int) -> ExecutionState:
    """Steps that ended are to run again; a run that had ended is open again."""
    request = str(fact.data["request"])
    if request in state.retries:
        return state
    reset = {str(step_id) for step_id in fact.data["reset"]}
    steps = {
        step_id: _anew(step) if step_id in reset and step.status.is_final else step
        for step_id, step in state.steps.items()
    }
    failed = frozenset(step_id for step_id in state.failed if steps[step_id].status.is_final)
    if fact.data.get("goes_on") and state.closed is None:
        return replace(state, steps=steps, failed=failed, retries=state.retries | {request})
    open_again = replace(
        state,
        steps=steps,
        failed=failed,
        validation=None,
        closed=None,
        cancel=None,
        retries=state.retries | {request},
    )
    return _answered(open_again, request)


def _anew(step: StepState) -> StepState:
    """A step that is to run again: what its attempts were stays known, what came of them does not count any more."""
    return StepState(
        step.id,
        attempt=step.attempt,
        engine=step.engine,
        first_started=step.first_started,
        claims=step.claims,
        attempts=step.attempts,
        attempts_before=step.attempt,
        active_seconds=step.active_seconds,
    )


def _final(word: JSON) -> StepStatus:
    status = StepStatus(word)
    if not status.is_final:
        raise ValueError(f"a step does not end as {status}")
    return status


def _moment(text: JSON) -> datetime | None:
    if not text:
        return None
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time without a zone")
    return moment.astimezone(UTC)


def _with_step(state: ExecutionState, step: StepState) -> ExecutionState:
    failed = state.failed - {step.id}
    if step.status in {StepStatus.FAILED, StepStatus.CANCELLED}:
        failed |= {step.id}
    engines = state.engines
    if engines and engines[-1].id == step.engine and step.started and not step.status.is_final:
        engines = (*engines[:-1], replace(engines[-1], last_fact=step.started))
    return replace(state, steps={**state.steps, step.id: step}, failed=failed, engines=engines)


def _with_gate(state: ExecutionState, gate: Gate) -> ExecutionState:
    gates = tuple(gate if (old.step, old.generation) == (gate.step, gate.generation) else old for old in state.gates)
    return replace(state, gates=gates)


_UNTIL_CLOSED = frozenset(
    {
        Kind.VALIDATED,
        Kind.STEP_STARTED,
        Kind.STEP_FINISHED,
        Kind.STEP_SKIPPED,
        Kind.APPROVAL_OPENED,
        Kind.DECIDED,
        Kind.APPROVAL_CLOSED,
    }
)
"""What changes nothing any more once the run has ended; a claim still counts, lest its deed be done twice."""

_HANDLERS: dict[Kind, Callable[[ExecutionState, Fact, int], ExecutionState]] = {
    Kind.OPENED: _opened,
    Kind.ENTERED: _entered,
    Kind.VALIDATED: _validated,
    Kind.SUPERSEDED: _superseded,
    Kind.NOTED: _noted,
    Kind.STEP_STARTED: _step_started,
    Kind.STEP_CLAIMED: _step_claimed,
    Kind.STEP_FINISHED: _step_finished,
    Kind.STEP_SKIPPED: _step_skipped,
    Kind.APPROVAL_OPENED: _approval_opened,
    Kind.DECIDED: _decided,
    Kind.NOTIFIED: _notified,
    Kind.APPROVAL_CLOSED: _approval_closed,
    Kind.REQUESTED: _requested,
    Kind.REFUSED: _refused,
    Kind.CLOSED: _closed,
    Kind.RESET: _reset,
}
