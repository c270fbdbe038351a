"""Opening a run again that has ended: what failed is to be done anew, what succeeded stands."""

from pathlib import Path
from typing import TYPE_CHECKING

from prefect_wfexec.definition.loader import load_text
from prefect_wfexec.definition.model import Workflow
from prefect_wfexec.engine.fencing import entering
from prefect_wfexec.engine.outline import Outline
from prefect_wfexec.engine.reset import reset_for_retry
from prefect_wfexec.journal.facts import Fact, Kind
from prefect_wfexec.journal.journal import Journal
from prefect_wfexec.journal.state import ExecutionState
from prefect_wfexec.steps.registry import catalog

if TYPE_CHECKING:
    from uuid import UUID

    from prefect.client.orchestration import PrefectClient

AWAITING_RETRY = "AwaitingRetry"


async def is_retry_wanted(client: "PrefectClient", run_id: "UUID") -> bool:
    """Whether Prefect's own Retry was used since the run ended last: its history of states tells."""
    states = sorted(await client.read_flow_run_states(run_id), key=lambda state: state.timestamp)
    for state in reversed(states):
        if state.is_final():
            return False
        if state.name == AWAITING_RETRY:
            return True
    return False


async def reopen(journal: Journal, given: Workflow, engine: str) -> bool:
    """Enter a run that has ended, with what failed to be done again; whether there was any such thing."""
    workflow = pinned(given, journal.state)

    def decide(state: ExecutionState) -> list[Fact]:
        if state.closed is None:
            return []
        reset = reset_for_retry(Outline(workflow), state)
        if not reset:
            return []
        data = {"engine": engine, "what": "retry", "reset": list(reset), "reasons": reset, "by": "prefect"}
        return [Fact(Kind.REOPENED, data), entering(engine)]

    return bool(await journal.append(decide)) or journal.state.closed is None


def pinned(given: Workflow, state: ExecutionState) -> Workflow:
    """The definition the run was opened with, whatever stands in the file by now."""
    opened = state.opened
    if opened is None or opened.digest == given.digest:
        return given
    return load_text(opened.definition, Path(opened.path) if opened.path else given.path, catalog())
