"""Runs the gateway under uvicorn."""

import asyncio
import contextlib
import gc
import logging
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import TYPE_CHECKING

import uvicorn
from fastapi import FastAPI

from prefect_wfexec.errors import UsageError
from prefect_wfexec.gateway.app import create_app
from prefect_wfexec.gateway.deadlines import ImpatientProtocol
from prefect_wfexec.gateway.deliveries.database import database_url

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient

MOST_CONNECTIONS = 1000
DRAIN_SECONDS = 30


class _Server(uvicorn.Server):
    """Ends in order after a signal, and the process with 0: it was told to end, and nothing killed it."""

    def __init__(self, config: uvicorn.Config, app: FastAPI) -> None:
        super().__init__(config)
        self._app = app

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to end; pages that are open wait for news, and are told that there is none any more."""
        self._app.state.ending.begin()
        super().handle_exit(sig, frame)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and leave what is there by then out of every later search for garbage: it stays for good."""
        await super().startup(sockets)
        gc.collect()
        gc.freeze()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)


async def serve(client: "PrefectClient", host: str, port: int, tell: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM; requests that are under way then are answered first.

    Args:
        client: A client of Prefect's API.
        host: The address to listen on.
        port: The port to listen on.
        tell: Told what the person who starts it has to know.

    Raises:
        UsageError: the address can't be listened on, the database can't be used, or a setting has no use.
    """
    _log_lines()
    app = create_app(client, database_url(), f"http://{host}:{port}", tell)
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        http=ImpatientProtocol,
        lifespan="on",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=MOST_CONNECTIONS,
        timeout_graceful_shutdown=DRAIN_SECONDS,
        log_config=None,
    )
    server = _Server(config, app)
    await server.serve()
    if not server.started:
        raise UsageError(f"the gateway could not start on {host}:{port}", hint="see what it said above")


def _log_lines() -> None:
    """What the gateway tells goes to standard error: one line of JSON a request, and words for the rest."""
    access = logging.StreamHandler(sys.stderr)
    access.setFormatter(logging.Formatter("%(message)s"))
    words = logging.StreamHandler(sys.stderr)
    words.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    for name, handler, level in (
        ("prefect_wfexec.gateway.access", access, logging.INFO),
        ("prefect_wfexec", words, logging.WARNING),
        ("uvicorn.error", words, logging.WARNING),
    ):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(level)
