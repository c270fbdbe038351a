"""Reaching Prefect: the API the settings name, else a server of our own for as long as the command runs."""

import asyncio
import contextlib
import inspect
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import httpx

from prefect_wfexec.errors import Unreachable

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient

START_SECONDS = 180.0
DRAIN_SECONDS = 20.0


class EmbeddedServer:
    """Prefect's server on the database of this Prefect home, on a free loopback port.

    It ends with this process, and is started again on the same port when something else ends it.
    """

    def __init__(self) -> None:
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}/api"
        self._process: subprocess.Popen[bytes] | None = None
        self._is_closing = threading.Event()
        self._watcher: threading.Thread | None = None

    def start(self) -> None:
        """Start it and wait until it answers.

        Raises:
            Unreachable: it does not come up.
        """
        self._spawn()
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(f"{self.url}/health", timeout=5, trust_env=False).is_success:
                    self._watcher = threading.Thread(target=self._keep_alive, daemon=True)
                    self._watcher.start()
                    return
            if self._process is not None and self._process.poll() is not None:
                break
            time.sleep(0.05)
        self.stop()
        raise Unreachable(
            "prefect's embedded server did not start",
            hint="start one with `prefect server start` and set PREFECT_API_URL, or see `wfexec doctor`",
        )

    def stop(self) -> None:
        self._is_closing.set()
        process, self._process = self._process, None
        if process is None:
            return
        if process.stdin:
            process.stdin.close()
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _spawn(self) -> None:
        from prefect.settings import get_current_settings

        environment = {
            **os.environ,
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            **get_current_settings().to_environment_variables(exclude_unset=True),
            "PREFECT_UI_ENABLED": "0",
            "PREFECT__SERVER_EPHEMERAL": "1",
            "PREFECT__SERVER_FINAL": "1",
        }
        environment.pop("PREFECT_API_URL", None)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "prefect_wfexec.operations.embedded_server", str(self.port)],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def _keep_alive(self) -> None:
        while not self._is_closing.wait(0.2):
            process = self._process
            if process is not None and process.poll() is not None and not self._is_closing.is_set():
                self._spawn()


@contextlib.asynccontextmanager
async def reachable() -> AsyncIterator[str]:
    """The URL of Prefect's API, in force for what is inside: the configured one, else an embedded server's."""
    from prefect.settings import PREFECT_API_URL, get_current_settings, temporary_settings

    configured = get_current_settings().api.url
    if configured:
        yield str(configured)
        return
    server = EmbeddedServer()
    await asyncio.to_thread(server.start)
    try:
        with temporary_settings({PREFECT_API_URL: server.url}):
            try:
                yield server.url
            finally:
                await _send_what_is_queued()
    finally:
        await asyncio.to_thread(server.stop)


async def _send_what_is_queued() -> None:
    """Prefect sends logs and events in the background; what is queued must go out before the server ends."""
    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import APILogWorker

    for worker in (APILogWorker, EventsWorker):
        drained: Any = worker.drain_all(timeout=DRAIN_SECONDS)
        if inspect.isawaitable(drained):
            await drained


@contextlib.asynccontextmanager
async def connected() -> "AsyncIterator[PrefectClient]":
    """A client of an API that answers.

    Raises:
        Unreachable: it does not.
    """
    from prefect.client.orchestration import get_client

    async with get_client() as client:
        fault = await client.api_healthcheck()
        if fault is not None:
            raise as_unreachable(fault, str(client.api_url))
        yield client


def as_unreachable(fault: Exception, url: str) -> Unreachable:
    """What to tell a person when a call to Prefect's API ended with this fault."""
    if isinstance(fault, httpx.HTTPStatusError):
        status = fault.response.status_code
        if status in {401, 403}:
            return Unreachable(
                f"prefect's API at {url} refuses this process with {status}",
                hint="set PREFECT_API_AUTH_STRING, or PREFECT_API_KEY, to what it asks for",
            )
        return Unreachable(f"prefect's API at {url} answers {status}", hint="look at the log of its server")
    words = " ".join(str(fault).split()) or type(fault).__name__
    return Unreachable(
        f"prefect's API at {url} does not answer: {words}", hint="start it, or set PREFECT_API_URL to one that runs"
    )


def refusal_of(fault: httpx.HTTPStatusError) -> str:
    """Why Prefect's API has refused a call, in its own words; what was sent is not among them."""
    try:
        answer = fault.response.json()
    except ValueError:
        answer = None
    answer = answer if isinstance(answer, dict) else {}
    details = answer.get("exception_detail")
    faults = [one.get("msg") for one in details if isinstance(one, dict)] if isinstance(details, list) else []
    said = [one.removeprefix("Value error, ") for one in (*faults, answer.get("detail")) if isinstance(one, str)]
    return " ".join("; ".join(said).split())[:500] or f"it answered {fault.response.status_code}"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
