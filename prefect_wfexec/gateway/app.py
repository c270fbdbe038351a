"""The gateway's application: its routes, and what lives as long as it does."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import httpx
import sqlalchemy as sa
from fastapi import FastAPI
from starlette.types import Lifespan

from prefect_wfexec import __version__
from prefect_wfexec.definition.durations import parse_duration
from prefect_wfexec.engine.approvals.links import public_url
from prefect_wfexec.errors import UsageError, WfexecError
from prefect_wfexec.gateway import approving, console, health, hooks
from prefect_wfexec.gateway.access_log import AccessLog
from prefect_wfexec.gateway.answers import answer_errors
from prefect_wfexec.gateway.api import router as api
from prefect_wfexec.gateway.catalog import Catalog
from prefect_wfexec.gateway.console.live import Ending
from prefect_wfexec.gateway.deliveries.store import Store
from prefect_wfexec.gateway.following import Follower
from prefect_wfexec.gateway.receiver import Receiver, largest_bytes
from prefect_wfexec.gateway.services import Services
from prefect_wfexec.gateway.signin import pages
from prefect_wfexec.gateway.signin.access import Access
from prefect_wfexec.gateway.signin.guard import Guard
from prefect_wfexec.gateway.starting import Starter
from prefect_wfexec.journal.facts import utc_now
from prefect_wfexec.journal.keys import Keys, load_keys
from prefect_wfexec.operations.schedules import sync_schedules
from prefect_wfexec.settings import KEEP_DELIVERIES

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.responses import DeploymentResponse

logger = logging.getLogger(__name__)
REFRESH_SECONDS = 15.0
LONGEST_ACT_SECONDS = 120.0
"""How long one of what is done now and then may take; Prefect's client would go on for many minutes."""
FOLLOW_SECONDS = 5.0
SERVICES_SECONDS = 2.0
PRUNE_SECONDS = 3600.0
SHORTEST_KEEP = timedelta(days=7)
DRAIN_SECONDS = 20.0


def create_app(client: "PrefectClient", database: sa.URL, address: str, tell: Callable[[str], None]) -> FastAPI:
    """The application.

    Args:
        client: A client of Prefect's API that stays open as long as the application; the API may be away.
        database: Where deliveries are kept.
        address: Where it listens, for people who are told no other address.
        tell: Told what the person who starts it has to know.

    Raises:
        UsageError: a setting has no use.
    """
    app = FastAPI(
        title="wfexec gateway",
        version=__version__,
        summary="Webhooks, approvals, the console and the API of workflows.",
        lifespan=_lifespan(client, database, _Settings(public_url() or address, largest_bytes(), kept_for()), tell),
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.router.routes.append(hooks.route())
    app.state.ending = Ending()
    for router in (health.router, hooks.router, pages.router, api.router, *approving.routers(), *console.routers()):
        app.include_router(router)
    answer_errors(app)
    app.add_middleware(Guard)
    app.add_middleware(AccessLog)
    return app


@dataclass(frozen=True, slots=True)
class _Settings:
    public_url: str
    largest_bytes: int
    keep: timedelta

    def __post_init__(self) -> None:
        # Whether they can be used is told at once; the key that access needs comes from Prefect, which may be away.
        Access.from_settings(Keys("no key of anybody's"), self.public_url)


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


def _lifespan(
    client: "PrefectClient", database: sa.URL, settings: _Settings, tell: Callable[[str], None]
) -> Lifespan[FastAPI]:
    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with Store.opened(database) as store:
            catalog, synced = Catalog(client), dict[UUID, "DeploymentResponse"]()
            starter = Starter(client, store, catalog, settings.keep)
            app.state.receiver = Receiver(store, catalog, starter, settings.largest_bytes)
            follower = Follower(client, store, catalog, starter)
            tasks = [
                asyncio.create_task(_open_services(app, client, settings.public_url, tell)),
                asyncio.create_task(starter.work()),
                asyncio.create_task(_every(REFRESH_SECONDS, lambda: _read_again(client, catalog, synced))),
                asyncio.create_task(_every(FOLLOW_SECONDS, follower.look)),
                asyncio.create_task(_every(PRUNE_SECONDS, lambda: store.prune(utc_now(), settings.keep))),
            ]
            try:
                yield
            finally:
                await starter.drain(DRAIN_SECONDS)
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    return lifespan


async def _open_services(app: FastAPI, client: "PrefectClient", public_url: str, tell: Callable[[str], None]) -> None:
    """Have people served as soon as Prefect has given the key, which may be later than the first delivery."""
    while not hasattr(app.state, "services"):
        try:
            keys = await load_keys(client)
        except httpx.HTTPError as error:
            logger.warning("prefect does not answer, and is asked again: %s", error)
            await asyncio.sleep(SERVICES_SECONDS)
            continue
        access = Access.from_settings(keys, public_url)
        app.state.services = Services(client, keys, public_url, access)
        if access.lifetime_token:
            tell(
                f"nobody may sign in by the settings; until this gateway ends, this token may: {access.lifetime_token}"
            )


async def _read_again(client: "PrefectClient", catalog: Catalog, synced: "dict[UUID, DeploymentResponse]") -> None:
    """Read what is deployed, and put schedules right where that has changed since they were."""
    await catalog.refresh()
    for deployment, workflow in catalog.deployed:
        if synced.get(deployment.id) is deployment:
            continue
        try:
            if not await sync_schedules(client, deployment, workflow):
                synced[deployment.id] = deployment
        except WfexecError as error:
            logger.warning("the schedules of deployment '%s' are left alone: %s", deployment.name, error.message)


async def _every(seconds: float, act: Callable[[], Awaitable[object]]) -> None:
    while True:
        try:
            async with asyncio.timeout(LONGEST_ACT_SECONDS):
                await act()
        except TimeoutError:
            logger.warning("prefect does not answer, and is asked again: no answer in %g seconds", LONGEST_ACT_SECONDS)
        except httpx.HTTPError as error:
            logger.warning("prefect does not answer, and is asked again: %s", error)
        except Exception:
            logger.exception("what the gateway does now and then has failed, and is tried again")
        await asyncio.sleep(seconds)
