"""What came to the gateway from outside, what came of it and why; and carrying it out once more."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from prefect_wfexec.gateway.api.deliveries import ID
from prefect_wfexec.gateway.console.live import Look, parts_stream
from prefect_wfexec.gateway.console.pages import back, page, render
from prefect_wfexec.gateway.deliveries.records import Outcome
from prefect_wfexec.gateway.receiver import receiver
from prefect_wfexec.gateway.redelivering import redeliver
from prefect_wfexec.gateway.services import services
from prefect_wfexec.gateway.signin.identity import Identity, Role
from prefect_wfexec.gateway.signin.requiring import Operator, Viewer

router = APIRouter(include_in_schema=False)
PAGE_ROWS = 50
LOOK_SECONDS = 2.0
Text = Annotated[str, Query(max_length=200, pattern=r"^[^\x00]*$")]
Before = Annotated[str, Query(max_length=40, pattern=rf"{ID}|^$")]


@router.get("/console/deliveries")
async def show(
    request: Request, person: Viewer, workflow: Text = "", outcome: Text = "", before: Before = ""
) -> Response:
    """The list, newest first."""
    outcome = outcome if outcome in set(Outcome) else ""
    query = urlencode({"workflow": workflow, "outcome": outcome})
    return page(
        request,
        person,
        "deliveries.html",
        live="" if before else f"/console/deliveries/live?{query}",
        workflow=workflow,
        outcome=outcome,
        outcomes=[one.value for one in Outcome],
        rows=await _rows(request, person, workflow, outcome, before),
    )


@router.get("/console/deliveries/live")
async def live(request: Request, person: Viewer, workflow: Text = "", outcome: Text = "") -> Response:
    """What changes in it."""

    async def look() -> Look:
        return Look({"rows": await _rows(request, person, workflow, outcome, "")})

    return parts_stream(request, look, LOOK_SECONDS)


@router.post("/console/deliveries/{id}/redeliver")
async def again(request: Request, _person: Operator, id: Annotated[str, Path(pattern=ID)]) -> Response:  # noqa: A002
    """Carry it out once more, and show the list."""
    await redeliver(services(request).client, receiver(request).store, id)
    return back("/console/deliveries")


async def _rows(request: Request, person: Identity, workflow: str, outcome: str, before: str) -> str:
    store, given = receiver(request).store, services(request)
    after = await store.find_any(before) if before else None
    found = await store.newest(
        PAGE_ROWS + 1, workflow=workflow or None, outcome=Outcome(outcome) if outcome else None, before=after
    )
    return render(
        "deliveries_rows.html",
        rows=[one.as_json() for one in found[:PAGE_ROWS]],
        may_operate=person.may(Role.OPERATOR),
        csrf_token=given.access.form_token(person) if person.session else "",
        workflow=workflow,
        outcome=outcome,
        older=found[PAGE_ROWS - 1].id if len(found) > PAGE_ROWS else "",
    )
