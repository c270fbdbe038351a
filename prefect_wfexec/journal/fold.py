"""fold(entries) -> ExecutionState: pure and total. What does not fit is passed over, never raised."""

from collections.abc import Callable, Iterable
from dataclasses import replace

from prefect_wfexec.journal.facts import MISFITS, Entry, Fact, Kind
from prefect_wfexec.journal.folding import cleanups, gates, locks, runs, steps
from prefect_wfexec.journal.state import ExecutionState


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


_UNTIL_CLOSED = frozenset(
    {
        Kind.VALIDATED,
        Kind.LOCK_REQUESTED,
        Kind.LOCK_ACQUIRED,
        Kind.LOCK_RELEASED,
        Kind.STEP_STARTED,
        Kind.STEP_FINISHED,
        Kind.STEP_SKIPPED,
        Kind.APPROVAL_OPENED,
        Kind.DECIDED,
        Kind.APPROVAL_CLOSED,
        Kind.CLEANUP_STARTED,
    }
)
"""What changes nothing any more once the run has ended; a claim still counts, lest its deed be done twice."""

_HANDLERS: dict[Kind, Callable[[ExecutionState, Fact, int], ExecutionState]] = {
    Kind.OPENED: runs.opened,
    Kind.ENTERED: runs.entered,
    Kind.VALIDATED: runs.validated,
    Kind.LOCK_REQUESTED: locks.lock_requested,
    Kind.LOCK_ACQUIRED: locks.lock_acquired,
    Kind.LOCK_RELEASED: locks.lock_released,
    Kind.SUPERSEDED: runs.superseded,
    Kind.NOTED: runs.noted,
    Kind.STEP_STARTED: steps.step_started,
    Kind.STEP_CLAIMED: steps.step_claimed,
    Kind.STEP_FINISHED: steps.step_finished,
    Kind.STEP_SKIPPED: steps.step_skipped,
    Kind.APPROVAL_OPENED: gates.approval_opened,
    Kind.DECIDED: gates.decided,
    Kind.NOTIFIED: gates.notified,
    Kind.APPROVAL_CLOSED: gates.approval_closed,
    Kind.CLEANUP_STARTED: cleanups.cleanup_started,
    Kind.CLEANUP_FINISHED: cleanups.cleanup_finished,
    Kind.REQUESTED: runs.requested,
    Kind.REFUSED: gates.refused,
    Kind.CLOSED: runs.closed,
    Kind.RECONCILED: runs.reconciled,
    Kind.RESET: runs.reset,
}
