"""`wfexec serve` as a process of its own, which can be killed and started again on the same port and database."""

import asyncio
import contextlib
import hashlib
import hmac
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import sqlalchemy as sa

from prefect_wfexec.gateway.deliveries.store import Store
from prefect_wfexec.settings import DATABASE_URL
from tests.support.server import free_port
from tests.support.wfexec import COMMAND

START_SECONDS = 120.0


class Gateway:
    """A gateway of a Prefect server.

    Args:
        environment: Its environment, which names the server.
        folder: Where its log goes.
        words: More words of its command.
    """

    def __init__(self, environment: Mapping[str, str], folder: Path, *words: str) -> None:
        self._words = words
        self.database = sa.URL.create("sqlite+aiosqlite", database=str(folder / "deliveries.db"))
        self.environment = {**environment, DATABASE_URL.variable: self.database.render_as_string()}
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / "gateway.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None, "it runs"
        return self._process.pid

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*COMMAND, "serve", "--port", str(self.port), *self._words],
                env=self.environment,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.until_ready()

    def until_ready(self) -> None:
        """Wait until it takes deliveries."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(f"{self.url}/healthz", timeout=5).json().get("ready"):
                    return
            if self._process is None or self._process.poll() is not None:
                break
            time.sleep(0.1)
        raise RuntimeError(f"the gateway did not start:\n{self.log.read_text()[-4000:]}")

    def stop(self) -> None:
        """End it in order, which is no failure."""
        assert self._signal(signal.SIGTERM) in {None, 0}

    def kill(self) -> None:
        """SIGKILL."""
        self._signal(signal.SIGKILL)

    def _signal(self, number: int) -> int | None:
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return None
        os.kill(process.pid, number)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        return process.returncode

    def token(self) -> str:
        """What lets in whoever reads its log, until it ends."""
        return self.log.read_text().rpartition("this token may: ")[2].split()[0]

    def access_lines(self) -> list[dict[str, Any]]:
        """What it has logged of requests."""
        lines = self.log.read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith('{"time"')]

    def hook(
        self, workflow: str, trigger: str, body: bytes, headers: Mapping[str, str], timeout: float = 60
    ) -> httpx.Response:
        """Deliver to a trigger."""
        address = f"{self.url}/hooks/{workflow}/{trigger}"
        return httpx.post(
            address, content=body, headers={"content-type": "application/json", **headers}, timeout=timeout
        )

    def deliveries(self) -> list[dict[str, Any]]:
        """Every delivery that is kept, newest first."""

        async def read() -> list[dict[str, Any]]:
            async with Store.opened(self.database) as store:
                return [one.as_json() for one in await store.newest(1_000_000)]

        return asyncio.run(read())

    def outcome_of(self, answer: httpx.Response) -> dict[str, Any]:
        """What came of a delivery, once that is known."""

        def known() -> dict[str, Any] | None:
            [row] = [row for row in self.deliveries() if row["id"] == answer.json()["id"]]
            return row if row["outcome"] != "accepted" else None

        return dict(until(known))


@contextlib.contextmanager
def gateway(environment: Mapping[str, str], folder: Path) -> Iterator[Gateway]:
    """A started gateway; stopped at the end."""
    made = Gateway(environment, folder)
    try:
        made.start()
        yield made
    finally:
        made.stop()


def signed(secret: str, body: bytes, header: str = "x-signature") -> dict[str, str]:
    """The headers of a delivery whose body is signed by HMAC."""
    return {header: "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}


def from_github(
    secret: str, event: str, payload: Any, delivery: str = "0d7a1c0e-0000-4000-8000-000000000001"
) -> tuple[bytes, dict[str, str]]:
    """A delivery as GitHub makes it: the body and the headers."""
    body = json.dumps(payload).encode()
    headers = {"x-github-event": event, "x-github-delivery": delivery, "user-agent": "GitHub-Hookshot/0000000"}
    return body, headers | signed(secret, body, "x-hub-signature-256")


def until(wanted: Any, seconds: float = 300.0) -> Any:
    """What a call gives once that is true.

    Raises:
        AssertionError: it is not within this time.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = wanted()
        if found:
            return found
        time.sleep(0.2)
    raise AssertionError("it did not come to that")
