"""`GET /healthz`: whether the gateway answers, and whether it has reached Prefect."""

from fastapi import APIRouter, Request
from pydantic import BaseModel

from prefect_wfexec.gateway.receiver import receiver

router = APIRouter(tags=["health"])


class Health(BaseModel):
    """How the gateway is."""

    status: str
    ready: bool


@router.get("/healthz", summary="Whether the gateway takes deliveries")
async def healthz(request: Request) -> Health:
    """`ready` once the deployments have been read: deliveries that come before are answered with 503."""
    return Health(status="ok", ready=receiver(request).catalog.is_loaded)
