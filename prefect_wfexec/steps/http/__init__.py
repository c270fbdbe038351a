"""`http.check`: ask a URL until the answer is the one wanted."""

import asyncio
import json
import re
from typing import Annotated

from pydantic import BeforeValidator, Field, field_validator

from prefect_wfexec.definition.durations import Duration
from prefect_wfexec.definition.model import JSON
from prefect_wfexec.errors import StepFailed, StepStopped, UsageError
from prefect_wfexec.runtime.http import (
    AddressGuard,
    AddressRefused,
    HttpFault,
    HttpLimits,
    HttpRequest,
    HttpResponse,
    fetch,
    shown_url,
)
from prefect_wfexec.steps.base import OutputsModel, StepContext, StepResult, StepType, WithModel
from prefect_wfexec.steps.http.expectation import Expectation, Mismatch, as_list, status_line
from prefect_wfexec.steps.registry import step_type
from prefect_wfexec.steps.sensitive import secret_paths

SHORTEST_PAUSE_SECONDS = 0.05
BODY_BYTES = 64 * 1024
"""How much of the body becomes an output."""
_STATUS = re.compile(r"[1-5](xx|[0-9]{2})", re.IGNORECASE)
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


def _header_text(value: object) -> object:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else value


HeaderValue = Annotated[str, BeforeValidator(_header_text)]


class HttpCheckWith(WithModel):
    """What is asked, what the answer has to be, and how long to go on asking."""

    url: str = Field(min_length=1, description="The URL: http or https.")
    method: str = Field(default="GET", description="The method, e.g. `GET`, `HEAD` or `POST`.")
    headers: dict[str, HeaderValue] = Field(default={}, description="Headers to send.")
    body: JSON = Field(default=None, description="What to send: text as it is, any other value as JSON.")
    status: int | str | list[int | str] | None = Field(
        default=None, description="The status wanted: a code, `2xx`, or a list of these; any 2xx when left out."
    )
    contains: str | list[str] | None = Field(default=None, description="Text that has to stand in the body.")
    json_: dict[str, JSON] | None = Field(
        default=None,
        alias="json",
        description="Values that have to stand in a JSON body, by key or dotted path, e.g. `checks.0.status: ok`; "
        "a mapping has to be part of what stands there, all else has to be equal.",
    )
    retry_for: Duration | None = Field(default=None, description="How long to go on asking; one try when left out.")
    every: Duration = Field(default=2.0, description="The pause between two tries.")

    @field_validator("method")
    @classmethod
    def _method(cls, value: str) -> str:
        if not re.fullmatch(r"[A-Za-z]{1,20}", value) or value.upper() in {"CONNECT", "TRACE"}:
            raise ValueError("a method is a word such as GET, HEAD or POST")
        return value.upper()

    @field_validator("headers")
    @classmethod
    def _headers(cls, headers: dict[str, str]) -> dict[str, str]:
        for name, value in headers.items():
            if not _HEADER_NAME.fullmatch(name):
                raise ValueError(f"'{name}' is no header name")
            if _CONTROL.search(value):
                raise ValueError(f"the value of header '{name}' holds a line break or another control character")
        return headers

    @field_validator("status")
    @classmethod
    def _status(cls, value: int | str | list[int | str] | None) -> int | str | list[int | str] | None:
        for item in as_list(value):
            if not _STATUS.fullmatch(str(item)):
                raise ValueError(f"'{item}' is no status: write a code such as 200, a class such as 2xx, or a list")
        if value == []:
            raise ValueError("an empty list allows no answer at all")
        return value


class HttpCheckOutputs(OutputsModel):
    """The answer that was accepted."""

    status_code: int = Field(description="Its status code.")
    body: str = Field(description="The first 64 KiB of its body.")
    headers: dict[str, str] = Field(description="Its headers by lower-case name, cookies left out.")
    attempts: int = Field(description="How many tries it took.")


@step_type("http.check")
class HttpCheck(StepType):
    """Asks a URL, once or until the time is over, and checks status and body."""

    uses_files = False
    Inputs = HttpCheckWith
    Outputs = HttpCheckOutputs

    async def run(self, context: StepContext) -> StepResult:
        inputs: HttpCheckWith = context.inputs
        expectation, guard = Expectation.of(inputs.status, inputs.contains, inputs.json_), _guard(context)
        request = _request(inputs, expectation)
        clock = asyncio.get_running_loop().time
        end = clock() + (inputs.retry_for or 0.0)
        attempt, last = 0, ""
        try:
            while True:
                attempt += 1
                try:
                    response = await _attempt(request, expectation, guard, context, limits=_limits(context))
                    return _result(response, attempt, context)
                except StepFailed as failure:
                    remaining, last = end - clock(), failure.message
                    if not failure.retryable or remaining <= 0:
                        raise _final(failure, attempt) from None
                await asyncio.sleep(min(max(inputs.every, SHORTEST_PAUSE_SECONDS), remaining))
        except asyncio.CancelledError:
            raise _stopped(request, attempt, last, context) from None


def _stopped(request: HttpRequest, attempts: int, last: str, context: StepContext) -> StepStopped:
    asked = f"asked {attempts} times" if attempts > 1 else "asked once"
    words = f"{request.method} {shown_url(request.url)} {asked}" + ("" if last else ", no answer yet")
    return StepStopped(context.masker.mask(f"{words}; the last answer: {last}" if last else words))


async def _attempt(
    request: HttpRequest, expectation: Expectation, guard: AddressGuard, context: StepContext, *, limits: HttpLimits
) -> HttpResponse:
    asked = context.masker.mask(f"{request.method} {shown_url(request.url)}")
    try:
        response = await fetch(request, guard, limits)
        expectation.check(response)
    except AddressRefused as refusal:
        raise _failed(context, "http_refused", refusal.message, hint=refusal.hint, retryable=False) from None
    except HttpFault as fault:
        context.log.stderr(f"{asked}: {context.masker.mask(fault.message)}")
        raise _failed(context, "http_unreachable", fault.message, hint=fault.hint) from None
    except Mismatch as mismatch:
        message = context.masker.mask(str(mismatch))
        context.log.stderr(f"{asked}: {message}")
        raise _failed(context, mismatch.type, f"{asked}: {message}", body=response) from None
    context.log.stdout(f"{asked}: {status_line(response)}")
    return response


def _failed(
    context: StepContext,
    type_: str,
    message: str,
    *,
    hint: str | None = None,
    retryable: bool = True,
    body: HttpResponse | None = None,
) -> StepFailed:
    outputs: dict[str, object] = dict(_outputs(body)) if body is not None else {}
    return StepFailed(
        context.masker.mask(message),
        type=type_,
        hint=hint,
        retryable=retryable,
        tail=context.masker.mask(body.text[:2000]) if body is not None else "",
        outputs=outputs,
    )


def _final(failure: StepFailed, attempts: int) -> StepFailed:
    """The last failure, which says how often was asked, and which a step's `retry` may follow up."""
    if failure.outputs:
        failure.outputs["attempts"] = attempts
    if attempts > 1:
        failure.message = f"{failure.message} (asked {attempts} times)"
        failure.args = (failure.message,)
    return failure


def _result(response: HttpResponse, attempts: int, context: StepContext) -> StepResult:
    outputs = {**_outputs(response), "attempts": attempts}
    return StepResult(outputs=outputs, summary=status_line(response), sensitive=secret_paths(outputs, context.masker))


def _outputs(response: HttpResponse) -> dict[str, JSON]:
    body = response.body[:BODY_BYTES].decode(response.encoding, errors="replace")
    return {"status_code": response.status_code, "body": body, "headers": dict(response.headers)}


def _guard(context: StepContext) -> AddressGuard:
    try:
        return AddressGuard.from_settings(context.run.api_url)
    except UsageError as error:
        raise StepFailed(error.message, type="bad_setting", hint=error.hint, retryable=False) from None


def _limits(context: StepContext) -> HttpLimits:
    usual = HttpLimits()
    if context.timeout_seconds is None:
        return usual
    return HttpLimits(total_seconds=min(usual.total_seconds, context.timeout_seconds))


def _request(inputs: HttpCheckWith, expectation: Expectation) -> HttpRequest:
    headers, content = dict(inputs.headers), None
    if isinstance(inputs.body, str):
        content = inputs.body.encode()
    elif inputs.body is not None:
        content = json.dumps(inputs.body, ensure_ascii=False).encode()
        if not any(name.lower() == "content-type" for name in headers):
            headers["content-type"] = "application/json"
    return HttpRequest(
        url=inputs.url, method=inputs.method, headers=headers, content=content, is_expected=expectation.takes
    )
