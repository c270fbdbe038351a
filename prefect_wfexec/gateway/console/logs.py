"""The log panel: lines as they come, from where the browser has read to."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from prefect_wfexec.errors import UsageError
from prefect_wfexec.gateway.api.routing import RunName
from prefect_wfexec.gateway.console.live import event, repeated, stream
from prefect_wfexec.gateway.console.run_pages import Watched, watched
from prefect_wfexec.gateway.signin.requiring import Viewer
from prefect_wfexec.views.execution import iso
from prefect_wfexec.views.log_pages import LogPage, LogQuery, read_page
from prefect_wfexec.views.logs import Line, Stream

router = APIRouter(include_in_schema=False)
LINES_AT_ONCE = 10_000
PAGES_AT_ONCE = 5
LOOK_SECONDS = 0.5
"""Prefect's client brings lines to its API within two seconds already; no more than this comes on top."""
Text = Annotated[str, Query(max_length=200, pattern=r"^[^\x00]*$")]
Wanted = Annotated[Stream, Query(alias="stream")]


@router.get("/console/executions/{run}/log")
async def follow(
    request: Request,
    person: Viewer,
    run: RunName,
    step: Text = "",
    stream_of: Wanted = "all",
    search: Text = "",
    after: Annotated[str, Query(max_length=16_000)] = "",
) -> Response:
    """The lines of a log that are wanted, and those that are added to it: from where the browser has read to."""
    query = LogQuery(step or None, stream_of, search or None)
    cursor = request.headers.get("last-event-id", "")[:16_000] or after
    return stream(_events(request, _Reading(await watched(request, person, run), query, cursor)))


@dataclass
class _Reading:
    """A log that is read on and on."""

    found: Watched
    query: LogQuery
    cursor: str
    _begins_anew: bool = field(default=False, init=False)

    async def new_pages(self) -> list[LogPage]:
        """What has come since the last look, or much of it."""
        view = await self.found.view()
        pages: list[LogPage] = []
        while len(pages) < PAGES_AT_ONCE:
            journal, client = self.found.journal, self.found.given.client
            try:
                read = await read_page(client, journal, view.execution, self.query, self.cursor, LINES_AT_ONCE)
            except UsageError as error:
                if error.code != "bad-cursor" or not self.cursor:
                    raise
                self.cursor, self._begins_anew = "", True
                continue
            pages.append(read)
            self.cursor = read.cursor
            if len(read.lines) < LINES_AT_ONCE:
                break
        return pages

    def begins_anew(self) -> bool:
        """Whether what was read before counts for nothing: the run goes on with another definition. Asked once."""
        told, self._begins_anew = self._begins_anew, False
        return told


async def _events(request: Request, reading: _Reading) -> AsyncIterator[str]:
    async for seen in repeated(request, reading.new_pages, LOOK_SECONDS):
        if isinstance(seen, str):
            yield seen
            continue
        if reading.begins_anew():
            yield event("reset", {})
        for page in seen:
            if page.lines:
                yield event("lines", [_of(line) for line in page.lines], page.cursor)
        if seen and seen[-1].is_complete:
            yield event("over", {})
            return


def _of(line: Line) -> list[str | bool]:
    return [iso(line.time) or "", line.step, line.stream, line.message, line.continued]
