"""`on_failure: ask`: a step that failed is asked about, and runs again, is skipped, or has failed. Pure."""

from datetime import datetime

from prefect_wfexec.definition.model import JSON, Step
from prefect_wfexec.engine.approvals.gates import EXPIRED, Opening, withdrawn
from prefect_wfexec.engine.approvals.people import person_key
from prefect_wfexec.engine.approvals.rules import Rules
from prefect_wfexec.engine.outline import Outline
from prefect_wfexec.engine.reset import needed_outputs, reset_for_step
from prefect_wfexec.journal.facts import ENGINE, Fact, Kind
from prefect_wfexec.journal.fold import fold_facts
from prefect_wfexec.journal.state import ExecutionState, Gate
from prefect_wfexec.status import StepStatus


def opening_after_failure(outline: Outline, state: ExecutionState, step: Step, rules: Rules) -> Opening:
    """The gate that asks what to do about a step that failed."""
    current = state.step(step.id)
    fault = current.fault
    subject = {"step": step.id, "attempt": current.attempt, "error": fault.as_json() if fault else None}
    first = fault.message.splitlines()[0].rstrip(":") if fault and fault.message else "it failed"
    choices = ("retry", "skip", "abort") if not needed_outputs(outline, step) else ("retry", "abort")
    return Opening(
        step=step.id,
        generation=1 + sum(1 for gate in state.gates if gate.step == step.id),
        subject=subject,
        shown={"message": f"**{step.name}** failed: {first}", "subject": subject},
        rules=rules,
        choices=choices,
    )


def failing_facts(outline: Outline, state: ExecutionState, now: datetime) -> list[Fact]:
    """What follows from the decisions about steps that failed."""
    facts: list[Fact] = []
    for gate in state.open_gates:
        if state.step(gate.step).asks:
            found = _closing(outline, gate, state, now)
            facts += found
            state = fold_facts(found, state, 0)
    return facts


def _closing(outline: Outline, gate: Gate, state: ExecutionState, now: datetime) -> list[Fact]:
    if _people(gate, "abort"):
        return _aborted(gate, state, now, "aborted", f"aborted by {_last(gate, 'abort')}")
    if state.cancel is not None:
        return _aborted(gate, state, now, "cancelled", "the run was cancelled")
    for choice in ("retry", "skip"):
        if _people(gate, choice) >= gate.quorum:
            end = _retried if choice == "retry" else _skipped
            return end(outline, gate, state, now)
    if gate.expires is not None and gate.expires <= now:
        until = gate.expires.isoformat(timespec="seconds")
        return _aborted(gate, state, now, EXPIRED, f"nobody decided until {until}")
    return []


def _retried(outline: Outline, gate: Gate, state: ExecutionState, now: datetime) -> list[Fact]:
    ended = _aborted(gate, state, now, "retried", f"to be retried, by {_last(gate, 'retry')}")
    after = fold_facts(ended, state, 0)
    found = reset_for_step(outline, after, gate.step)
    data = {
        "request": f"{gate.step}:{gate.generation}",
        "what": "retry",
        "reset": list(found),
        "reasons": found,
        "goes_on": True,
    }
    return [*ended, *withdrawn(after, found, now), Fact(Kind.RESET, data, time=now)]


def _skipped(outline: Outline, gate: Gate, state: ExecutionState, now: datetime) -> list[Fact]:
    by = next(one for one in reversed(gate.decisions) if one.decision == "skip")
    reason = f"skipped by {by.by.name}" + (f": {by.comment}" if by.comment else "")
    skip = {
        "step": gate.step,
        "cause": "manual",
        "reason": reason,
        "outputs": dict(outline.steps[gate.step].outputs or {}),
    }
    return [_closed(gate, "skipped", reason, now), Fact(Kind.STEP_SKIPPED, skip, actor=by.by, time=now)]


def _aborted(gate: Gate, state: ExecutionState, now: datetime, outcome: str, reason: str) -> list[Fact]:
    step = state.step(gate.step)
    finished: dict[str, JSON] = {
        "step": gate.step,
        "attempt": step.attempt,
        "engine": step.engine,
        "status": StepStatus.FAILED.value,
        "reason": reason,
    }
    return [_closed(gate, outcome, reason, now), Fact(Kind.STEP_FINISHED, finished, time=now)]


def _closed(gate: Gate, outcome: str, reason: str, now: datetime) -> Fact:
    data = {"step": gate.step, "generation": gate.generation, "outcome": outcome, "reason": reason}
    return Fact(Kind.APPROVAL_CLOSED, data, actor=gate.decisions[-1].by if gate.decisions else ENGINE, time=now)


def _people(gate: Gate, decision: str) -> int:
    return len({person_key(one.by.name) for one in gate.decisions if one.decision == decision})


def _last(gate: Gate, decision: str) -> str:
    return next(one.by.name for one in reversed(gate.decisions) if one.decision == decision)
