"""Facts about the run as a whole."""

from collections.abc import Mapping
from dataclasses import replace

from prefect_wfexec.journal.facts import JSON, Fact
from prefect_wfexec.journal.folding.parts import with_engine, without_request
from prefect_wfexec.journal.state import (
    Closed,
    EngineInfo,
    ExecutionState,
    Opened,
    Request,
    StepState,
    Target,
    Validation,
)
from prefect_wfexec.status import RunStatus, TriggerKind


def opened(state: ExecutionState, fact: Fact, _number: int) -> ExecutionState:
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
        cleanup=dict(data.get("cleanup") or {}),
    )
    return replace(state, opened=opened)


def entered(state: ExecutionState, fact: Fact, number: int) -> ExecutionState:
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


def validated(state: ExecutionState, fact: Fact, _number: int) -> ExecutionState:
    is_fenced_out = state.engine is None or state.engine.id != str(fact.data["engine"])
    if is_fenced_out or state.validation is not None:
        return state
    data = fact.data
    policy = data.get("policy")
    validation = Validation(
        environment=dict(data.get("environment") or {}),
        problems=_problems(data),
        is_protected=bool(data.get("is_protected")),
        policy=None if policy is None else dict(policy),
        policies={str(name): dict(one) for name, one in dict(data.get("policies") or {}).items()},
        lock=str(data.get("lock") or ""),
        targets={str(name): Target.from_json(one) for name, one in dict(data.get("targets") or {}).items()},
    )
    return replace(state, validation=validation)


def _problems(data: Mapping[str, JSON]) -> tuple[str, ...]:
    """Every problem; journals of before there could be several have one."""
    several = tuple(str(one) for one in data.get("problems") or ())
    return several or ((str(data["problem"]),) if data.get("problem") else ())


def superseded(state: ExecutionState, fact: Fact, _number: int) -> ExecutionState:
    return with_engine(state, str(fact.data["engine"]), lambda engine: replace(engine, left=True, last_fact=fact.time))


def noted(state: ExecutionState, fact: Fact, _number: int) -> ExecutionState:
    engine_id = fact.data.get("engine")
    if not engine_id:
        return state
    has_left = bool(fact.data.get("suspended"))
    return with_engine(
        state,
        str(engine_id),
        lambda engine: replace(engine, left=engine.left or has_left, last_fact=fact.time),
    )


def requested(state: ExecutionState, fact: Fact, _number: int) -> ExecutionState:
    request = Request(fact.id, str(fact.data["what"]), dict(fact.data), fact.actor, fact.time)
    if request.what == "cancel" and not state.closed:
        return _cancelled(state, request)
    if request.id in state.requests:
        return state
    return replace(state, requests={**state.requests, request.id: request})


def _cancelled(state: ExecutionState, request: Request) -> ExecutionState:
    """The first to cancel is who cancelled; a later one may still ask for the cleanup."""
    if state.cancel is None:
        return replace(state, cancel=request)
    if request.data.get("cleanup") is not True:
        return state
    return replace(state, cancel=replace(state.cancel, data={**state.cancel.data, "cleanup": True}))


def closed(state: ExecutionState, fact: Fact, _number: int) -> ExecutionState:
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
    return replace(state, closed=closed, lock=None, segments=segments)


def reconciled(state: ExecutionState, fact: Fact, _number: int) -> ExecutionState:
    """Reports that were kept long enough are gone; what else was set right other facts say."""
    removed = {str(blob) for blob in fact.data.get("reports_removed") or ()}
    if not removed:
        return state
    steps = {
        step_id: replace(step, reports=tuple(one for one in step.reports if one.get("blob") not in removed))
        for step_id, step in state.steps.items()
    }
    return replace(state, steps=steps)


def reset(state: ExecutionState, fact: Fact, _number: int) -> ExecutionState:
    """Steps that ended are to run again; a run that had ended is open again."""
    data = fact.data
    heeded = frozenset(str(one) for one in (data["request"], *data.get("heeded", ())))
    if heeded & state.retries:
        return state
    reset_ids, kept = {str(step_id) for step_id in data["reset"]}, data.get("steps")
    steps = {
        step_id: _anew(step) if step_id in reset_ids and step.status.is_final else step
        for step_id, step in state.steps.items()
        if kept is None or step_id in kept
    }
    failed = frozenset(step_id for step_id in state.failed if step_id in steps and steps[step_id].status.is_final)
    gates = tuple(
        replace(gate, is_past=True) if gate.step in reset_ids and not gate.is_open else gate for gate in state.gates
    )
    again = replace(state, steps=steps, failed=failed, gates=gates, retries=state.retries | heeded)
    if data.get("goes_on") and state.closed is None:
        return again
    for request in heeded:
        again = without_request(again, request)
    if data.get("what") == "cancel":
        return replace(again, lock=None, closed=None, cancel=state.requests[str(data["request"])])
    opened = _opened_anew(state.opened, fact)
    return replace(again, opened=opened, validation=None, lock=None, closed=None, cancel=None)


def _opened_anew(opened: Opened | None, fact: Fact) -> Opened | None:
    """What the run goes on with: other inputs, another definition."""
    if opened is None:
        return None
    data = fact.data
    inputs = {**opened.inputs, **dict(data.get("inputs") or {})}
    if not data.get("definition"):
        return replace(opened, inputs=inputs)
    return replace(opened, inputs=inputs, definition=str(data["definition"]), digest=str(data["digest"]))


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
