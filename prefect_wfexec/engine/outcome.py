"""How a run would end if it closed now, and why."""

from prefect_wfexec.engine.approvals.verifying import LONGEST_COMMENT_CHARACTERS, LONGEST_NAME_CHARACTERS
from prefect_wfexec.engine.outline import Outline
from prefect_wfexec.journal.state import ExecutionState, StepState
from prefect_wfexec.runtime.outside import text_from_outside
from prefect_wfexec.status import RunStatus, StepStatus

OUTCOME_UNKNOWN = "outcome_unknown"
BLOB_GONE = "blob_gone"
"""The error type of a step that was to use what an earlier one had stored, and it is not there any more."""
PLATFORM_FAULTS = frozenset({OUTCOME_UNKNOWN, BLOB_GONE, "internal", "supervisor", "journal", "unreachable"})
"""Error types that are a fault of ours, of Prefect or of the machine: the run ends in Error, not in Failed."""
REFUSALS = frozenset({"rejected", "expired"})
UNFORGIVABLE = PLATFORM_FAULTS | REFUSALS
_SEVERITY = {RunStatus.APPROVAL_REJECTED: 0, RunStatus.FAILED: 1, RunStatus.ERROR: 2}


def outcome(outline: Outline, state: ExecutionState) -> tuple[RunStatus, str]:
    """The status the run has if it closes now, and the reason in words, empty for a success."""
    if state.cancel is not None:
        return _cancelled(state)
    failed = [
        state.step(step_id) for step_id in outline.in_order(state.failed) if counts_as_failed(outline, state, step_id)
    ]
    if not failed:
        return RunStatus.SUCCEEDED, ""
    failed.sort(key=_ended)
    worst = max(failed, key=lambda step: _SEVERITY[_status_of(step)])
    return _status_of(worst), _reason(worst)


def _status_of(step: StepState) -> RunStatus:
    """What the failure of this step alone makes of the run."""
    kind = _fault_type(step)
    if kind in PLATFORM_FAULTS:
        return RunStatus.ERROR
    return RunStatus.APPROVAL_REJECTED if kind in REFUSALS else RunStatus.FAILED


def counts_as_failed(outline: Outline, state: ExecutionState, step_id: str) -> bool:
    """Whether the step failed and nothing says that the run goes on all the same.

    `on_failure: continue` forgives what a step did wrong. It never turns an unknown outcome into a known one, nor
    opens a gate that was rejected or expired.
    """
    current = state.step(step_id)
    if current.status is StepStatus.CANCELLED:
        return True
    is_forgiven = outline.steps[step_id].on_failure == "continue" and _fault_type(current) not in UNFORGIVABLE
    return current.status is StepStatus.FAILED and not is_forgiven


def _cancelled(state: ExecutionState) -> tuple[RunStatus, str]:
    by = text_from_outside(state.cancel.actor.name)[:LONGEST_NAME_CHARACTERS] if state.cancel else ""
    why = text_from_outside(state.cancel.data.get("reason"))[:LONGEST_COMMENT_CHARACTERS] if state.cancel else ""
    words = f"cancelled: {why}" if why else f"cancelled by {by}"
    cleanup = state.cleanup
    if cleanup is not None and cleanup.status is not RunStatus.SUCCEEDED:
        how = f"ended {cleanup.status}" if cleanup.status else "has not ended"
        left = f"; still there: {', '.join(cleanup.left)}" if cleanup.left else ""
        reason = f": {cleanup.reason}" if cleanup.reason else ""
        return RunStatus.TERMINATION_FAILED, f"{words}; the cleanup {cleanup.name} {how}{reason}{left}"
    if cleanup is not None:
        words += f"; cleaned up by {cleanup.name}"
    elif wants_cleanup(state):
        words += "; there was nothing to clean up"
    cleaned = cleanup.plan.get("steps", ()) if cleanup is not None else ()
    unknown = [step.id for step in state.steps.values() if _is_unknown(step, is_cleaned=step.id in cleaned)]
    if unknown:
        return RunStatus.TERMINATION_FAILED, f"{words}; what '{unknown[0]}' left behind is unknown"
    return RunStatus.TERMINATED, words


def wants_cleanup(state: ExecutionState) -> bool:
    """Whether what the run has made is to be taken away."""
    return state.cancel is not None and state.cancel.data.get("cleanup") is True


def _is_unknown(step: StepState, *, is_cleaned: bool) -> bool:
    """Whether nobody can say what a step did; a command that was seen to end left it in its state for the cleanup."""
    is_unknown = _fault_type(step) == OUTCOME_UNKNOWN
    return is_unknown and not (is_cleaned and step.fault is not None and step.fault.exit_code is not None)


def _ended(step: StepState) -> float:
    return step.ended.timestamp() if step.ended else 0.0


def _fault_type(step: StepState) -> str:
    return step.fault.type if step.fault else ""


def _reason(step: StepState) -> str:
    if step.fault is None:
        return f"step '{step.id}' {step.status.value.lower()}"
    message = next((line.strip() for line in step.fault.message.splitlines() if line.strip()), step.fault.type)
    return f"step '{step.id}': {message.rstrip(':')}"
