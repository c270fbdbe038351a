"""Facts about the run that takes away what a run has made."""

from dataclasses import replace

from prefect_wfexec.journal.facts import Fact
from prefect_wfexec.journal.state import Cleanup, ExecutionState
from prefect_wfexec.status import RunStatus


def cleanup_started(state: ExecutionState, fact: Fact, _number: int) -> ExecutionState:
    data = fact.data
    is_fenced_out = state.engine is None or state.engine.id != str(data["engine"])
    is_going_on = state.cleanup is not None and state.cleanup.status is None
    if is_fenced_out or is_going_on or state.cancel is None:
        return state
    return replace(state, cleanup=Cleanup(str(data["run"]), str(data["name"]), dict(data["plan"]), fact.time))


def cleanup_finished(state: ExecutionState, fact: Fact, _number: int) -> ExecutionState:
    """The cleanup has ended; one that succeeded after all has the run end anew."""
    data, known = fact.data, state.cleanup
    status = RunStatus(data["status"])
    if known is None or known.run != str(data["run"]) or not status.is_final:
        return state
    left = tuple(str(one) for one in data.get("left") or ())
    cleanup = replace(known, status=status, reason=str(data.get("reason") or ""), left=left)
    is_mended = state.closed is not None and state.closed.status is RunStatus.TERMINATION_FAILED
    if is_mended and status is RunStatus.SUCCEEDED:
        return replace(state, cleanup=cleanup, closed=None)
    return replace(state, cleanup=cleanup)
