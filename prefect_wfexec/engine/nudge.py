"""Telling a run that its journal grew: its engine, or Prefect, which then starts one."""

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING
from uuid import UUID

import httpx

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient

logger = logging.getLogger(__name__)
EVENT = "prefect-wfexec.journal.grew"
ALIVE_EVENT = "prefect-wfexec.engine.alive"
ALIVE_SECONDS = 30.0


async def nudge(client: "PrefectClient", run_id: UUID) -> None:
    """Wake a run that is suspended, and hint at the news to one that is not.

    What was appended counts all the same when this can't be done; the engine finds it a little later.
    """
    from prefect.exceptions import PrefectException

    try:
        if not await wake(client, run_id):
            await hint(client, run_id)
    except (httpx.HTTPError, PrefectException) as error:
        logger.warning("run %s could not be told that its journal grew: %s", run_id, error)


async def wake(client: "PrefectClient", run_id: UUID) -> bool:
    """Have Prefect start a process for a suspended run; whether it is one. Its engine reads the journal, no more."""
    from prefect.states import Scheduled

    state = (await client.read_flow_run(run_id)).state
    if state is None or not state.is_paused() or not state.state_details.pause_reschedule:
        return False
    await client.set_flow_run_state(run_id, Scheduled(name="Resuming"), force=True)
    return True


async def hint(client: "PrefectClient", run_id: UUID) -> None:
    """Send the event that engines listen for.

    Raises:
        httpx.HTTPError: it could not be sent.
    """
    await _send(client, run_id, EVENT, {})


async def show_life(client: "PrefectClient", run_id: UUID, engine: str) -> None:
    """Send now and then the event by which others know that an engine lives, until this is cancelled."""
    while True:
        await asyncio.sleep(ALIVE_SECONDS)
        with contextlib.suppress(httpx.HTTPError):
            await _send(client, run_id, ALIVE_EVENT, {"engine": engine})


async def _send(client: "PrefectClient", run_id: UUID, name: str, payload: dict[str, str]) -> None:
    from prefect.events.schemas.events import Event, Resource

    resource = Resource({"prefect.resource.id": f"prefect.flow-run.{run_id}"})
    event = Event(event=name, resource=resource, payload=payload)
    await client._client.post("/events", json=[event.model_dump(mode="json")])
