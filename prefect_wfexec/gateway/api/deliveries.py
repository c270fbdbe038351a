"""What came to the gateway, and what came of it."""

from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import Path, Query, Request, Response

from prefect_wfexec.gateway.api.routing import PREFIX, api_router
from prefect_wfexec.gateway.api.shapes import deliveries as shapes
from prefect_wfexec.gateway.deliveries.records import Outcome
from prefect_wfexec.gateway.receiver import receiver
from prefect_wfexec.gateway.redelivering import redeliver
from prefect_wfexec.gateway.services import services
from prefect_wfexec.gateway.signin.requiring import Operator, Viewer

router = api_router("deliveries")

ID = r"^dlv_[0-9a-f]{24}$"
DeliveryId = Annotated[str, Path(pattern=ID, examples=["dlv_0123456789abcdef01234567"])]
Text = Annotated[str | None, Query(max_length=200, pattern=r"^[^\x00]*$")]


@router.get("/deliveries", response_model=list[shapes.Delivery])
async def list_deliveries(
    request: Request,
    response: Response,
    _person: Viewer,
    workflow: Text = None,
    outcome: Outcome | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
    before: Annotated[str | None, Query(pattern=ID, description="A delivery; only older ones are listed.")] = None,
) -> list[dict[str, Any]]:
    """Deliveries, newest first, each with the reason for what came of it; `Link` names the next page."""
    store = receiver(request).store
    after = await store.find_any(before) if before is not None else None
    found = await store.newest(limit + 1, workflow=workflow, outcome=outcome, before=after)
    if len(found) > limit:
        query = {**request.query_params, "limit": limit, "before": found[limit - 1].id}
        response.headers["link"] = f'<{PREFIX}/deliveries?{urlencode(query)}>; rel="next"'
    return [one.as_json() for one in found[:limit]]


@router.get("/deliveries/{id}", response_model=shapes.Delivery)
async def get_delivery(request: Request, _person: Viewer, id: DeliveryId) -> dict[str, Any]:  # noqa: A002
    """One delivery, or one refused request."""
    return (await receiver(request).store.find_any(id)).as_json()


@router.post("/deliveries/{id}/redeliver", response_model=shapes.Delivery)
async def redeliver_again(request: Request, _person: Operator, id: DeliveryId) -> dict[str, Any]:  # noqa: A002
    """Carry a delivery out once more, by today's definition."""
    return (await redeliver(services(request).client, receiver(request).store, id)).as_json()
