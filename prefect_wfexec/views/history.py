"""Past and present runs, as a list: from Prefect's own columns, tags and labels; no journal is read."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from prefect_wfexec.engine.flow_run import REPORTS_LABEL, TAG
from prefect_wfexec.errors import UsageError
from prefect_wfexec.status import RunStatus, TriggerKind, run_status_named, state_names_of
from prefect_wfexec.views.deployments import workflow_deployments
from prefect_wfexec.views.execution import iso, rounded
from prefect_wfexec.views.load import header_of

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.objects import FlowRun

PAGE = 200
SOON = timedelta(minutes=1)
"""A run that is due by then is in the list: clocks differ."""
_END_OF_TIME = datetime.max.replace(tzinfo=UTC)
_SPAN = re.compile(r"(\d+)([hdwm])")
_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1), "m": timedelta(minutes=1)}


@dataclass(frozen=True, slots=True)
class HistoryFilter:
    """What the list is narrowed to; None leaves a column alone."""

    status: RunStatus | None = None
    triggered_by: TriggerKind | None = None
    workflow: str | None = None
    user: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    search: str | None = None
    limit: int = 50
    offset: int = 0

    @classmethod
    def read(
        cls,
        now: datetime,
        *,
        status: str | None = None,
        triggered_by: str | None = None,
        workflow: str | None = None,
        user: str | None = None,
        since: str | None = None,
        until: str | None = None,
        search: str | None = None,
        limit: int = 50,
        offset: int = 0,
    ) -> "HistoryFilter":
        """What a person wrote; empty texts leave a column alone.

        Raises:
            UsageError: a word is none of its column.
        """
        return cls(
            status=parse_status(status) if status else None,
            triggered_by=parse_trigger(triggered_by) if triggered_by else None,
            workflow=workflow or None,
            user=user or None,
            since=parse_moment(since, now) if since else None,
            until=parse_moment(until, now, is_end=True) if until else None,
            search=search or None,
            limit=limit,
            offset=offset,
        )


async def load_history(client: "PrefectClient", wanted: HistoryFilter) -> list[dict[str, Any]]:
    """The rows, newest first: `limit` of them, after as many as `offset` says."""
    known = [deployment.id for deployment in await workflow_deployments(client)]
    rows: list[dict[str, Any]] = []
    offset = 0
    while len(rows) < wanted.offset + wanted.limit:
        runs = await _page(client, wanted, known, offset)
        names = await _flow_names(client, {run.flow_id for run in runs})
        found = (_row(run, names) for run in runs)
        rows += [row for row in found if row is not None and _matches(row, wanted)]
        offset += PAGE
        if len(runs) < PAGE:
            break
    return rows[wanted.offset : wanted.offset + wanted.limit]


def parse_moment(text: str, now: datetime, *, is_end: bool = False) -> datetime:
    """A moment: `24h`, `7d`, `30d` ago, or an ISO 8601 date or time; without a zone it is UTC.

    Args:
        text: What was written.
        now: The time.
        is_end: Whether a date alone stands for its end rather than its beginning.

    Raises:
        UsageError: it is neither.
    """
    try:
        span = _SPAN.fullmatch(text.strip())
        if span:
            return now - int(span[1]) * _UNITS[span[2]]
        moment = datetime.fromisoformat(text.strip())
        moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
        is_day = len(text.strip()) <= len("2030-01-31")
        return moment + timedelta(days=1, microseconds=-1) if is_day and is_end else moment
    except (ValueError, OverflowError):
        raise UsageError(f"'{text}' is no date", hint="write 24h, 7d, 30d or a date such as 2030-01-31") from None


def parse_status(text: str) -> RunStatus | None:
    """A status by any of its words; None for `All`.

    Raises:
        UsageError: there is no such status.
    """
    if text.strip().lower() == "all":
        return None
    status = run_status_named(text)
    if status is None:
        raise UsageError(f"there is no status '{text}'", hint=f"one of: {', '.join(RunStatus)}")
    return status


def parse_trigger(text: str) -> TriggerKind | None:
    """A kind of trigger, case ignored; None for `All`.

    Raises:
        UsageError: there is no such kind.
    """
    if text.strip().lower() == "all":
        return None
    for kind in TriggerKind:
        if kind.value.lower() == text.strip().lower():
            return kind
    raise UsageError(f"there is no trigger '{text}'", hint=f"one of: {', '.join(TriggerKind)}")


async def _page(
    client: "PrefectClient", wanted: HistoryFilter, deployments: Iterable[UUID], offset: int
) -> list["FlowRun"]:
    from prefect.client.schemas.filters import (
        FlowFilter,
        FlowFilterName,
        FlowRunFilter,
        FlowRunFilterExpectedStartTime,
        FlowRunFilterState,
        FlowRunFilterStateName,
    )
    from prefect.client.schemas.sorting import FlowRunSort

    narrowed = FlowRunFilter()
    if wanted.status is not None:
        names = sorted(state_names_of(wanted.status))
        narrowed.state = FlowRunFilterState(name=FlowRunFilterStateName(any_=names))
    # Prefect makes the runs of a schedule long before they are due.
    latest = min(wanted.until or _END_OF_TIME, datetime.now(UTC) + SOON)
    narrowed.expected_start_time = FlowRunFilterExpectedStartTime(after_=wanted.since, before_=latest)
    flows = FlowFilter(name=FlowFilterName(any_=[wanted.workflow])) if wanted.workflow else None
    members = await client.read_flow_runs(
        flow_filter=flows,
        flow_run_filter=narrowed,
        sort=FlowRunSort.EXPECTED_START_TIME_DESC,
        limit=PAGE,
        offset=offset,
    )
    known = set(deployments)
    return [run if TAG in run.tags or run.deployment_id in known else _other(run) for run in members]


def _other(run: "FlowRun") -> "FlowRun":
    """A run that is no workflow's, marked so that its row is left out while the page keeps its length."""
    return run.model_copy(update={"tags": ["wfexec-other"]})


async def _flow_names(client: "PrefectClient", ids: set[UUID]) -> dict[UUID, str]:
    from prefect.client.schemas.filters import FlowFilter, FlowFilterId

    if not ids:
        return {}
    flows = await client.read_flows(flow_filter=FlowFilter(id=FlowFilterId(any_=list(ids))), limit=PAGE)
    return {flow.id: flow.name for flow in flows}


def _row(run: "FlowRun", names: dict[UUID, str]) -> dict[str, Any] | None:
    if "wfexec-other" in run.tags or "wfexec-cleanup" in run.tags:
        return None
    header = header_of(run, names.get(run.flow_id, ""))
    labels = run.labels or {}
    duration = labels.get("wfexec.duration_seconds")
    if duration is None and run.start_time is not None:
        duration = run.estimated_run_time.total_seconds()
    return {
        "id": header.id,
        "name": header.name,
        "workflow": header.workflow,
        "status": header.status.value,
        "triggered_by": header.triggered_by,
        "user": header.user,
        "triggered_at": iso(header.triggered_at),
        "started": iso(header.started),
        "duration_seconds": rounded(float(duration)) if duration is not None else None,
        "reports": int(labels.get(REPORTS_LABEL) or 0),
    }


def _matches(row: dict[str, Any], wanted: HistoryFilter) -> bool:
    if wanted.status is not None and row["status"] != wanted.status.value:
        return False
    if wanted.triggered_by is not None and row["triggered_by"] != wanted.triggered_by.value:
        return False
    if wanted.user is not None and row["user"] != wanted.user:
        return False
    text = " ".join(str(value) for value in row.values() if value is not None).lower()
    return wanted.search is None or wanted.search.lower() in text
