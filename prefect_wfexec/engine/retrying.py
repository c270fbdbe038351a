"""Taking a run up again that failed: what failed is to be done anew, what succeeded stands."""

from pathlib import Path
from typing import TYPE_CHECKING

from prefect_wfexec.definition.loader import load_text
from prefect_wfexec.definition.model import Workflow
from prefect_wfexec.engine.fencing import entering, is_current
from prefect_wfexec.engine.outline import Outline
from prefect_wfexec.engine.reset import reset_for_retry
from prefect_wfexec.journal.facts import Actor, Fact, Kind
from prefect_wfexec.journal.journal import Journal
from prefect_wfexec.journal.state import ExecutionState
from prefect_wfexec.steps.registry import catalog

if TYPE_CHECKING:
    from uuid import UUID

    from prefect.client.orchestration import PrefectClient

AWAITING_RETRY = "AwaitingRetry"
PREFECT_USER = Actor("a user of Prefect")


async def wanted_retry(client: "PrefectClient", run_id: "UUID", known: ExecutionState) -> str:
    """The state by which Prefect's own Retry was asked for since the run ended last, unless it was heeded; or empty."""
    states = sorted(await client.read_flow_run_states(run_id), key=lambda state: state.timestamp)
    for state in reversed(states):
        if state.is_final():
            return ""
        if state.name == AWAITING_RETRY:
            return "" if str(state.id) in known.retries else str(state.id)
    return ""


async def reset(journal: Journal, given: Workflow, engine: str, request: str) -> None:
    """Put on record that what failed runs again; an engine that has not entered the run enters it with that.

    A run that has ended without anything that failed is left as it is.
    """
    outline = Outline(pinned(given, journal.state))

    def decide(state: ExecutionState) -> list[Fact]:
        has_entered = is_current(state, engine)
        if request in state.retries or not (has_entered or state.closed):
            return []
        found = reset_for_retry(outline, state)
        is_invalid = state.validation is not None and bool(state.validation.problem)
        if not found and not is_invalid:
            return []
        data = {"request": request, "what": "retry", "reset": list(found), "reasons": found}
        facts = [Fact(Kind.RESET, data, actor=PREFECT_USER)]
        return facts if has_entered else [*facts, entering(engine)]

    await journal.append(decide)


def pinned(given: Workflow, state: ExecutionState) -> Workflow:
    """The definition the run was opened with, whatever stands in the file by now."""
    opened = state.opened
    if opened is None or opened.digest == given.digest:
        return given
    return load_text(opened.definition, Path(opened.path) if opened.path else given.path, catalog())
