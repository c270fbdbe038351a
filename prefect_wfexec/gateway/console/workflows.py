"""Deployed workflows: definition, graph and history of each, starting one with a form, pausing and activating."""

from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from prefect_wfexec.definition.model import Workflow
from prefect_wfexec.engine.context import manual_context
from prefect_wfexec.errors import UsageError
from prefect_wfexec.gateway.answers import status_of
from prefect_wfexec.gateway.console.executions import PAGE_ROWS
from prefect_wfexec.gateway.console.faults import words_of
from prefect_wfexec.gateway.console.forms import read_form
from prefect_wfexec.gateway.console.inputs import fields_of, read_inputs
from prefect_wfexec.gateway.console.pages import back, page, render
from prefect_wfexec.gateway.services import services
from prefect_wfexec.gateway.signin.identity import Identity
from prefect_wfexec.gateway.signin.requiring import Operator, Viewer
from prefect_wfexec.operations.deployed import deployed_workflow, find_deployment, start_run
from prefect_wfexec.operations.inputs import all_inputs
from prefect_wfexec.operations.pausing import set_active
from prefect_wfexec.views.dag import NODE_HEIGHT, NODE_WIDTH, Layout, layout
from prefect_wfexec.views.history import load_history
from prefect_wfexec.views.history_filter import HistoryFilter
from prefect_wfexec.views.workflows import load_workflow, load_workflows

router = APIRouter(include_in_schema=False)
Name = Annotated[str, Path(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]


@router.get("/console/workflows")
async def show(request: Request, person: Viewer) -> Response:
    """Every deployed workflow."""
    rows = await load_workflows(services(request).client)
    return page(
        request, person, "workflows.html", rows=[{**row, "address": address(row["deployment"])} for row in rows]
    )


def address(deployment: str) -> str:
    """The page of a deployment, by its full name."""
    flow, _, name = deployment.rpartition("/")
    return f"/console/workflows/{quote(flow, safe='')}/{quote(name, safe='')}"


@router.get("/console/workflows/{flow}/{name}")
async def show_one(request: Request, person: Viewer, flow: Name, name: Name) -> Response:
    """One of them."""
    return await _page(request, person, f"{flow}/{name}", {})


@router.post("/console/workflows/{flow}/{name}/execute")
async def execute(request: Request, person: Operator, flow: Name, name: Name) -> Response:
    """Start it with what was filled in, and show the execution."""
    given = services(request)
    form: dict[str, str] = {}
    try:
        form = await read_form(request)
        deployment = await find_deployment(given.client, f"{flow}/{name}")
        workflow = deployed_workflow(deployment)
        inputs = all_inputs(workflow, read_inputs(workflow.inputs, form))
        flow_run = await start_run(given.client, deployment, inputs, manual_context(person.name))
    except UsageError as error:
        return await _page(request, person, f"{flow}/{name}", form, error)
    return back(f"/console/executions/{flow_run.id}")


@router.post("/console/workflows/{flow}/{name}/pause")
async def pause(request: Request, person: Operator, flow: Name, name: Name) -> Response:
    """Have no schedule and no trigger start it."""
    return await _set(request, person, flow, name, is_active=False)


@router.post("/console/workflows/{flow}/{name}/activate")
async def activate(request: Request, person: Operator, flow: Name, name: Name) -> Response:
    """Have its schedules and triggers start it again."""
    return await _set(request, person, flow, name, is_active=True)


async def _set(request: Request, person: Identity, flow: str, name: str, *, is_active: bool) -> Response:
    await set_active(services(request).client, flow, name, person.actor, is_active=is_active)
    return back(address(f"{flow}/{name}"))


async def _page(
    request: Request, person: Identity, deployment: str, form: dict[str, str], problem: UsageError | None = None
) -> Response:
    client = services(request).client
    found = await find_deployment(client, deployment)
    row = await load_workflow(client, found)
    workflow = _compiled(found)
    history = await load_history(client, HistoryFilter(workflow=row["workflow"], limit=PAGE_ROWS // 5))
    return page(
        request,
        person,
        "workflow.html",
        status=status_of(problem) if problem else 200,
        row=row,
        address=address(deployment),
        layout=layout(workflow) if workflow is not None else Layout((), (), 0, 0),
        nodes=_nodes(workflow),
        fields=fields_of(workflow.inputs, {}, form) if workflow is not None else [],
        rows=render("executions_rows.html", rows=history.rows),
        problem=words_of(problem),
    )


def _compiled(deployment: Any) -> Workflow | None:
    try:
        return deployed_workflow(deployment)
    except UsageError:
        return None


def _nodes(workflow: Workflow | None) -> list[str]:
    steps = workflow.steps if workflow is not None else ()
    return [
        render("run_node.html", step=step, name=step.name[:18], status=None, width=NODE_WIDTH, height=NODE_HEIGHT)
        for step in steps
    ]
