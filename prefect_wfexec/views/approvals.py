"""What waits for a decision: the inbox."""

from typing import TYPE_CHECKING, Any

from prefect_wfexec.engine.flow_run import TAG
from prefect_wfexec.errors import EngineError
from prefect_wfexec.journal.state import ExecutionState, Gate
from prefect_wfexec.views.execution import iso
from prefect_wfexec.views.find import read_journal

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.objects import FlowRun

LIVE_STATES = ("RUNNING", "PAUSED", "PENDING", "SCHEDULED")
PAGE = 200


async def load_approvals(client: "PrefectClient") -> list[dict[str, Any]]:
    """Every open gate of every run that goes on, oldest first."""
    rows = []
    for flow_run in await _live_runs(client):
        try:
            state = (await read_journal(client, flow_run)).state
        except EngineError:
            continue
        if state.closed is None:
            rows += [_row(flow_run, state, gate) for gate in state.open_gates]
    return sorted(rows, key=lambda row: str(row["opened"]))


async def _live_runs(client: "PrefectClient") -> list["FlowRun"]:
    from prefect.client.schemas.filters import (
        FlowRunFilter,
        FlowRunFilterState,
        FlowRunFilterStateType,
        FlowRunFilterTags,
    )
    from prefect.client.schemas.objects import StateType

    live = [StateType(name) for name in LIVE_STATES]
    wanted = FlowRunFilter(
        tags=FlowRunFilterTags(all_=[TAG]), state=FlowRunFilterState(type=FlowRunFilterStateType(any_=live))
    )
    found: list[FlowRun] = []
    while True:
        page = await client.read_flow_runs(flow_run_filter=wanted, limit=PAGE, offset=len(found))
        found += page
        if len(page) < PAGE:
            return found


def _row(flow_run: "FlowRun", state: ExecutionState, gate: Gate) -> dict[str, Any]:
    given = len({found.by.name for found in gate.decisions if found.decision == "approve"})
    return {
        "run": flow_run.name,
        "workflow": state.opened.workflow if state.opened else "",
        "step": gate.step,
        "message": gate.message,
        "subject_digest": gate.subject_digest,
        "opened": iso(gate.opened),
        "expires": iso(gate.expires),
        "needs": max(0, gate.quorum - given),
    }
