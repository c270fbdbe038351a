"""Starts workflows after runs of others: reads which runs have ended, as far as it has not read before.

What has ended is read from Prefect's columns, so that nothing is missed while the gateway is away; each end of a run
becomes a delivery like any other, and is kept once.
"""

import hashlib
import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
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
CURSOR = "runs-followed"
OVERLAP = timedelta(minutes=2)
"""How far back is read again: clocks differ, and a run's end is seen a moment after it happened."""
NOTICED = timedelta(seconds=20)
"""How long it may take until a trigger that was deployed is known: what has ended meanwhile counts."""
PAGE = 200


@dataclass(frozen=True, slots=True)
class Position:
    """How far the ends of runs have been read.

    Attributes:
        until: All that ended before this is delivered.
        since: From when on what has ended counts, for each `WORKFLOW/TRIGGER` that waits.
    """

    until: datetime
    since: Mapping[str, datetime]

    @classmethod
    def read(cls, text: str | None, now: datetime, sources: Iterable[str]) -> "Position":
        """The one that was kept, for those who wait now; whoever has just come waits for what ends from now on."""
        kept = json.loads(text) if text else None
        if kept is None:
            return cls(now, dict.fromkeys(sources, now))
        until = datetime.fromisoformat(kept["until"])
        since = {one: datetime.fromisoformat(moment) for one, moment in kept["since"].items()}
        return cls(until, {one: since.get(one, until - NOTICED) for one in sources})

    def as_text(self) -> str:
        since = {one: moment.isoformat() for one, moment in self.since.items()}
        return json.dumps({"until": self.until.isoformat(), "since": since})

    def after(self, source: str) -> datetime:
        """From when on what has ended is read for a source."""
        return max(self.since[source], self.until - OVERLAP)


@dataclass(frozen=True, slots=True)
class Follower:
    """Looks for runs that have ended, and delivers that to the triggers that wait for it."""

    client: "PrefectClient"
    store: Store
    catalog: Catalog
    starter: Starter

    async def look(self) -> None:
        """Deliver what has ended since the last look."""
        if not self.catalog.is_loaded:
            return
        waiting = [one for one in self.catalog.targets if one.trigger.type == "workflow"]
        kept = await self.store.cursor(CURSOR)
        if not waiting:
            if kept:
                await self.store.set_cursor(CURSOR, "")
            return
        now = utc_now()
        position = Position.read(kept, now, {_source(one) for one in waiting})
        for workflow in sorted({str(one.trigger.options["workflow"]) for one in waiting}):
            following = [one for one in waiting if one.trigger.options["workflow"] == workflow]
            for run in await self._ended(workflow, min(position.after(_source(one)) for one in following)):
                heard = [one for one in following if run.end_time and run.end_time >= position.after(_source(one))]
                await self._deliver(workflow, run, heard)
        await self.store.set_cursor(CURSOR, Position(now, position.since).as_text())

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
        for source in {(one.workflow.name, one.trigger.id) for one in waiting if _follows(one, status)}:
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


def _source(target: Target) -> str:
    return f"{target.workflow.name}/{target.trigger.id}"


def _follows(target: Target, status: RunStatus) -> bool:
    wanted = target.trigger.options.get("on", RunStatus.SUCCEEDED.value)
    words = [wanted] if isinstance(wanted, str) else wanted if isinstance(wanted, list) else []
    return status in {run_status_named(str(word)) for word in words}
