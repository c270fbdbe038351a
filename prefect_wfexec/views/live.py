"""The runs that go on, and the journals of those that can be read."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from prefect_wfexec.engine.flow_run import DURATION_LABEL, TAG
from prefect_wfexec.errors import EngineError, one_line
from prefect_wfexec.journal.journal import Journal
from prefect_wfexec.views.find import read_journal

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.objects import FlowRun

LIVE_STATES = ("RUNNING", "PAUSED", "PENDING", "SCHEDULED")
PAGE = 200
LOOKED_BACK = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class PassedOver:
    """A run about which nothing can be said."""

    run: str
    reason: str

    def __str__(self) -> str:
        return f"{self.run}: passed over, because {self.reason}"


async def live_journal(client: "PrefectClient", flow_run: "FlowRun") -> Journal | PassedOver:
    """The run's journal, or why it can't be read or trusted: one such run keeps nobody from the others."""
    try:
        return await read_journal(client, flow_run)
    except EngineError as error:
        return PassedOver(flow_run.name, one_line(error))


async def live_runs(client: "PrefectClient") -> list["FlowRun"]:
    """Every run that has not ended, as Prefect has it."""
    return await _runs(client, LIVE_STATES)


async def unsettled_runs(client: "PrefectClient") -> list["FlowRun"]:
    """Those, and the runs that Prefect has cancelled while no engine saw it."""
    cancelled = await _runs(client, ("CANCELLED",), since=datetime.now(UTC) - LOOKED_BACK)
    return [*await _runs(client, (*LIVE_STATES, "CANCELLING")), *(run for run in cancelled if not _is_closed(run))]


def _is_closed(flow_run: "FlowRun") -> bool:
    """Whether an engine closed it: it says how long the run took."""
    return DURATION_LABEL in (flow_run.labels or {})


async def _runs(client: "PrefectClient", states: Sequence[str], *, since: datetime | None = None) -> list["FlowRun"]:
    from prefect.client.schemas.filters import (
        FlowRunFilter,
        FlowRunFilterEndTime,
        FlowRunFilterState,
        FlowRunFilterStateType,
        FlowRunFilterTags,
    )
    from prefect.client.schemas.objects import StateType

    types = [StateType(name) for name in states]
    wanted = FlowRunFilter(
        tags=FlowRunFilterTags(all_=[TAG]), state=FlowRunFilterState(type=FlowRunFilterStateType(any_=types))
    )
    if since is not None:
        wanted.end_time = FlowRunFilterEndTime(after_=since)
    found: list[FlowRun] = []
    while True:
        page = await client.read_flow_runs(flow_run_filter=wanted, limit=PAGE, offset=len(found))
        found += page
        if len(page) < PAGE:
            return found
