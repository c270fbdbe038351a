"""Past and present runs, as a list: from Prefect's own columns, tags and labels; no journal is read.

Which flows are workflows is asked first. Then Prefect narrows, sorts and counts. Two kinds of runs can't be told apart
by a filter of Prefect's: cleanups, which are left out of what it answers, and those that a schedule or a person in its
UI has started, which it knows by who created them.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from prefect_wfexec.engine.flow_run import (
    APPROVAL_LABEL,
    CLEANUP_TAG,
    DURATION_LABEL,
    REPORTS_LABEL,
    TAG,
    TRIGGER_LABEL,
)
from prefect_wfexec.status import TriggerKind, run_status_of_state, state_names_of
from prefect_wfexec.views.deployments import workflow_deployments
from prefect_wfexec.views.execution import iso, rounded
from prefect_wfexec.views.history_filter import HistoryFilter, Sort
from prefect_wfexec.views.load import tagged, triggered_by_of

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient

JSON = Any
PAGE = 200
SOON = timedelta(minutes=1)
"""A run that is due by then is in the list: clocks differ."""
MARGIN = 50
MOST_GUESSES = 8
"""A page far back is looked for where it should be, so many runs before that, and so often before all are counted."""
FLOWS_SECONDS = 5.0
"""So long what is known of flows holds."""
_END_OF_TIME = datetime.max.replace(tzinfo=UTC)
_SORTS: dict[Sort, str] = {
    "newest": "EXPECTED_START_TIME_DESC",
    "oldest": "EXPECTED_START_TIME_ASC",
    "started": "START_TIME_DESC",
    "name": "NAME_ASC",
}
_UNTAGGED = (TriggerKind.MANUAL, TriggerKind.SCHEDULE)
"""What starts runs that may have no tag of ours, because no engine has seen them yet."""


@dataclass(frozen=True, slots=True)
class History:
    """A page of the list.

    Attributes:
        rows: As `wfexec history --json` prints them.
        has_more: Whether others follow.
        total: How many there are on all pages; None when only reading them all would tell.
    """

    rows: list[dict[str, Any]]
    has_more: bool
    total: int | None


@dataclass(frozen=True, slots=True)
class Flows:
    """The flows that are workflows: names by id, and the deployments whose runs are theirs without any tag."""

    names: Mapping[str, str]
    deployments: frozenset[str]


async def load_history(client: "PrefectClient", wanted: HistoryFilter, *, counts: bool = True) -> History:
    """A page of the list.

    Args:
        client: A client that stays open.
        wanted: Which rows, and how many.
        counts: Whether the total is of use.
    """
    query = _Query(client, wanted, await workflow_flows(client))
    if not query.flows.names:
        return History([], has_more=False, total=0)
    if is_looked_through(wanted):
        return await _looked_through(query, wanted)
    everything, cleanups = await query.numbers() if counts or wanted.offset else (0, 0)
    if cleanups and wanted.offset:
        rows = await query.page_at(wanted.offset, wanted.limit + 1, cleanups / max(1, everything))
    else:
        rows = await _first(wanted.limit + 1, query.rows(wanted.offset, min(PAGE, wanted.limit + 1)))
    total = everything - cleanups if counts else None
    return History(rows[: wanted.limit], has_more=len(rows) > wanted.limit, total=total)


async def _first(count: int, rows: AsyncIterator[dict[str, Any]]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    async for row in rows:
        found.append(row)
        if len(found) == count:
            break
    return found


async def all_rows(client: "PrefectClient", wanted: HistoryFilter) -> AsyncIterator[dict[str, Any]]:
    """Every row, whatever the filter's limit and offset say."""
    query = _Query(client, wanted, await workflow_flows(client))
    async for row in query.rows(0, PAGE):
        if _matches(row, wanted):
            yield row


async def count_runs(client: "PrefectClient", wanted: HistoryFilter) -> int:
    """How many rows there are, of a filter that Prefect can apply by itself."""
    query = _Query(client, wanted, await workflow_flows(client))
    if not query.flows.names:
        return 0
    everything, cleanups = await query.numbers()
    return everything - cleanups


async def _looked_through(query: "_Query", wanted: HistoryFilter) -> History:
    """A page of what Prefect can't find by itself: rows are read until it is full."""
    rows: list[dict[str, Any]] = []
    end = wanted.offset + wanted.limit
    async for row in query.rows(0, PAGE):
        if not _matches(row, wanted):
            continue
        if len(rows) == end:
            return History(rows[wanted.offset :], has_more=True, total=None)
        rows.append(row)
    return History(rows[wanted.offset :], has_more=False, total=len(rows))


def is_looked_through(wanted: HistoryFilter) -> bool:
    """Whether Prefect can't find these rows by itself, so that many may have to be read for a few."""
    return wanted.triggered_by in _UNTAGGED or bool(wanted.search)


class _Query:
    """Prefect asked for the runs that a filter wants."""

    def __init__(self, client: "PrefectClient", wanted: HistoryFilter, flows: Flows) -> None:
        self._client = client
        self._wanted = wanted
        self.flows = flows

    async def rows(self, offset: int, page: int) -> AsyncIterator[dict[str, Any]]:
        """The rows from there on, cleanups left out."""
        async for run in self._uncleaned(offset, page):
            row = row_of(run, self.flows)
            if row is not None:
                yield row

    async def _uncleaned(self, offset: int, page: int) -> AsyncIterator[dict[str, JSON]]:
        """The runs from there on that are no cleanups."""
        while self.flows.names:
            runs = await self._runs(offset, page)
            for run in runs:
                if not _is_cleanup(run):
                    yield run
            offset += page
            if len(runs) < page:
                return

    async def numbers(self) -> tuple[int, int]:
        """How many runs Prefect finds, and how many of them are cleanups."""
        everything, cleanups = await asyncio.gather(self._count(), self._count(CLEANUP_TAG))
        return everything, cleanups

    async def _count(self, *tags: str) -> int:
        """How many runs Prefect finds; with tags, only those that have them too."""
        answer = await self._client._client.post("/flow_runs/count", json=self._body(*tags))
        answer.raise_for_status()
        return int(answer.json())

    async def page_at(self, shown: int, count: int, share: float) -> list[dict[str, Any]]:
        """So many rows from the row of that number on; Prefect counts the cleanups before it too.

        Args:
            shown: How many rows come before.
            count: How many are wanted.
            share: Which part of all runs are cleanups, about.
        """
        place = round(shown / max(0.01, 1 - share)) - MARGIN
        for _ in range(MOST_GUESSES):
            place = max(0, place)
            window = await self._runs(place, PAGE)
            if not window and place:
                place -= PAGE
                continue
            before = await self._cleanups_before(window[0]) if place else 0
            if before is None:
                break
            own = [run for run in window if not _is_cleanup(run)]
            first = place - before
            if first <= shown and (shown < first + len(own) or len(window) < PAGE):
                rows = [row for run in own[shown - first :] if (row := row_of(run, self.flows)) is not None]
                if len(rows) < count and len(window) == PAGE:
                    rows += await _first(count - len(rows), self.rows(place + PAGE, PAGE))
                return rows[:count]
            place += shown - first - MARGIN
        return await self._walked_to(shown, count)

    async def _walked_to(self, shown: int, count: int) -> list[dict[str, Any]]:
        """The same, counted from the first row on: in orders in which nobody can say what comes before a run."""
        number = 0
        rows: list[dict[str, Any]] = []
        async for run in self._uncleaned(0, PAGE):
            number += 1
            row = row_of(run, self.flows) if number > shown else None
            if row is not None:
                rows.append(row)
                if len(rows) == count:
                    break
        return rows

    async def _cleanups_before(self, run: Mapping[str, JSON]) -> int | None:
        """How many cleanups come before a run in this order; None when that can't be asked."""
        key, side = {
            "newest": ("expected_start_time", "after_"),
            "oldest": ("expected_start_time", "before_"),
            "started": ("start_time", "after_"),
        }.get(self._wanted.sort, ("", ""))
        if not key or not run[key]:
            return None
        body = self._body(CLEANUP_TAG)
        body["flow_runs"][key] = {**body["flow_runs"].get(key, {}), side: run[key]}
        answer = await self._client._client.post("/flow_runs/count", json=body)
        answer.raise_for_status()
        return int(answer.json()) - _is_cleanup(run)

    async def _runs(self, offset: int, limit: int) -> list[dict[str, JSON]]:
        body = {**self._body(), "sort": _SORTS[self._wanted.sort], "offset": offset, "limit": limit}
        answer = await self._client._client.post("/flow_runs/filter", json=body)
        answer.raise_for_status()
        return list(answer.json())

    def _body(self, *tags: str) -> dict[str, JSON]:
        wanted = self._wanted
        # Prefect makes the runs of a schedule long before they are due.
        latest = min(wanted.until or _END_OF_TIME, datetime.now(UTC) + SOON)
        due = {"before_": latest.isoformat()} | ({"after_": wanted.since.isoformat()} if wanted.since else {})
        runs: dict[str, JSON] = {"expected_start_time": due}
        if wanted.status is not None:
            runs["state"] = {"name": {"any_": sorted(state_names_of(wanted.status))}}
        if wanted.user is not None:
            tags = (*tags, f"user:{wanted.user}")
        if wanted.triggered_by is not None and wanted.triggered_by not in _UNTAGGED:
            tags = (*tags, f"trigger:{wanted.triggered_by.value.lower()}")
        if tags:
            runs["tags"] = {"all_": list(tags)}
        return {"flow_runs": runs, "flows": {"id": {"any_": self._flow_ids()}}}

    def _flow_ids(self) -> list[str]:
        name = self._wanted.workflow
        return [flow for flow, its_name in self.flows.names.items() if name in {None, its_name}]


_known_flows: dict[str, tuple[float, Flows]] = {}


async def workflow_flows(client: "PrefectClient") -> Flows:
    """The flows that are workflows: those that are deployed, and those that have run; known for some seconds."""
    url, now = str(client.api_url), time.monotonic()
    known = _known_flows.get(url)
    if known is not None and now - known[0] < FLOWS_SECONDS:
        return known[1]
    deployments, ran = await asyncio.gather(workflow_deployments(client), _flows(client, {"tags": {"all_": [TAG]}}))
    missing = sorted({str(one.flow_id) for one in deployments} - ran.keys())
    for start in range(0, len(missing), PAGE):
        ran |= await _flows(client, None, missing[start : start + PAGE])
    found = Flows(ran, frozenset(str(one.id) for one in deployments))
    _known_flows[url] = (now, found)
    return found


async def _flows(client: "PrefectClient", runs: JSON, ids: list[str] | None = None) -> dict[str, str]:
    found: dict[str, str] = {}
    body: dict[str, JSON] = {"limit": PAGE} | ({"flow_runs": runs} if runs else {})
    body |= {"flows": {"id": {"any_": ids}}} if ids else {}
    offset = 0
    while True:
        answer = await client._client.post("/flows/filter", json={**body, "offset": offset})
        answer.raise_for_status()
        page = answer.json()
        found |= {str(flow["id"]): str(flow["name"]) for flow in page}
        offset += PAGE
        if len(page) < PAGE:
            return found


def row_of(run: Mapping[str, JSON], flows: Flows) -> dict[str, Any] | None:
    """The row of a run as Prefect's API has it; None when it is no run of a workflow, or a cleanup."""
    tags, labels, state = run["tags"] or [], run.get("labels") or {}, run.get("state") or {}
    is_ours = TAG in tags or run["deployment_id"] in flows.deployments
    if _is_cleanup(run) or not is_ours:
        return None
    duration = labels.get(DURATION_LABEL)
    if duration is None and run["start_time"] is not None:
        duration = run.get("estimated_run_time")
    created_by = (run.get("created_by") or {}).get("type")
    return {
        "id": str(run["id"]),
        "name": run["name"],
        "workflow": flows.names.get(str(run["flow_id"]), ""),
        "status": run_status_of_state(str(state.get("type")), state.get("name")).value,
        "triggered_by": triggered_by_of(tags, created_by, is_auto=bool(run.get("auto_scheduled"))),
        "user": tagged(tags, "user:"),
        "triggered_at": _moment(run.get("created") or run.get("expected_start_time")),
        "started": _moment(run["start_time"]),
        "duration_seconds": rounded(float(duration)) if duration is not None else None,
        "reports": int(labels.get(REPORTS_LABEL) or 0),
        "trigger": str(labels.get(TRIGGER_LABEL) or ""),
        "approval_seconds": rounded(labels.get(APPROVAL_LABEL)),
    }


def _is_cleanup(run: Mapping[str, JSON]) -> bool:
    return CLEANUP_TAG in (run["tags"] or [])


def _moment(text: str | None) -> str | None:
    return iso(datetime.fromisoformat(text)) if text else None


def _matches(row: Mapping[str, Any], wanted: HistoryFilter) -> bool:
    if wanted.status is not None and row["status"] != wanted.status.value:
        return False
    if wanted.triggered_by is not None and row["triggered_by"] != wanted.triggered_by.value:
        return False
    if wanted.user is not None and row["user"] != wanted.user:
        return False
    text = " ".join(str(value) for value in row.values() if value is not None).lower()
    return not wanted.search or wanted.search.lower() in text
