"""Reports of runs that ended long ago are removed."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from prefect_wfexec.definition.durations import parse_duration
from prefect_wfexec.engine.flow_run import REPORTS_LABEL, REPORTS_TAG, TAG
from prefect_wfexec.errors import EngineError, UsageError
from prefect_wfexec.journal.blobs import Blobs
from prefect_wfexec.journal.facts import Actor, Fact, Kind
from prefect_wfexec.journal.journal import Journal
from prefect_wfexec.settings import KEEP_REPORTS
from prefect_wfexec.views.live import PassedOver, live_journal

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.objects import FlowRun

RUNS_AT_ONCE = 200
"""The rest waits for the next time: nothing hurries."""


@dataclass(frozen=True, slots=True)
class Removed:
    """The reports of a run that are gone."""

    run: str
    count: int
    reason: str


def kept_for() -> timedelta:
    """How long reports are kept.

    Raises:
        UsageError: the setting KEEP_REPORTS is no duration.
    """
    try:
        return timedelta(seconds=parse_duration(KEEP_REPORTS.read()))
    except UsageError as error:
        raise UsageError(f"{KEEP_REPORTS.variable}: {error.message}", hint="write it like 90d") from None


async def remove_old_reports(
    client: "PrefectClient", now: datetime, by: Actor
) -> tuple[list[Removed], list[PassedOver]]:
    """Remove what runs left that ended longer ago than reports are kept; what was removed, and what could not be.

    Raises:
        UsageError: the setting KEEP_REPORTS is no duration.
    """
    keep = kept_for()
    removed: list[Removed] = []
    passed_over: list[PassedOver] = []
    for flow_run in await _ended_before(client, now - keep):
        journal = await live_journal(client, flow_run)
        if isinstance(journal, PassedOver):
            passed_over.append(journal)
        elif journal.keys is not None and journal.state.closed is not None:
            try:
                count = await _remove(client, flow_run, journal, by)
            except EngineError as error:
                passed_over.append(PassedOver(flow_run.name, error.message))
                continue
            removed.append(Removed(flow_run.name, count, f"the run ended more than {KEEP_REPORTS.read()} ago"))
    return removed, passed_over


async def _remove(client: "PrefectClient", flow_run: "FlowRun", journal: Journal, by: Actor) -> int:
    """The bytes first: a record of what is still there would keep it there for ever."""
    assert journal.keys is not None, "without a key nothing is removed"
    blobs, names = Blobs(client, flow_run.id, journal.keys), sorted(_blob_names(journal))
    for name in names:
        await blobs.remove(name)
    data = {"act": "removed reports", "reason": "they were kept long enough", "reports_removed": names}
    await journal.append(lambda _state: [Fact(Kind.RECONCILED, data, by)])
    await client.update_flow_run_labels(flow_run.id, {REPORTS_LABEL: 0})
    await client.update_flow_run(flow_run.id, tags=sorted(set(flow_run.tags) - {REPORTS_TAG}))
    return len(names)


def _blob_names(journal: Journal) -> set[str]:
    """The blobs of every report of every attempt, also of those that a later one took the place of."""
    return {
        str(report["blob"])
        for entry in journal.entries
        for fact in entry.trusted_facts
        if fact.kind is Kind.STEP_FINISHED
        for report in fact.data.get("reports") or ()
        if isinstance(report, dict) and report.get("blob")
    }


async def _ended_before(client: "PrefectClient", moment: datetime) -> list["FlowRun"]:
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterEndTime, FlowRunFilterTags
    from prefect.client.schemas.sorting import FlowRunSort

    wanted = FlowRunFilter(
        tags=FlowRunFilterTags(all_=[TAG, REPORTS_TAG]), end_time=FlowRunFilterEndTime(before_=moment)
    )
    found = await client.read_flow_runs(flow_run_filter=wanted, limit=RUNS_AT_ONCE, sort=FlowRunSort.END_TIME_DESC)
    return [run for run in found if run.state is not None and run.state.is_final()]
