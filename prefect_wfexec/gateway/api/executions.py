"""Executions: the list, one of them, and what it did."""

import re
from dataclasses import asdict
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import Path, Query, Request, Response
from starlette.status import HTTP_201_CREATED

from prefect_wfexec.engine.context import manual_context
from prefect_wfexec.gateway.api.loading import load_run, shown
from prefect_wfexec.gateway.api.routing import PREFIX, RunName, api_router
from prefect_wfexec.gateway.api.shapes import executions as shapes
from prefect_wfexec.gateway.api.shapes.asked import Start
from prefect_wfexec.gateway.api.shapes.parts import Json
from prefect_wfexec.gateway.services import services
from prefect_wfexec.gateway.signin.requiring import Operator, Viewer
from prefect_wfexec.journal.facts import utc_now
from prefect_wfexec.operations.deployed import deployed_workflow, find_deployment, start_run
from prefect_wfexec.operations.inputs import all_inputs
from prefect_wfexec.views.audit import audit as audit_view
from prefect_wfexec.views.audit import read_unchecked
from prefect_wfexec.views.failures import failures_of, shown_json
from prefect_wfexec.views.find import find_run
from prefect_wfexec.views.history import load_history
from prefect_wfexec.views.history_filter import HistoryFilter, Sort
from prefect_wfexec.views.reports import read_report

router = api_router("executions")

ReportPart = Annotated[
    str, Path(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f/]+$", description="As its list has it.")
]
Word = Annotated[str | None, Query(max_length=200, pattern=r"^[^\x00]*$")]


@router.get("/executions", response_model=list[shapes.HistoryRow])
async def list_executions(
    request: Request,
    response: Response,
    _person: Viewer,
    status: Word = None,
    triggered_by: Word = None,
    workflow: Word = None,
    user: Word = None,
    since: Annotated[str | None, Query(max_length=40, description="24h, 7d, 30d or a date.")] = None,
    until: Annotated[str | None, Query(max_length=40, description="A date; to its end.")] = None,
    search: Word = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
    sort: Sort = "newest",
) -> list[dict[str, Any]]:
    """Executions; where there are more, the `Link` header names the next page.

    `X-Total-Count` says how many there are, unless only reading them all would tell.
    """
    wanted = HistoryFilter.read(
        utc_now(),
        status=status,
        triggered_by=triggered_by,
        workflow=workflow,
        user=user,
        since=since,
        until=until,
        search=search,
        limit=limit,
        offset=offset,
        sort=sort,
    )
    found = await load_history(services(request).client, wanted)
    if found.total is not None:
        response.headers["x-total-count"] = str(found.total)
    if found.has_more:
        query = {**request.query_params, "limit": limit, "offset": offset + limit}
        response.headers["link"] = f'<{PREFIX}/executions?{urlencode(query)}>; rel="next"'
    return found.rows


@router.post("/executions", response_model=shapes.Execution, status_code=HTTP_201_CREATED)
async def start_execution(request: Request, response: Response, person: Operator, asked: Start) -> dict[str, Any]:
    """Start a deployment; a worker runs it. Who asks becomes the run's user."""
    given = services(request)
    deployment = await find_deployment(given.client, asked.deployment)
    inputs = all_inputs(deployed_workflow(deployment), asked.inputs)
    flow_run = await start_run(given.client, deployment, inputs, manual_context(person.name))
    response.headers["location"] = f"{PREFIX}/executions/{flow_run.id}"
    return await shown(given, flow_run)


@router.get("/executions/{run}", response_model=shapes.Execution)
async def get_execution(request: Request, _person: Viewer, run: RunName) -> dict[str, Any]:
    """An execution, as `wfexec show --json` prints it."""
    return shown_json((await load_run(services(request), run)).execution)


@router.get("/executions/{run}/steps", response_model=list[shapes.Step])
async def get_steps(request: Request, _person: Viewer, run: RunName) -> Any:
    """Its steps."""
    return (await load_run(services(request), run)).execution.as_json()["steps"]


@router.get("/executions/{run}/outputs", response_model=dict[str, Json])
async def get_outputs(request: Request, _person: Viewer, run: RunName) -> dict[str, Any]:
    """Its outputs, or each step's when its workflow declares none."""
    return (await load_run(services(request), run)).execution.outputs_json()


@router.get("/executions/{run}/reports", response_model=list[shapes.Report])
async def get_reports(request: Request, _person: Viewer, run: RunName) -> Any:
    """The reports of its steps."""
    return (await load_run(services(request), run)).execution.as_json()["reports"]


@router.get(
    "/executions/{run}/reports/{step}/{name}",
    response_class=Response,
    responses={200: {"content": {"text/plain": {}}, "description": "The report."}},
)
async def download_report(
    request: Request, _person: Viewer, run: RunName, step: ReportPart, name: ReportPart
) -> Response:
    """One report as a file, whatever it is: never as a page."""
    given = services(request)
    loaded = await load_run(given, run)
    data = await read_report(given.client, loaded.journal, step, name)
    headers = {"content-disposition": f'attachment; filename="{_plain(name)}"', "x-content-type-options": "nosniff"}
    return Response(data, media_type="text/plain; charset=utf-8", headers=headers)


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]", "-", name)


@router.get("/executions/{run}/gates", response_model=list[shapes.Gate])
async def get_gates(request: Request, _person: Viewer, run: RunName) -> Any:
    """Its gates, open and decided."""
    return (await load_run(services(request), run)).execution.as_json()["gates"]


@router.get("/executions/{run}/failure", response_model=shapes.Failure)
async def get_failure(request: Request, _person: Viewer, run: RunName) -> dict[str, Any]:
    """What went wrong in it, and what can be done about that."""
    found = failures_of((await load_run(services(request), run)).execution)
    return {
        "error": asdict(found.error) if found.error else None,
        "cards": [asdict(card) for card in found.cards],
        "actions": [action.as_json() for action in found.actions],
    }


@router.get("/executions/{run}/audit", response_model=shapes.Audit)
async def get_audit(request: Request, _person: Viewer, run: RunName) -> dict[str, Any]:
    """Its journal, and what checking it says."""
    client = services(request).client
    return audit_view(await read_unchecked(client, await find_run(client, run)))
