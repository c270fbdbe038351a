"""What came to the gateway, and what came of it."""

from typing import Annotated, Any

from fastapi import Path, Query, Request

from prefect_wfexec.errors import UsageError
from prefect_wfexec.gateway.api.routing import api_router
from prefect_wfexec.gateway.api.shapes import deliveries as shapes
from prefect_wfexec.gateway.deliveries.records import Outcome
from prefect_wfexec.gateway.receiver import receiver
from prefect_wfexec.gateway.redelivering import redeliver
from prefect_wfexec.gateway.services import services
from prefect_wfexec.gateway.signin.requiring import Operator, Viewer

router = api_router("deliveries")

DeliveryId = Annotated[str, Path(pattern=r"^dlv_[0-9a-f]{24}$", examples=["dlv_0123456789abcdef01234567"])]
Text = Annotated[str | None, Query(max_length=200, pattern=r"^[^\x00]*$")]


@router.get("/deliveries", response_model=list[shapes.Delivery])
async def list_deliveries(
    request: Request,
    _person: Viewer,
    workflow: Text = None,
    outcome: Outcome | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
) -> list[dict[str, Any]]:
    """Deliveries, newest first, each with the reason for what came of it."""
    found = await receiver(request).store.newest(limit, workflow=workflow, outcome=outcome)
    return [one.as_json() for one in found]


@router.get("/deliveries/{id}", response_model=shapes.Delivery)
async def get_delivery(request: Request, _person: Viewer, id: DeliveryId) -> dict[str, Any]:  # noqa: A002
    """One delivery, or one refused request."""
    store = receiver(request).store
    found = await store.find(id) or await store.find_refused(id)
    if found is None:
        raise UsageError(f"there is no delivery '{id}'", code="unknown-delivery")
    return found.as_json()


@router.post("/deliveries/{id}/redeliver", response_model=shapes.Delivery)
async def redeliver_again(request: Request, _person: Operator, id: DeliveryId) -> dict[str, Any]:  # noqa: A002
    """Carry a delivery out once more, by today's definition."""
    return (await redeliver(services(request).client, receiver(request).store, id)).as_json()
