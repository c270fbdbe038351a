"""Cancelling: a request in the journal, on which the run's engine stops its steps."""

from prefect_wfexec.journal.facts import Actor, Fact, Kind
from prefect_wfexec.journal.journal import Journal
from prefect_wfexec.journal.state import ExecutionState


async def request_cancel(journal: Journal, by: str) -> bool:
    """Ask the run to stop; whether there was anything to stop."""

    def decide(state: ExecutionState) -> list[Fact]:
        if state.closed is not None or state.cancel is not None:
            return []
        return [Fact(Kind.REQUESTED, {"what": "cancel"}, actor=Actor(by))]

    return bool(await journal.append(decide))
