"""Telling the engine of a run that its journal grew, so that it need not wait until it looks by itself."""

import logging
from typing import TYPE_CHECKING
from uuid import UUID

import httpx

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient

logger = logging.getLogger(__name__)
EVENT = "prefect-wfexec.journal.grew"


async def nudge(client: "PrefectClient", run_id: UUID) -> None:
    """Send the hint; when it can't be sent, the engine finds out a little later."""
    from prefect.events.schemas.events import Event, Resource

    resource = Resource({"prefect.resource.id": f"prefect.flow-run.{run_id}"})
    event = Event(event=EVENT, resource=resource)
    try:
        await client._client.post("/events", json=[event.model_dump(mode="json")])
    except httpx.HTTPError as error:
        logger.debug("run %s could not be told that its journal grew: %s", run_id, error)
