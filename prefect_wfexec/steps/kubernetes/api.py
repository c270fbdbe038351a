"""Requests to an API server: tried again while it is away, refusals as typed failures, streams that go on."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote

from prefect_wfexec.errors import StepFailed
from prefect_wfexec.steps.kubernetes.faults import AWAY, ClusterRefusal, distrusted, unreachable

if TYPE_CHECKING:
    from aiohttp import ClientResponse, ClientTimeout
    from kubernetes_asyncio.client import ApiClient

Object = dict[str, Any]
APPLY_TYPE = "application/apply-patch+yaml"
PATIENCE_SECONDS = 300.0
"""How long an API server that is away is waited for in a step without a timeout, which ends the wait otherwise."""
BACK_SECONDS = 30.0
"""How long a server that comes back is not believed when it refuses: it serves before it knows every role and kind."""
REQUEST_SECONDS = 60.0
SHORTEST_PAUSE_SECONDS = 0.25
LONGEST_PAUSE_SECONDS = 5.0
LARGEST_ANSWER_BYTES = 64 * 1024 * 1024


class Connection(Protocol):
    """Credentials in use; `renew` fetches new ones after a 401."""

    client: "ApiClient"

    async def renew(self) -> bool:
        """Fetch new credentials; False when there are no others."""


class Cluster:
    """One API server.

    Args:
        connection: How it is reached, and as whom.
        tell: Takes a line about the connection, e.g. that the server is away.
        patience_seconds: How long to wait for a server that is away.
    """

    def __init__(
        self, connection: Connection, tell: Callable[[str], None], patience_seconds: float = PATIENCE_SECONDS
    ) -> None:
        self._connection = connection
        self._tell = tell
        self.patience_seconds = patience_seconds
        self._kinds: dict[str, list[Object]] = {}
        self._away_at: float | None = None

    @property
    def address(self) -> str:
        return str(self._connection.client.configuration.host)

    def is_doubtful(self, refusal: ClusterRefusal) -> bool:
        """Whether a refusal may be that of a server that has just come back and does not know everything yet."""
        if self._away_at is None or asyncio.get_running_loop().time() - self._away_at > BACK_SECONDS:
            return False
        return refusal.status_code in (401, 403) or (refusal.is_gone and not refusal.names_object)

    def _note(self, error: BaseException) -> None:
        if not isinstance(error, ClusterRefusal) or error.status_code in AWAY:
            self._away_at = asyncio.get_running_loop().time()

    async def get(self, path: str, doing: str, **query: str) -> Object:
        return await self.request("GET", path, doing, query=query)

    async def find(self, path: str, doing: str) -> Object | None:
        """An object, None when it is not there."""
        try:
            return await self.get(path, doing)
        except ClusterRefusal as refusal:
            if refusal.is_gone:
                return None
            raise

    async def create(self, path: str, obj: Object, doing: str, **query: str) -> Object:
        return await self.request("POST", path, doing, query=query, body=obj)

    async def apply(self, path: str, obj: Object, doing: str, **query: str) -> Object:
        """Server-side apply."""
        return await self.request("PATCH", path, doing, query=query, body=obj, content_type=APPLY_TYPE)

    async def delete(self, path: str, doing: str, *, uid: str | None = None, policy: str = "Foreground") -> None:
        """Begin to delete an object; one that is gone, or another one by now, is none to delete."""
        options: Object = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": policy}
        if uid is not None:
            options["preconditions"] = {"uid": uid}
        try:
            await self.request("DELETE", path, doing, body=options)
        except ClusterRefusal as refusal:
            if not refusal.is_gone and refusal.status_code != 409:
                raise

    async def resources(self, api_version: str) -> list[Object]:
        """The kinds of a group and version, as the server lists them; empty when it has no such group."""
        if api_version not in self._kinds:
            path = f"/api/{api_version}" if "/" not in api_version else f"/apis/{api_version}"
            try:
                found = await self.get(path, f"reading the kinds of {api_version}")
            except ClusterRefusal as refusal:
                if not refusal.is_gone:
                    raise
                return []
            self._kinds[api_version] = list(found.get("resources") or ())
        return self._kinds[api_version]

    async def request(
        self,
        method: str,
        path: str,
        doing: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Object | None = None,
        content_type: str = "application/json",
    ) -> Object:
        """Ask, and ask again while the server is away.

        Every request of this package may be sent twice: names are ours, and deletions name a uid.

        Raises:
            ClusterRefusal: the server says no.
            StepFailed: it did not answer for too long (`type="kubernetes_unreachable"`).
        """

        async def once() -> Object:
            async with self._asked(method, path, doing, query, body, content_type) as response:
                return _object(await _read(response))

        return await self._patiently(once)

    @asynccontextmanager
    async def stream(
        self, path: str, doing: str, *, query: Mapping[str, str], silence_seconds: float
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """An answer as it comes, piece by piece; it is not begun again when it breaks.

        Raises:
            ClusterRefusal: the server says no.
            OSError, aiohttp.ClientError, TimeoutError: it broke, or nothing came for so long.
        """
        from aiohttp import ClientTimeout

        timeout = ClientTimeout(total=None, sock_connect=REQUEST_SECONDS, sock_read=silence_seconds)
        faults: tuple[type[BaseException], ...] = (ClusterRefusal, *transport_errors())
        try:
            async with self._asked("GET", path, doing, query, None, "application/json", timeout) as response:
                yield response.content.iter_any()
        except faults as error:
            self._note(error)
            raise

    @asynccontextmanager
    async def _asked(
        self,
        method: str,
        path: str,
        doing: str,
        query: Mapping[str, str] | None,
        body: Object | None,
        content_type: str,
        timeout: "ClientTimeout | None" = None,
    ) -> AsyncIterator["ClientResponse"]:
        client = self._connection.client
        headers = {"Accept": "application/json, */*", "Content-Type": content_type, "User-Agent": "prefect-wfexec"}
        parameters = list((query or {}).items())
        await client.update_params_for_auth(headers, parameters, ["BearerToken"])
        response: ClientResponse = await client.rest_client.request(
            method,
            self.address + quote(path, safe="/:%"),
            query_params=parameters,  # type: ignore[arg-type]
            headers=headers,
            body=body,
            _preload_content=False,
            _request_timeout=timeout or REQUEST_SECONDS,
        )
        try:
            if not 200 <= response.status <= 299:
                data = await response.content.read(64 * 1024)
                raise ClusterRefusal(response.status, data, doing, response.headers.get("Retry-After"))
            yield response
        finally:
            response.close()

    async def _patiently(self, once: Callable[[], Awaitable[Object]]) -> Object:
        faults: tuple[type[BaseException], ...] = (ClusterRefusal, *transport_errors())
        clock = asyncio.get_running_loop().time
        end, pause, was_away, is_renewed = clock() + self.patience_seconds, SHORTEST_PAUSE_SECONDS, False, False
        while True:
            try:
                answer = await once()
            except faults as error:
                self._note(error)
                is_unknown_here = isinstance(error, ClusterRefusal) and error.status_code == 401
                if is_unknown_here and not is_renewed and await self._connection.renew():
                    is_renewed = True
                    continue
                reason, wait = self._why_again(error, is_too_late=clock() >= end)
            else:
                if was_away:
                    self._tell("the Kubernetes API server answers again")
                return answer
            if not was_away:
                self._tell(f"the Kubernetes API server {reason}; trying again")
            was_away = True
            await asyncio.sleep(min(max(wait, pause * random.uniform(0.7, 1.3)), max(end - clock(), 0.05)))  # noqa: S311
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    def _why_again(self, error: BaseException, *, is_too_late: bool) -> tuple[str, float]:
        """Why a request is sent again, and how long the server asks to wait before.

        Raises:
            StepFailed: it is not sent again.
        """
        if isinstance(error, ClusterRefusal):
            is_doubtful = self.is_doubtful(error)
            if not (error.is_transient or is_doubtful) or is_too_late:
                raise error
            what = "has just come back and refuses" if is_doubtful else "does not answer"
            return f"{what} ({error.said})", _seconds(error.retry_after)
        reason = broken(error)
        if _is_distrusted(error):
            raise distrusted(self.address, reason) from None
        if is_too_late:
            raise unreachable(self.address, reason) from None
        return f"does not answer ({reason})", 0.0


def transport_errors() -> tuple[type[BaseException], ...]:
    """What a connection raises that breaks or never comes about."""
    from aiohttp import ClientError

    return (ClientError, OSError, TimeoutError)


def _is_distrusted(error: BaseException) -> bool:
    """Whether the server's certificate is not believed, which no waiting mends."""
    from aiohttp import ClientConnectorCertificateError

    return isinstance(error, ClientConnectorCertificateError)


def broken(error: BaseException) -> str:
    """Why a connection broke, in words."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return str(error).strip() or type(error).__name__


def _seconds(retry_after: str | None) -> float:
    try:
        return min(float(retry_after or 0), 60.0)
    except ValueError:
        return 0.0


async def _read(response: "ClientResponse") -> bytes:
    pieces, size = [], 0
    async for piece in response.content.iter_any():
        size += len(piece)
        if size > LARGEST_ANSWER_BYTES:
            words = f"the Kubernetes API server answered with more than {LARGEST_ANSWER_BYTES // 2**20} MiB"
            raise StepFailed(words, type="kubernetes_error", retryable=False)
        pieces.append(piece)
    return b"".join(pieces)


def _object(data: bytes) -> Object:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise StepFailed(
            "the Kubernetes API server answered with something that is no object",
            type="kubernetes_error",
            hint="check that the address is an API server's and not another service's",
            retryable=False,
        )
    return value
