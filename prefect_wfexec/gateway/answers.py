"""What a request is answered when it can't be served: the one shape of errors, the right status, never a traceback."""

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import httpx
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from prefect_wfexec.errors import Unreachable, UsageError, WfexecError, error_json
from prefect_wfexec.gateway.signin.faults import Refused
from prefect_wfexec.operations.connection import as_unreachable, refusal_of

logger = logging.getLogger(__name__)
MOST_DIAGNOSTICS = 50
_NOT_FOUND = frozenset({"unknown-run", "no-deployment", "no-workflow", "no-lock", "unknown-delivery", "unknown-report"})
_FORBIDDEN = frozenset({"not-listed", "no-code"})
_WRONG = frozenset(
    {
        "usage",
        "bad-input",
        "missing-input",
        "unknown-input",
        "unknown-step",
        "bad-field",
        "bad-cursor",
        "no-reason",
        "refused-key",
        "refused-number",
        "refused-text",
    }
)
"""What is wrong with the request whatever the run is like; all else that is refused is so because of how things are."""


class NotServed(WfexecError):
    """A request that fits no route, or that none could read."""

    code = "not-served"


class RequestNotValid(WfexecError):
    """A request whose parts do not fit what its route takes.

    Attributes:
        diagnostics: Every fault, with its place.
    """

    code = "bad-request"

    def __init__(self, message: str, diagnostics: Sequence["Fault"]) -> None:
        super().__init__(message, hint="see the OpenAPI document at /openapi.json")
        self.diagnostics = tuple(diagnostics)


class Fault:
    """One fault of a request, in the shape of a diagnostic.

    Args:
        place: Which part of the request.
        message: What is wrong with it.
        code: The kind of fault.
    """

    def __init__(self, place: str, message: str, code: str) -> None:
        self._message = f"{place}: {message}" if place else message
        self._code = code

    def as_json(self) -> dict[str, Any]:
        empty = {"file": None, "line": None, "column": None, "hint": None}
        return {**empty, "severity": "error", "code": self._code, "message": self._message}


def error_response(
    error: WfexecError, status: int | None = None, *, extra: Mapping[str, str] | None = None
) -> JSONResponse:
    """An error as its JSON, with the status and headers of its kind unless told otherwise."""
    headers = {**(extra or {}), **(error.headers if isinstance(error, Refused) else {})}
    if isinstance(error, Unreachable):
        headers["retry-after"] = "5"
    return JSONResponse({"error": error_json(error)}, status or status_of(error), headers)


def status_of(error: WfexecError) -> HTTPStatus:
    """The status an error is answered with."""
    if isinstance(error, Refused):
        return error.status
    if isinstance(error, Unreachable):
        return HTTPStatus.SERVICE_UNAVAILABLE
    if not isinstance(error, UsageError):
        return HTTPStatus.INTERNAL_SERVER_ERROR
    if error.code in _NOT_FOUND:
        return HTTPStatus.NOT_FOUND
    if error.code in _FORBIDDEN:
        return HTTPStatus.FORBIDDEN
    return HTTPStatus.UNPROCESSABLE_ENTITY if error.code in _WRONG else HTTPStatus.CONFLICT


def answer_errors(app: FastAPI) -> None:
    """Have an app answer every error in this shape."""
    app.add_exception_handler(WfexecError, _of_ours)
    app.add_exception_handler(RequestValidationError, _of_validation)
    app.add_exception_handler(HTTPException, _of_http)
    app.add_exception_handler(httpx.HTTPError, _of_prefect)
    app.add_exception_handler(Exception, _unexpected)


async def _of_ours(request: Request, error: Exception) -> Response:
    assert isinstance(error, WfexecError)
    if request.url.path.startswith("/console") and "text/html" in request.headers.get("accept", ""):
        from prefect_wfexec.gateway.console.faults import fault_page

        return fault_page(request, error, status_of(error))
    return error_response(error)


async def _of_validation(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    faults = [
        Fault(".".join(str(part) for part in one["loc"])[:200], str(one["msg"])[:500], "bad-request")
        for one in error.errors()[:MOST_DIAGNOSTICS]
    ]
    words = "the request is not as it has to be" + (f": {faults[0].as_json()['message']}" if faults else "")
    return error_response(RequestNotValid(words, faults), HTTPStatus.UNPROCESSABLE_ENTITY)


async def _of_http(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    words = str(error.detail)
    return error_response(NotServed(words[:1].lower() + words[1:]), error.status_code, extra=error.headers)


async def _of_prefect(request: Request, error: Exception) -> Response:
    route = getattr(request.scope.get("route"), "path", "")
    # The words of a refused call hold what was sent, and that may be anything.
    words = refusal_of(error) if isinstance(error, httpx.HTTPStatusError) else error
    logger.warning("%s %s: prefect's API: %s", request.method, route, words)
    return await _of_ours(request, as_unreachable(error, "its address"))


async def _unexpected(_request: Request, _error: Exception) -> JSONResponse:
    """Whoever serves the app logs it with its traceback."""
    error = WfexecError("this should not happen", hint="look at the gateway's log, and report it", code="internal")
    return error_response(error, HTTPStatus.INTERNAL_SERVER_ERROR)
