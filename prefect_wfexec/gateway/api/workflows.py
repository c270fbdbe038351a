"""Deployed workflows: what there is, pausing and activating; locks; who asks."""

from typing import Annotated, Any

from fastapi import Path, Query, Request

from prefect_wfexec.gateway.api.routing import api_router
from prefect_wfexec.gateway.api.shapes import others as shapes
from prefect_wfexec.gateway.services import services
from prefect_wfexec.gateway.signin.identity import Identity
from prefect_wfexec.gateway.signin.requiring import Operator, Viewer
from prefect_wfexec.operations.pausing import set_active
from prefect_wfexec.views.locks import load_locks
from prefect_wfexec.views.workflows import load_workflow, load_workflows

router = api_router("workflows")
locks = api_router("locks")
me = api_router("me")

WorkflowName = Annotated[str, Path(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
Deployment = Annotated[
    str | None, Query(max_length=200, pattern=r"^[^\x00]*$", description="Which, when the workflow has more than one.")
]


@router.get("/workflows", response_model=list[shapes.Workflow])
async def list_workflows(request: Request, _person: Viewer) -> list[dict[str, Any]]:
    """Every deployed workflow."""
    return await load_workflows(services(request).client)


@router.post("/workflows/{name}/pause", response_model=shapes.Workflow)
async def pause(request: Request, person: Operator, name: WorkflowName, deployment: Deployment = None) -> Any:
    """Have no schedule and no trigger start it."""
    return await _set(request, person, name, deployment, is_active=False)


@router.post("/workflows/{name}/activate", response_model=shapes.Workflow)
async def activate(request: Request, person: Operator, name: WorkflowName, deployment: Deployment = None) -> Any:
    """Have its schedules and triggers start it again."""
    return await _set(request, person, name, deployment, is_active=True)


async def _set(request: Request, person: Identity, name: str, deployment: str | None, *, is_active: bool) -> Any:
    client = services(request).client
    found = await set_active(client, name, deployment, person.actor, is_active=is_active)
    return await load_workflow(client, found)


@locks.get("/locks", response_model=list[shapes.Lock])
async def list_locks(request: Request, _person: Viewer) -> list[dict[str, Any]]:
    """The locks that runs hold or wait for."""
    return await load_locks(services(request).client)


@me.get("/me", response_model=shapes.Me)
async def get_me(request: Request, person: Viewer) -> dict[str, Any]:
    """Who is signed in, and the token that pages send along."""
    access = services(request).access
    return {
        "name": person.name,
        "roles": sorted(person.roles),
        "verified_by": person.verified_by,
        "csrf_token": access.form_token(person) if person.session else None,
    }
