"""Starts the runs of accepted deliveries after they were acknowledged: each once, whatever interrupts it."""

import asyncio
import contextlib
import logging
from collections.abc import Iterator
from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING

import httpx

from prefect_wfexec.definition.model import Trigger
from prefect_wfexec.errors import Unreachable, UsageError, WfexecError, join_names
from prefect_wfexec.gateway.catalog import Catalog, Target
from prefect_wfexec.gateway.deliveries.records import Delivery, Outcome
from prefect_wfexec.gateway.deliveries.store import Store
from prefect_wfexec.gateway.ended import ended_event
from prefect_wfexec.journal.facts import utc_now
from prefect_wfexec.operations.connection import refusal_of
from prefect_wfexec.operations.deployed import deployed_workflow, start_run
from prefect_wfexec.triggers.context import trigger_context
from prefect_wfexec.triggers.event import Event
from prefect_wfexec.triggers.inputs import inputs_of
from prefect_wfexec.triggers.matching import why_not
from prefect_wfexec.triggers.reading import read
from prefect_wfexec.triggers.received import Received
from prefect_wfexec.triggers.replays import why_too_old

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient

logger = logging.getLogger(__name__)
AT_ONCE = 4
LOOK_SECONDS = 2.0
GIVE_WAY_SECONDS = 2.0
LONGEST_DELAY_SECONDS = 60.0
LONGEST_TRY_SECONDS = 60.0
"""How long one try to start a run may take. Prefect's client tries each call again by itself, for many minutes when a
server takes requests and answers none; what is started twice meanwhile is one run, by its idempotency key."""
_TRANSIENT = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}


class Starter:
    """Takes accepted deliveries from the store, oldest first.

    Args:
        client: A client of Prefect's API.
        store: The deliveries.
        catalog: What is deployed.
        remembered: How long deliveries are kept at least.
    """

    def __init__(
        self, client: "PrefectClient", store: Store, catalog: Catalog, remembered: timedelta = timedelta.max
    ) -> None:
        self._remembered = remembered
        self._client = client
        self._store = store
        self._catalog = catalog
        self._news = asyncio.Event()
        self._under_way: dict[str, asyncio.Task[None]] = {}
        self._is_closing = False

    def wake(self) -> None:
        """There is a new delivery."""
        self._news.set()

    async def work(self) -> None:
        """Start runs until cancelled."""
        slots = asyncio.Semaphore(AT_ONCE)
        while True:
            await self._give_way()
            for delivery in await self._due():
                await slots.acquire()
                if self._is_closing:
                    return
                self._under_way[delivery.id] = asyncio.create_task(self._one(delivery, slots))
            await self._pause()

    async def drain(self, seconds: float) -> None:
        """Take up no other delivery, and wait for those that are under way; the rest is for the next gateway."""
        self._is_closing = True
        if self._under_way:
            await asyncio.wait(self._under_way.values(), timeout=seconds)
        for task in self._under_way.values():
            task.cancel()

    async def start(self, delivery: Delivery) -> Delivery:
        """Start the run of one delivery, or find out why there will be none; tried again later when Prefect is away.

        Returns:
            The delivery with what came of it.
        """
        try:
            async with asyncio.timeout(LONGEST_TRY_SECONDS):
                outcome, reason, run = await self._judge(delivery)
        except httpx.HTTPStatusError as error:
            if _is_transient(error.response.status_code):
                return await self._later(delivery, f"prefect answered {error.response.status_code}")
            outcome, reason, run = Outcome.REFUSED, f"prefect refused the run: {refusal_of(error)}", None
        except httpx.HTTPError as error:
            return await self._later(delivery, f"prefect does not answer: {_words(error)}")
        except TimeoutError:
            return await self._later(delivery, f"prefect did not answer within {LONGEST_TRY_SECONDS:g} seconds")
        except Unreachable as error:
            return await self._later(delivery, error.message)
        except WfexecError as error:
            outcome, reason, run = Outcome.REFUSED, error.message, None
        except Exception as fault:
            logger.exception("delivery %s could not be carried out", delivery.id)
            return await self._later(delivery, f"a fault of the gateway: {type(fault).__name__}")
        return await self._store.finish(
            delivery, outcome, reason, run=run[0] if run else None, run_name=run[1] if run else None
        )

    async def _judge(self, delivery: Delivery) -> tuple[Outcome, str, tuple[str, str] | None]:
        targets = await self._catalog.find(delivery.workflow, delivery.trigger)
        if not targets and not self._catalog.is_current:
            raise Unreachable("the deployments could not be read")
        target = one_of(targets, delivery)
        deployment = await self._catalog.deployment(target, delivery.received)
        if deployment.paused:
            return Outcome.IGNORED, f"workflow '{delivery.workflow}' is paused", None
        workflow = deployed_workflow(deployment)
        trigger = next((one for one in workflow.triggers if one.id == delivery.trigger), None)
        if trigger is None:
            raise UsageError(f"workflow '{delivery.workflow}' has no trigger '{delivery.trigger}' any more")
        event = event_of(delivery, trigger)
        reason = self._why_too_old(delivery, event) or why_not(trigger, event, workflow)
        if reason is not None:
            return Outcome.IGNORED, reason, None
        context = trigger_context(trigger, event)
        inputs = inputs_of(workflow, trigger, context)
        key = f"wfexec-{delivery.id}"
        flow_run = await start_run(self._client, deployment, inputs, context, idempotency_key=key)
        return Outcome.STARTED, f"started run {flow_run.name}", (str(flow_run.id), flow_run.name)

    def _why_too_old(self, delivery: Delivery, event: Event) -> str | None:
        """What a person has repeated may be of any age."""
        return None if delivery.redelivery_of else why_too_old(event, delivery.received, self._remembered)

    async def _later(self, delivery: Delivery, reason: str) -> Delivery:
        delay = min(LONGEST_DELAY_SECONDS, 2.0**delivery.attempts)
        await self._store.put_off(delivery, utc_now() + timedelta(seconds=delay), f"tried again soon: {reason}")
        return delivery

    async def _due(self) -> list[Delivery]:
        self._news.clear()
        found: list[Delivery] = []
        with _told("the deliveries could not be read"):
            found = await self._store.due(utc_now(), AT_ONCE * 8 + len(self._under_way))
        return [one for one in found if one.id not in self._under_way]

    async def _one(self, delivery: Delivery, slots: asyncio.Semaphore) -> None:
        try:
            with _told(f"what came of delivery {delivery.id} could not be put on record"):
                await self.start(delivery)
        finally:
            self._under_way.pop(delivery.id, None)
            slots.release()
            self._news.set()

    async def _give_way(self) -> None:
        """Let those who wait for their acknowledgement go first: they hang up, and a run that starts later does not."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GIVE_WAY_SECONDS):
                await self._store.written()

    async def _pause(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LOOK_SECONDS):
                await self._news.wait()


@contextlib.contextmanager
def _told(what: str) -> Iterator[None]:
    try:
        yield
    except Exception:
        logger.exception(what)


def one_of(targets: tuple[Target, ...], delivery: Delivery) -> Target:
    """The deployment that a delivery starts.

    Raises:
        UsageError: there is none, or several and none of them is named by the trigger.
    """
    if not targets:
        raise UsageError(f"no deployment of '{delivery.workflow}' has the trigger '{delivery.trigger}' any more")
    if len(targets) == 1:
        return targets[0]
    wanted = {str(one.trigger.options["deployment"]) for one in targets if one.trigger.options.get("deployment")}
    found = [one for one in targets if wanted & {one.deployment, one.deployment.partition("/")[2]}]
    if len(found) == 1:
        return found[0]
    names = join_names([one.deployment for one in targets])
    raise UsageError(f"several deployments have this trigger, {names}: its `deployment` is to name one of them")


def event_of(delivery: Delivery, trigger: Trigger) -> Event:
    """What a delivery says.

    Raises:
        UsageError: what it carried is not kept any more.
        Unreadable: its content can't be used.
    """
    received = received_of(delivery)
    return ended_event(received.body) if trigger.type == "workflow" else read(received, trigger)


def received_of(delivery: Delivery) -> Received:
    """The request of a delivery, without the headers that proved it.

    Raises:
        UsageError: what it carried is not kept any more.
    """
    if delivery.body is None:
        raise UsageError("what the delivery carried is not kept any more")
    path = f"POST /hooks/{delivery.source}"
    return Received(delivery.body, delivery.headers, delivery.remote, path, delivery.received, delivery.id)


def _is_transient(status: int) -> bool:
    return status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _TRANSIENT


def _words(error: httpx.HTTPError) -> str:
    return " ".join(str(error).split()) or type(error).__name__
