"""Logs: page by page, followed by asking again, or as a whole in a file."""

import json
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

from fastapi import Query, Request
from starlette.responses import StreamingResponse

from prefect_wfexec.gateway.api.loading import Loaded, load_run
from prefect_wfexec.gateway.api.routing import RunName, api_router
from prefect_wfexec.gateway.api.shapes import executions as shapes
from prefect_wfexec.gateway.services import Services, services
from prefect_wfexec.gateway.signin.requiring import Viewer
from prefect_wfexec.views.log_pages import LogQuery, read_page
from prefect_wfexec.views.logs import Line, LineText, LogReader, Stream, require_step

router = api_router("executions")

StepName = Annotated[str | None, Query(max_length=200, description="The lines of one step only.")]
Search = Annotated[str | None, Query(max_length=200, description="The lines with this text, whatever its case.")]


@router.get("/executions/{run}/logs", response_model=shapes.LogPage)
async def get_logs(
    request: Request,
    _person: Viewer,
    run: RunName,
    step: StepName = None,
    stream: Stream = "all",
    search: Search = None,
    cursor: Annotated[
        str, Query(max_length=16_000, pattern=r"^[A-Za-z0-9_-]*$", description="The `cursor` of the page before.")
    ] = "",
    limit: Annotated[int, Query(ge=1, le=10_000)] = 1_000,
) -> dict[str, Any]:
    """Lines of its log. To follow a run, ask again with the cursor until `complete`."""
    given = services(request)
    loaded = await load_run(given, run)
    require_step(loaded.execution.workflow, step)
    query = LogQuery(step, stream, search or None)
    page = await read_page(given.client, loaded.journal, loaded.execution, query, cursor, limit)
    return {"lines": [line.as_json() for line in page.lines], "cursor": page.cursor, "complete": page.is_complete}


@router.get(
    "/executions/{run}/logs/download",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/plain": {}, "application/jsonl": {}}, "description": "The log."}},
)
async def download_logs(
    request: Request,
    _person: Viewer,
    run: RunName,
    step: StepName = None,
    stream: Stream = "all",
    search: Search = None,
    format: Literal["text", "jsonl"] = "text",  # noqa: A002 - the word of the API
) -> StreamingResponse:
    """Its log as it is now, as a file: text, or a JSON object a line."""
    given = services(request)
    loaded = await load_run(given, run)
    require_step(loaded.execution.workflow, step)
    lines = _wanted(given, loaded, LogQuery(step, stream, search or None))
    is_text = format == "text"
    name = f"{loaded.flow_run.id}{f'-{step}' if step else ''}.{'log' if is_text else 'jsonl'}"
    return StreamingResponse(
        _as_text(lines, step) if is_text else _as_json(lines),
        media_type="text/plain; charset=utf-8" if is_text else "application/jsonl",
        headers={"content-disposition": f'attachment; filename="{name}"', "x-content-type-options": "nosniff"},
    )


async def _wanted(given: Services, loaded: Loaded, query: LogQuery) -> AsyncIterator[Line]:
    if loaded.execution.workflow is None:
        return
    reader = LogReader.of(given.client, loaded.journal)
    async for line in reader.new_lines(loaded.execution.workflow, loaded.journal.state, query.step):
        if line.is_wanted(query.stream, query.search):
            yield line


async def _as_text(lines: AsyncIterator[Line], step: str | None) -> AsyncIterator[str]:
    text = LineText(step)
    async for line in lines:
        yield text.of(line)


async def _as_json(lines: AsyncIterator[Line]) -> AsyncIterator[str]:
    async for line in lines:
        yield json.dumps(line.as_json()) + "\n"
