"""Small requests about one run over a connection of our own, at a fifth of what they cost through Prefect's client.

Only a plain answer is taken from it. Whatever is odd (a refusal, a lost connection, a proxy, a busy server) is left to
the caller, who asks again through Prefect's client. That is safe for whoever uses it: entries have ids, so one that did
arrive is known again, and labels may be set twice.
"""

import asyncio
import contextlib
import json
import ssl
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import h11
import httpx

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient

TIMEOUT_SECONDS = 30.0
BUSY_PAUSES_SECONDS = (0.02, 0.05, 0.1, 0.2)
"""SQLite answers 503 while another writes, for milliseconds; Prefect's client would wait for seconds."""
_BUSY = frozenset({429, 503})
_READ_BYTES = 1 << 16
_LEFT_OUT = frozenset({"host", "accept", "accept-encoding", "connection", "content-length", "content-type"})


class Wire:
    """A connection to the server of a Prefect client, with its credentials and certificates; `close` it.

    Args:
        client: The client; it stays open as long as the wire is used.
    """

    def __init__(self, client: "PrefectClient") -> None:
        self._inner: httpx.AsyncClient = client._client
        self._url = self._inner.base_url
        self._context = _context(self._inner)
        self._is_usable = _is_plain(self._inner)
        self._lock = asyncio.Lock()
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._connection = h11.Connection(h11.CLIENT)

    async def send(self, method: str, path: str, body: Mapping[str, Any]) -> int | None:
        """The status code of the answer; None when there was none, or the server said that it is busy.

        Args:
            method: The HTTP method.
            path: The path below the API's address.
            body: What is sent, as JSON.
        """
        if not self._is_usable:
            return None
        data = json.dumps(body).encode()
        async with self._lock:
            for pause in (*BUSY_PAUSES_SECONDS, None):
                status = await self._attempt(method, path, data)
                if status not in _BUSY:
                    return status
                if pause is not None:
                    await asyncio.sleep(pause)
        return None

    async def close(self) -> None:
        """Close the connection; the next request opens another."""
        writer, self._writer, self._reader = self._writer, None, None
        if writer is not None:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _attempt(self, method: str, path: str, data: bytes) -> int | None:
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                return await self._exchange(method, path, data)
        except (OSError, TimeoutError, h11.ProtocolError):
            await self.close()
            return None
        except BaseException:
            # Cancelled within an answer: what is left of it must not be taken for the next one's.
            await self.close()
            raise

    async def _exchange(self, method: str, path: str, data: bytes) -> int:
        reader, writer = await self._streams()
        connection = self._connection
        target = f"{self._url.raw_path.decode().rstrip('/')}{path}"
        head = h11.Request(method=method, target=target, headers=self._headers(len(data)))
        parts = (head, h11.Data(data=data), h11.EndOfMessage())
        writer.write(b"".join(connection.send(part) or b"" for part in parts))
        await writer.drain()
        status = await self._answer(reader)
        if connection.our_state is h11.DONE and connection.their_state is h11.DONE:
            connection.start_next_cycle()
        else:
            await self.close()
        return status

    async def _streams(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._reader is None or self._writer is None or self._reader.at_eof():
            await self.close()
            port = self._url.port or (443 if self._context else 80)
            self._reader, self._writer = await asyncio.open_connection(self._url.host, port, ssl=self._context)
            self._connection = h11.Connection(h11.CLIENT)
        return self._reader, self._writer

    def _headers(self, length: int) -> list[tuple[str, str]]:
        # Read each time: Prefect's client changes them, e.g. to renew the token against forged requests.
        passed = [(name, value) for name, value in self._inner.headers.items() if name.lower() not in _LEFT_OUT]
        own = {"host": self._url.netloc.decode(), "content-type": "application/json", "content-length": str(length)}
        return [*passed, *own.items()]

    async def _answer(self, reader: asyncio.StreamReader) -> int:
        status = 0
        while True:
            event = self._connection.next_event()
            if event is h11.NEED_DATA:
                self._connection.receive_data(await reader.read(_READ_BYTES))
            elif isinstance(event, h11.Response):
                status = event.status_code
            elif isinstance(event, h11.EndOfMessage):
                return status
            elif isinstance(event, h11.ConnectionClosed):
                raise ConnectionResetError("closed within an answer")


def _is_plain(inner: httpx.AsyncClient) -> bool:
    """Whether requests go straight over the network: no server within this process, no proxy, no other transport."""
    transport = inner._transport_for_url(inner.base_url)
    return transport is inner._transport and type(transport) is httpx.AsyncHTTPTransport


def _context(inner: httpx.AsyncClient) -> ssl.SSLContext | None:
    if inner.base_url.scheme != "https":
        return None
    context = getattr(getattr(inner._transport, "_pool", None), "_ssl_context", None)
    return context if isinstance(context, ssl.SSLContext) else ssl.create_default_context()
