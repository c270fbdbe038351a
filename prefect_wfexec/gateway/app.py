"""The gateway's application: its routes, and what lives as long as it does."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import TYPE_CHECKING

import httpx
import sqlalchemy as sa
from fastapi import FastAPI
from starlette.types import Lifespan

from prefect_wfexec import __version__
from prefect_wfexec.definition.durations import parse_duration
from prefect_wfexec.errors import UsageError, WfexecError
from prefect_wfexec.gateway import health, hooks
from prefect_wfexec.gateway.access_log import AccessLog
from prefect_wfexec.gateway.catalog import Catalog
from prefect_wfexec.gateway.deliveries.store import Store
from prefect_wfexec.gateway.following import Follower
from prefect_wfexec.gateway.receiver import Receiver, largest_bytes
from prefect_wfexec.gateway.starting import Starter
from prefect_wfexec.journal.facts import utc_now
from prefect_wfexec.operations.schedules import sync_schedules
from prefect_wfexec.settings import KEEP_DELIVERIES

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient

logger = logging.getLogger(__name__)
REFRESH_SECONDS = 15.0
FOLLOW_SECONDS = 5.0
PRUNE_SECONDS = 3600.0
SHORTEST_KEEP = timedelta(days=7)
DRAIN_SECONDS = 20.0


def create_app(client: "PrefectClient", database: sa.URL) -> FastAPI:
    """The application.

    Args:
        client: A client of Prefect's API that stays open as long as the application; the API may be away.
        database: Where deliveries are kept.

    Raises:
        UsageError: a setting has no use.
    """
    app = FastAPI(
        title="wfexec gateway",
        version=__version__,
        summary="Webhooks, approvals and the API of workflows.",
        lifespan=_lifespan(client, database, largest_bytes(), kept_for()),
        docs_url=None,
        redoc_url=None,
    )
    app.include_router(health.router)
    app.include_router(hooks.router)
    app.add_middleware(AccessLog)
    return app


def kept_for() -> timedelta:
    """How long deliveries are kept.

    Raises:
        UsageError: the setting KEEP_DELIVERIES is no duration, or shorter than what deduplication needs.
    """
    keep = timedelta(seconds=parse_duration(KEEP_DELIVERIES.read()))
    if keep < SHORTEST_KEEP:
        words = f"{KEEP_DELIVERIES.variable} is shorter than {SHORTEST_KEEP.days} days"
        raise UsageError(words, hint="a delivery that comes again later than that would start a second run")
    return keep


def _lifespan(client: "PrefectClient", database: sa.URL, largest: int, keep: timedelta) -> Lifespan[FastAPI]:
    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with Store.opened(database) as store:
            catalog = Catalog(client)
            starter = Starter(client, store, catalog, keep)
            app.state.receiver = Receiver(store, catalog, starter, largest)
            follower = Follower(client, store, catalog, starter)
            tasks = [
                asyncio.create_task(starter.work()),
                asyncio.create_task(_every(REFRESH_SECONDS, lambda: _read_again(client, catalog))),
                asyncio.create_task(_every(FOLLOW_SECONDS, follower.look)),
                asyncio.create_task(_every(PRUNE_SECONDS, lambda: store.prune(utc_now(), keep))),
            ]
            try:
                yield
            finally:
                await starter.drain(DRAIN_SECONDS)
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    return lifespan


async def _read_again(client: "PrefectClient", catalog: Catalog) -> None:
    await catalog.refresh()
    for deployment, workflow in catalog.deployed:
        try:
            await sync_schedules(client, deployment, workflow)
        except WfexecError as error:
            logger.warning("the schedules of deployment '%s' are left alone: %s", deployment.name, error.message)


async def _every(seconds: float, act: Callable[[], Awaitable[object]]) -> None:
    while True:
        try:
            await act()
        except httpx.HTTPError as error:
            logger.warning("prefect does not answer, and is asked again: %s", error)
        except Exception:
            logger.exception("what the gateway does now and then has failed, and is tried again")
        await asyncio.sleep(seconds)
