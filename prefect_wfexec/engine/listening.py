"""Hearing at once that somebody wrote to the journal, or did something to the run, while it waits for a person.

Events are only a hint: they may come late, twice or never. What counts is what is read then; and it is read now and
then without any hint.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from uuid import UUID

logger = logging.getLogger(__name__)

AGAIN_AFTER_SECONDS = 5.0
EVENT_PREFIXES = ["prefect-wfexec.", "prefect.flow-run."]


class Listener:
    """Listens while told to.

    Args:
        run_id: The run whose events are heard.
        heard: Called for each event.
    """

    def __init__(self, run_id: UUID, heard: Callable[[], None]) -> None:
        self._resource = f"prefect.flow-run.{run_id}"
        self._heard = heard
        self._task: asyncio.Task[None] | None = None
        self._is_connected = False

    @property
    def is_connected(self) -> bool:
        """Whether events can be heard at this moment."""
        return self._is_connected

    def listen(self) -> None:
        """Begin, unless it has begun."""
        if self._task is None:
            self._task = asyncio.create_task(self._work(), name="wfexec-listener")

    async def stop(self) -> None:
        """Close the connection."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _work(self) -> None:
        while True:
            try:
                await self._hear()
            except Exception as error:  # noqa: BLE001 - whatever the connection died of, the run waits on without it
                logger.debug("no events of %s are heard: %s", self._resource, error)
            finally:
                self._is_connected = False
            await asyncio.sleep(AGAIN_AFTER_SECONDS)

    async def _hear(self) -> None:
        from prefect.events.clients import get_events_subscriber
        from prefect.events.filters import EventFilter, EventNameFilter, EventResourceFilter

        wanted = EventFilter(
            event=EventNameFilter(prefix=EVENT_PREFIXES), resource=EventResourceFilter(id=[self._resource])
        )
        async with get_events_subscriber(filter=wanted, reconnection_attempts=0) as subscriber:
            self._is_connected = True
            # What happened before the connection stood is not told any more.
            self._heard()
            async for _event in subscriber:
                self._heard()
