"""One HTTP exchange with the outside world: guarded addresses, no redirects across hosts, capped size and time."""

import asyncio
import os
import ssl
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING

from prefect_wfexec.errors import WfexecError
from prefect_wfexec.runtime.http.addresses import AddressGuard, AddressRefused, normal_host

if TYPE_CHECKING:
    import httpx

__all__ = [
    "AddressGuard",
    "AddressRefused",
    "HttpFault",
    "HttpLimits",
    "HttpRequest",
    "HttpResponse",
    "fetch",
    "shown_url",
]

USER_AGENT = "prefect-wfexec"


class HttpFault(WfexecError):
    """An exchange that came to no answer: no connection, no time left, or no HTTP."""

    code = "http-unreachable"


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """How much one exchange may take.

    Attributes:
        total_seconds: From the first look-up to the last byte, redirects included.
        body_bytes: How much of the body is kept, before and after decompression; the rest is not read.
        redirects: How many redirects within the host are followed.
    """

    total_seconds: float = 30.0
    body_bytes: int = 1024 * 1024
    redirects: int = 5


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """What is sent.

    Attributes:
        url: http or https, without user name and password.
        content: The body, if any.
        is_expected: Says of a 3xx code that it is the answer wanted, so that it is not followed.
    """

    url: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes | None = None
    is_expected: Callable[[int], bool] = lambda _code: False


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """What came back.

    Attributes:
        headers: By lower-case name, without cookies; values of one name are joined by a comma.
        body: What was kept of it, decompressed.
        is_cut: Whether the body goes on past the limit.
    """

    status_code: int
    headers: Mapping[str, str]
    body: bytes
    encoding: str = "utf-8"
    is_cut: bool = False

    @property
    def reason(self) -> str:
        """The standard words for the code, e.g. `Not Found`; empty for codes without any."""
        try:
            return HTTPStatus(self.status_code).phrase
        except ValueError:
            return ""

    @property
    def text(self) -> str:
        """The body as text; what can't be decoded is replaced."""
        return self.body.decode(self.encoding, errors="replace")


def shown_url(url: str) -> str:
    """A URL as it may be shown: without user name, password, fragment and the values of its query."""
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "(a URL that can't be read)"
    host = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{host}{port}{parts.path}{'?…' if parts.query else ''}"


async def fetch(request: HttpRequest, guard: AddressGuard, limits: HttpLimits = HttpLimits()) -> HttpResponse:
    """Send a request and read the answer.

    Raises:
        AddressRefused: the URL, or where it redirects to, is not to be reached.
        HttpFault: there was no answer within the limits.
    """
    import httpcore

    shown = shown_url(request.url)
    try:
        async with asyncio.timeout(limits.total_seconds):
            return await _exchange(request, guard, limits)
    except (TimeoutError, httpcore.TimeoutException):
        raise HttpFault(f"{shown} did not answer within {limits.total_seconds:g} s") from None
    except httpcore.ConnectError as error:
        raise HttpFault(f"{shown} can't be reached: {_cause(error)}") from None
    except httpcore.LocalProtocolError:
        raise HttpFault(f"{shown} can't be asked: the request is no valid HTTP", hint="look at its headers") from None
    except (httpcore.NetworkError, httpcore.ProtocolError, zlib.error) as error:
        raise HttpFault(f"{shown} broke off: {_cause(error)}") from None


async def _exchange(request: HttpRequest, guard: AddressGuard, limits: HttpLimits) -> HttpResponse:
    """The client of httpx is left out: it writes every URL, query included, to its own log."""
    from prefect_wfexec.runtime.http.transport import GuardedTransport

    outgoing = _first_request(request, limits)
    async with GuardedTransport(guard) as transport:
        for _ in range(limits.redirects + 1):
            response = await transport.handle_async_request(outgoing)
            try:
                if not response.has_redirect_location or request.is_expected(response.status_code):
                    return await _read(response, limits.body_bytes)
                outgoing = _followed(outgoing, response)
            finally:
                await response.aclose()
    raise HttpFault(f"{shown_url(request.url)} redirects more than {limits.redirects} times")


def _first_request(request: HttpRequest, limits: HttpLimits) -> "httpx.Request":
    import httpx

    headers = {"user-agent": USER_AGENT, "accept": "*/*", "accept-encoding": "identity", "connection": "close"}
    headers.update((name.lower(), value) for name, value in request.headers.items())
    return httpx.Request(
        request.method,
        _checked_url(request.url),
        headers=[(name.encode(), value.encode()) for name, value in headers.items()],
        content=request.content,
        extensions={"timeout": httpx.Timeout(limits.total_seconds).as_dict()},
    )


def _checked_url(text: str) -> "httpx.URL":
    import httpx

    try:
        url = httpx.URL(text)
    except (httpx.InvalidURL, ValueError) as error:
        raise AddressRefused(f"{shown_url(text)} is no URL: {error}") from None
    if url.scheme not in {"http", "https"} or not url.host:
        raise AddressRefused(
            f"'{shown_url(text)}' is no http or https URL", hint="write e.g. https://example.com/health"
        )
    if url.port is not None and not 0 < url.port < 65536:
        raise AddressRefused(f"port {url.port} is no port, in a URL of host '{url.host}'")
    if url.userinfo:
        raise AddressRefused(
            f"{shown_url(text)} holds a user name or password", hint="send an Authorization header instead"
        )
    return url


def _followed(sent: "httpx.Request", response: "httpx.Response") -> "httpx.Request":
    """The request a redirect leads to, if it stays on the host and does not leave TLS."""
    import httpx

    target = _redirect_target(sent.url, response.headers["location"])
    stays = normal_host(target.host) == normal_host(sent.url.host) and (
        (target.scheme, target.port) == (sent.url.scheme, sent.url.port)
        or (target.scheme == "https" and sent.url.scheme == "http")
    )
    if not stays:
        raise AddressRefused(
            f"{shown_url(str(sent.url))} redirects to {shown_url(str(target))}, which is not the same host and port",
            hint="use that URL itself, or expect the redirect's own status",
        )
    method, content = _redirect_method(sent, response.status_code)
    headers = [(name, value) for name, value in sent.headers.raw if _is_kept(name, has_body=content is not None)]
    return httpx.Request(method, target, headers=headers, content=content, extensions=sent.extensions)


def _redirect_target(base: "httpx.URL", location: str) -> "httpx.URL":
    import httpx

    try:
        joined = str(base.join(location))
    except (httpx.InvalidURL, ValueError):
        raise HttpFault(f"{shown_url(str(base))} redirects to what is no URL") from None
    return _checked_url(joined)


def _redirect_method(sent: "httpx.Request", code: int) -> tuple[str, bytes | None]:
    """307 and 308 keep method and body; the others turn everything but HEAD into GET, as browsers do."""
    if code in {307, 308}:
        return sent.method, sent.content or None
    return ("HEAD" if sent.method == "HEAD" else "GET"), None


def _is_kept(name: bytes, *, has_body: bool) -> bool:
    of_body = {b"content-length", b"content-type", b"transfer-encoding"}
    return name.lower() != b"host" and (has_body or name.lower() not in of_body)


async def _read(response: "httpx.Response", limit: int) -> HttpResponse:
    decoder = _decoder(response.headers.get("content-encoding", "identity").strip().lower())
    kept, raw_bytes, is_cut = bytearray(), 0, False
    async for part in response.aiter_raw():
        raw_bytes += len(part)
        kept += decoder(part, limit + 1 - len(kept))
        if len(kept) > limit or raw_bytes > limit:
            is_cut = True
            break
    return HttpResponse(
        status_code=response.status_code,
        headers=_shown_headers(response),
        body=bytes(kept[:limit]),
        encoding=_known_encoding(response.charset_encoding),
        is_cut=is_cut,
    )


def _decoder(encoding: str) -> Callable[[bytes, int], bytes]:
    """Decodes one part of a body, giving no more than so many bytes."""
    if encoding in {"", "identity"}:
        return lambda part, room: part[:room]
    if encoding in {"gzip", "x-gzip", "deflate"}:
        return zlib.decompressobj(wbits=zlib.MAX_WBITS | 32).decompress
    raise HttpFault(f"the answer is encoded as '{encoding[:40]}', which was not asked for")


def _shown_headers(response: "httpx.Response") -> dict[str, str]:
    names = dict.fromkeys(name.lower() for name in response.headers)
    return {name: response.headers[name] for name in names if name not in {"set-cookie", "set-cookie2"}}


def _known_encoding(name: str | None) -> str:
    try:
        "".encode(name or "utf-8")
    except (LookupError, UnicodeError):
        return "utf-8"
    return name or "utf-8"


def _cause(error: BaseException) -> str:
    """The words of the operating system below an error, where there are any."""
    words, below = str(error) or type(error).__name__, error.__cause__ or error.__context__
    while below is not None:
        if isinstance(below, ssl.SSLError):
            words = str(below.strerror)
        elif isinstance(below, OSError) and below.errno:
            words = os.strerror(below.errno)
        below = below.__cause__ or below.__context__
    return words
