"""Facts about the lock of a run, in the run's own journal: what it waits for, has or has lost."""

from dataclasses import replace

from prefect_wfexec.journal.facts import Fact
from prefect_wfexec.journal.folding.parts import moment
from prefect_wfexec.journal.state import ExecutionState, LockPlace


def lock_requested(state: ExecutionState, fact: Fact, _number: int) -> ExecutionState:
    if not _is_from_the_engine(state, fact):
        return state
    data = fact.data
    place = LockPlace(
        key=str(data["key"]),
        status="waiting",
        holder=str(data.get("holder") or ""),
        since=moment(data.get("since")),
        ahead=int(data.get("ahead") or 0),
    )
    return replace(state, lock=place)


def lock_acquired(state: ExecutionState, fact: Fact, _number: int) -> ExecutionState:
    if not _is_from_the_engine(state, fact):
        return state
    place = LockPlace(str(fact.data["key"]), "held", number=int(fact.data["number"]), since=fact.time)
    return replace(state, lock=place)


def lock_released(state: ExecutionState, fact: Fact, _number: int) -> ExecutionState:
    """The lock was taken from the run, by a person or by one who saw that the run was over."""
    place = state.lock
    if place is None or place.status != "held" or place.number > int(fact.data["number"]):
        return state
    return replace(state, lock=replace(place, status="lost", reason=str(fact.data.get("reason") or "")))


def _is_from_the_engine(state: ExecutionState, fact: Fact) -> bool:
    return state.engine is not None and state.engine.id == str(fact.data["engine"])
