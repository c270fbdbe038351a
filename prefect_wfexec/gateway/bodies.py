"""Reads what a request carries: counted as it comes, never more than is allowed, never for longer than is allowed."""

import asyncio
from http import HTTPStatus

from starlette.requests import ClientDisconnect, Request

READ_SECONDS = 10.0


class BodyRefused(Exception):
    """What a request carries is not taken.

    Args:
        status: What to answer.
        reason: Why, in words.
    """

    def __init__(self, status: HTTPStatus, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


async def read_body(request: Request, largest: int, seconds: float = READ_SECONDS) -> bytes:
    """The bytes of a request, as they came.

    Args:
        request: The request; nothing of it was read yet.
        largest: How many bytes are taken.
        seconds: How long they may take to arrive.

    Raises:
        BodyRefused: they are too many, too slow, or compressed.
    """
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in {"", "identity"}:
        raise BodyRefused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "a compressed body is not taken")
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared[:20]) > largest:
        raise _too_large(largest)
    try:
        async with asyncio.timeout(seconds):
            return await _counted(request, largest)
    except TimeoutError:
        reason = f"the body did not arrive within {seconds:g} seconds"
        raise BodyRefused(HTTPStatus.REQUEST_TIMEOUT, reason) from None
    except ClientDisconnect:
        raise BodyRefused(HTTPStatus.BAD_REQUEST, "the sender went away before the body was whole") from None


async def _counted(request: Request, largest: int) -> bytes:
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > largest:
            raise _too_large(largest)
        parts.append(part)
    return b"".join(parts)


def _too_large(largest: int) -> BodyRefused:
    return BodyRefused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body is larger than {largest} bytes")
