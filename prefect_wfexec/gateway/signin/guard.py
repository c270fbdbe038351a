"""Nothing is reached without a sign-in but what is listed as open: deny by default, before anything is read or routed.

FastAPI reads a request's body before it looks at what a route depends on, so this stands in front of it. What a person
may do is then each route's own to say (`requiring.require`).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import parse_qs, quote, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection, Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from prefect_wfexec.engine.approvals.links import PATH as LINK_PATH
from prefect_wfexec.errors import WfexecError
from prefect_wfexec.gateway.answers import NotServed, error_response
from prefect_wfexec.gateway.bodies import BodyRefused, read_body
from prefect_wfexec.gateway.services import services
from prefect_wfexec.gateway.signin.access import FORM_HEADER
from prefect_wfexec.gateway.signin.faults import NotSignedIn

LARGEST_BODY_BYTES = 1 << 20
FORM_FIELD = "csrf_token"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_FORM = "application/x-www-form-urlencoded"
_HEADERS = {"cache-control": "no-store", "x-content-type-options": "nosniff", "referrer-policy": "same-origin"}


@dataclass(frozen=True, slots=True)
class OpenPath:
    """What answers without a sign-in.

    Attributes:
        methods: The methods that do.
        pattern: The path, all of it, as a regular expression.
    """

    methods: frozenset[str]
    pattern: re.Pattern[str]

    @classmethod
    def of(cls, methods: str, pattern: str) -> "OpenPath":
        """One path, with its methods separated by blanks."""
        return cls(frozenset(methods.split()), re.compile(pattern))

    def takes(self, method: str, path: str) -> bool:
        return method in self.methods and self.pattern.fullmatch(path) is not None


SIGN_IN = OpenPath.of("GET HEAD POST", "/sign-in")
HEALTH = OpenPath.of("GET HEAD", "/healthz")
HOOKS = OpenPath.of("POST", "/hooks/[^/]+/[^/]+")
LINKS = OpenPath.of("GET HEAD POST", f"/{re.escape(LINK_PATH)}/[^/]+|/{re.escape(LINK_PATH)}/[^/]+/plan")
SLACK = OpenPath.of("POST", "/slack/interactions")
OPEN_PATHS = (SIGN_IN, HEALTH, HOOKS, LINKS, SLACK)
"""All that answers without a sign-in; each of these proves who asks in its own way, or tells nothing."""


class Guard:
    """Lets a request in, or answers it.

    Args:
        app: What it guards; who may use it stands in its services.
        open_paths: What answers without a sign-in.
    """

    def __init__(self, app: ASGIApp, open_paths: Sequence[OpenPath] = OPEN_PATHS) -> None:
        self._app = app
        self._open = tuple(open_paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] == "lifespan" or self._is_open(scope):
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)

    def _is_open(self, scope: Scope) -> bool:
        return scope["type"] == "http" and any(one.takes(scope["method"], scope["path"]) for one in self._open)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            access = services(request).access
            identity = access.recognise(request)
            if scope["method"] not in _SAFE:
                body = await read_body(request, LARGEST_BODY_BYTES)
                if identity.session:
                    access.require_own_page(request)
                    access.require_form_token(identity, _form_token(request.headers, body))
                receive = _replayed(body, receive)
        except WfexecError as error:
            await _answer(error, request)(scope, receive, send)
        except BodyRefused as error:
            await error_response(NotServed(error.reason), error.status, extra=_HEADERS)(scope, receive, send)
        else:
            scope.setdefault("state", {})["identity"] = identity
            await self._app(scope, receive, _with_headers(send))

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        connection = HTTPConnection(scope)
        try:
            access = services(connection).access
            identity = access.recognise(connection)
            if identity.session:
                access.require_own_page(connection)
        except WfexecError:
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": "sign in"})
            return
        scope.setdefault("state", {})["identity"] = identity
        await self._app(scope, receive, send)


def form_values(body: bytes) -> dict[str, str]:
    """The fields of a form a page has sent, the last where one is there more than once; nothing when it is no form."""
    try:
        found = parse_qs(body.decode(), keep_blank_values=True, max_num_fields=100, errors="strict")
    except ValueError:
        return {}
    return {name: values[-1] for name, values in found.items()}


def is_form(headers: Headers) -> bool:
    """Whether a request carries what a page's form has sent."""
    return headers.get("content-type", "").partition(";")[0].strip().lower() == _FORM


def _form_token(headers: Headers, body: bytes) -> str:
    return headers.get(FORM_HEADER) or (form_values(body).get(FORM_FIELD, "") if is_form(headers) else "")


def _answer(error: WfexecError, request: Request) -> Response:
    is_page = request.method in {"GET", "HEAD"} and "text/html" in request.headers.get("accept", "")
    if isinstance(error, NotSignedIn) and is_page and not request.url.path.startswith("/api/"):
        asked = quote(request.url.path) + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(f"/sign-in?{urlencode({'next': asked})}", HTTPStatus.SEE_OTHER, _HEADERS)
    return error_response(error, extra=_HEADERS)


def _replayed(body: bytes, receive: Receive) -> Receive:
    """What was read already, to be read once more."""
    is_read = False

    async def again() -> Message:
        nonlocal is_read
        if is_read:
            return await receive()
        is_read = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


def _with_headers(send: Send) -> Send:
    """Adds what every answer to a person says to their browser, where the route says nothing else."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return sending
