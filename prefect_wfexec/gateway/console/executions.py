"""The list of executions: filters stand in the address, so that a view can be kept and sent on."""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from prefect_wfexec.errors import UsageError
from prefect_wfexec.gateway.console.faults import words_of
from prefect_wfexec.gateway.console.live import Look, parts_stream
from prefect_wfexec.gateway.console.pages import page, render
from prefect_wfexec.gateway.services import services
from prefect_wfexec.gateway.signin.requiring import Viewer
from prefect_wfexec.journal.facts import utc_now
from prefect_wfexec.status import RunStatus, TriggerKind
from prefect_wfexec.views.exports import csv_rows
from prefect_wfexec.views.history import History, is_looked_through, load_history
from prefect_wfexec.views.history_filter import SORTS, HistoryFilter

router = APIRouter(include_in_schema=False)
PAGE_ROWS = 50
MOST_EXPORTED = 10_000
LOOK_SECONDS = 3.0
RANGES = {"": "Any time", "24h": "Last 24h", "7d": "Last 7d", "30d": "Last 30d", "custom": "Custom"}
_WORDS = ("status", "triggered_by", "workflow", "user", "range", "since", "until", "search", "sort")
Text = Annotated[str, Query(max_length=200, pattern=r"^[^\x00]*$")]


@dataclass(frozen=True, slots=True)
class Asked:
    """The filters as they stand in the address."""

    words: Mapping[str, str]
    offset: int

    @classmethod
    def of(cls, request: Request) -> "Asked":
        """Those of a request; what is in no form of ours is left out."""
        given = request.query_params
        words = {name: given.get(name, "")[:200].replace("\x00", "").strip() for name in _WORDS}
        offset = given.get("offset", "0")
        return cls(words, int(offset) if offset.isdecimal() and len(offset) < 8 else 0)

    def filter(self, limit: int = PAGE_ROWS) -> HistoryFilter:
        """What they mean.

        Raises:
            UsageError: one of them means nothing.
        """
        words = dict(self.words)
        span = words.pop("range")
        if span not in {"", "custom"}:
            words |= {"since": span, "until": ""}
        return HistoryFilter.read(utc_now(), limit=limit, offset=self.offset, **words)

    def address(self, **changes: object) -> str:
        """The query with these words changed."""
        kept = {name: value for name, value in {**self.words, **changes}.items() if value not in {"", 0}}
        return f"?{urlencode(kept)}" if kept else "?"


@router.get("/console")
async def show(request: Request, person: Viewer) -> Response:
    """The list."""
    asked = Asked.of(request)
    problem, found, is_live = "", History([], has_more=False, total=0), False
    try:
        wanted = asked.filter()
        # What takes reading many rows for a few is looked for once, not again and again.
        is_live = not is_looked_through(wanted)
        found = await load_history(services(request).client, wanted)
    except UsageError as error:
        problem = words_of(error)
    return page(
        request,
        person,
        "executions.html",
        status=422 if problem else 200,
        live=f"/console/live{asked.address(offset=asked.offset)}" if is_live else "",
        asked=asked,
        problem=problem,
        ranges=RANGES,
        statuses=[status.value for status in RunStatus],
        triggers=[kind.value for kind in TriggerKind],
        sorts=SORTS,
        rows=_rows(found),
        pager=_pager(found, asked),
    )


@router.get("/console/live")
async def live(request: Request, _person: Viewer) -> Response:
    """What changes in it."""
    asked, client = Asked.of(request), services(request).client

    async def look() -> Look:
        found = await load_history(client, asked.filter())
        return Look({"rows": _rows(found), "pager": _pager(found, asked)})

    return parts_stream(request, look, LOOK_SECONDS)


@router.get("/console/executions.csv")
async def export(request: Request, _person: Viewer) -> Response:
    """The rows that the filters let through, for a spreadsheet."""
    found = await load_history(services(request).client, Asked.of(request).filter(MOST_EXPORTED), counts=False)
    file = io.StringIO(newline="")
    csv.writer(file).writerows(csv_rows(found.rows))
    headers = {"content-disposition": 'attachment; filename="executions.csv"', "x-content-type-options": "nosniff"}
    return Response(file.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)


def _rows(found: History) -> str:
    return render("executions_rows.html", rows=found.rows)


def _pager(found: History, asked: Asked) -> str:
    first = asked.offset + 1 if found.rows else 0
    values: dict[str, Any] = {
        "first": first,
        "last": asked.offset + len(found.rows),
        "total": found.total,
        "earlier": asked.address(offset=max(0, asked.offset - PAGE_ROWS)) if asked.offset else "",
        "later": asked.address(offset=asked.offset + PAGE_ROWS) if found.has_more else "",
    }
    return render("executions_pager.html", **values)
