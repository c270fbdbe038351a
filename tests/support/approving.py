"""The approval pages and Slack's endpoint under uvicorn, on a free loopback port, behind the gateway's guard."""

import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import TracebackType

import uvicorn
from fastapi import FastAPI
from prefect.client.orchestration import PrefectClient

from prefect_wfexec.gateway.approving import routers
from prefect_wfexec.gateway.services import Services
from prefect_wfexec.gateway.signin.access import Access
from prefect_wfexec.gateway.signin.guard import Guard
from prefect_wfexec.journal.keys import Keys, load_keys
from tests.support.server import free_port

START_SECONDS = 60.0


class Gateway:
    """`with Gateway(api_url, keys) as gateway:` serves at `gateway.url`.

    Args:
        api_url: Prefect's API.
        keys: The key of the runs; the one that Prefect keeps when left out.
    """

    def __init__(self, api_url: str, keys: Keys | None = None) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        app = FastAPI(lifespan=self._lifespan)
        app.add_middleware(Guard)
        for router in routers():
            app.include_router(router)
        self._api_url = api_url
        self._keys = keys
        config = uvicorn.Config(app, host="127.0.0.1", port=self.port, log_level="warning", access_log=False)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)

    @asynccontextmanager
    async def _lifespan(self, app: FastAPI) -> AsyncIterator[None]:
        async with PrefectClient(self._api_url) as client:
            keys = self._keys or await load_keys(client)
            app.state.services = Services(client, keys, self.url, Access.from_settings(keys, self.url, {}))
            yield

    def __enter__(self) -> "Gateway":
        self._thread.start()
        deadline = time.monotonic() + START_SECONDS
        while not self._server.started:
            assert self._thread.is_alive() and time.monotonic() < deadline, "the gateway did not start"
            time.sleep(0.02)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        self._thread.join()
