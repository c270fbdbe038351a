"""Reading what a request brings: bounded in size and time, and only in the form a page or Slack sends it."""

import asyncio
from urllib.parse import parse_qsl

from fastapi import Request

from prefect_wfexec.errors import WfexecError

LARGEST_BODY_BYTES = 1024 * 1024
READ_SECONDS = 10.0
MOST_FIELDS = 200
FORM_TYPE = "application/x-www-form-urlencoded"


class BodyRefused(WfexecError):
    """A request whose body is not taken.

    Attributes:
        status: The status code that says so.
    """

    code = "body-refused"

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


async def read_body(request: Request) -> bytes:
    """The bytes of a form.

    Raises:
        BodyRefused: they are too many, too slow, compressed, or no form.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != FORM_TYPE:
        raise BodyRefused(415, f"a body of type {FORM_TYPE} is wanted")
    if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise BodyRefused(415, "a compressed body is not read")
    try:
        async with asyncio.timeout(READ_SECONDS):
            return await _read(request)
    except TimeoutError:
        raise BodyRefused(408, f"the body was not there after {READ_SECONDS:g} s") from None


async def _read(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_BODY_BYTES:
            raise BodyRefused(413, f"the body is larger than {LARGEST_BODY_BYTES} bytes")
    return bytes(body)


def read_fields(body: bytes) -> dict[str, str]:
    """The fields of a form; of one that comes twice the last.

    Raises:
        BodyRefused: there are too many.
    """
    text = body.decode("utf-8", "replace")
    try:
        return dict(parse_qsl(text, keep_blank_values=True, errors="replace", max_num_fields=MOST_FIELDS))
    except ValueError:
        raise BodyRefused(400, f"the form has more than {MOST_FIELDS} fields") from None
