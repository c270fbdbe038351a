"""Starts workflows after runs of others: reads which runs have ended, as far as it has not read before.

What has ended is read from Prefect's columns, so that nothing is missed while the gateway is away; each end of a run
becomes a delivery like any other, and is kept once.
"""

import hashlib
import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from prefect_wfexec.engine.flow_run import CLEANUP_TAG
from prefect_wfexec.gateway.catalog import Catalog, Target
from prefect_wfexec.gateway.deliveries.records import Delivery, Outcome
from prefect_wfexec.gateway.deliveries.store import Store
from prefect_wfexec.gateway.ended import ended_body
from prefect_wfexec.gateway.starting import Starter
from prefect_wfexec.journal.facts import utc_now
from prefect_wfexec.status import RunStatus, run_status_named, run_status_of_state

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.objects import FlowRun

logger = logging.getLogger(__name__)
CURSOR = "runs-ended"
OVERLAP = timedelta(minutes=2)
"""How far back is read again: clocks differ, and a run's end is seen a moment after it happened."""
PAGE = 200


@dataclass(frozen=True, slots=True)
class Follower:
    """Looks for runs that have ended, and delivers that to the triggers that wait for it."""

    client: "PrefectClient"
    store: Store
    catalog: Catalog
    starter: Starter

    async def look(self) -> None:
        """Deliver what has ended since the last look."""
        waiting = [one for one in self.catalog.targets if one.trigger.type == "workflow"]
        if not waiting:
            return
        now = utc_now()
        kept = await self.store.cursor(CURSOR)
        since = datetime.fromisoformat(kept) if kept else now
        followed = sorted({str(one.trigger.options["workflow"]) for one in waiting})
        for workflow in followed:
            for run in await self._ended(workflow, since - OVERLAP):
                await self._deliver(workflow, run, waiting)
        await self.store.set_cursor(CURSOR, now.astimezone(UTC).isoformat())

    async def _ended(self, workflow: str, since: datetime) -> list["FlowRun"]:
        from prefect.client.schemas.filters import (
            FlowFilter,
            FlowFilterName,
            FlowRunFilter,
            FlowRunFilterEndTime,
        )

        found: list[FlowRun] = []
        while True:
            page = await self.client.read_flow_runs(
                flow_filter=FlowFilter(name=FlowFilterName(any_=[workflow])),
                flow_run_filter=FlowRunFilter(end_time=FlowRunFilterEndTime(after_=since)),
                limit=PAGE,
                offset=len(found),
            )
            found += page
            if len(page) < PAGE:
                return [run for run in found if CLEANUP_TAG not in run.tags]

    async def _deliver(self, workflow: str, run: "FlowRun", waiting: list[Target]) -> None:
        status = run_status_of_state(run.state.type.value, run.state.name or "") if run.state else None
        if status is None or not status.is_final or run.state is None:
            return
        for source in {(one.workflow.name, one.trigger.id) for one in waiting if _follows(one, workflow, status)}:
            key = f"{run.id}:{run.state.id}"
            delivery = Delivery(
                workflow=source[0],
                trigger=source[1],
                received=utc_now(),
                outcome=Outcome.ACCEPTED,
                dedupe_key=hashlib.sha256(key.encode()).hexdigest(),
                event=status.value,
                text=f"{workflow} {status.value} ({run.name})",
                body=ended_body(workflow, run, status),
            )
            if await self.store.add_unless_known(delivery):
                self.starter.wake()


def _follows(target: Target, workflow: str, status: RunStatus) -> bool:
    wanted = target.trigger.options.get("on", RunStatus.SUCCEEDED.value)
    words = [wanted] if isinstance(wanted, str) else wanted if isinstance(wanted, list) else []
    return target.trigger.options["workflow"] == workflow and status in {run_status_named(str(word)) for word in words}
