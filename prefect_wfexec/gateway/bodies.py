"""Reads what a request carries: counted as it comes, never more than is allowed, never for longer than is allowed."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from http import HTTPStatus

from starlette.requests import ClientDisconnect, Request

READ_SECONDS = 10.0
MOST_BYTES = 128 * 1024 * 1024
"""What all requests together may have sent of bodies that are not whole yet."""


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


class Room:
    """Memory for what has come of bodies that are not whole yet: who proves nothing must not fill it.

    Args:
        most: How many bytes there are for all of them.
    """

    def __init__(self, most: int = MOST_BYTES) -> None:
        self._left = most

    @contextlib.contextmanager
    def of_a_request(self) -> Iterator[Callable[[int], None]]:
        """Takes bytes while a request is read, and gives them back.

        Raises:
            BodyRefused: there is no room left.
        """
        taken = 0

        def take(size: int) -> None:
            nonlocal taken
            if size > self._left:
                reason = "too many bodies are being read at once, try again"
                raise BodyRefused(HTTPStatus.SERVICE_UNAVAILABLE, reason)
            self._left -= size
            taken += size

        try:
            yield take
        finally:
            self._left += taken


ROOM = Room()


async def read_body(request: Request, largest: int, seconds: float = READ_SECONDS, room: Room = ROOM) -> bytes:
    """The bytes of a request, as they came.

    Args:
        request: The request; nothing of it was read yet.
        largest: How many bytes are taken.
        seconds: How long they may take to arrive.
        room: Shared with all requests that are read at the same time.

    Raises:
        BodyRefused: they are too many, too slow, or compressed, or there is no room for them now.
    """
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in {"", "identity"}:
        raise BodyRefused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "a compressed body is not taken")
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared[:20]) > largest:
        raise _too_large(largest)
    try:
        async with asyncio.timeout(seconds):
            with room.of_a_request() as take:
                return await _counted(request, largest, take)
    except TimeoutError:
        reason = f"the body did not arrive within {seconds:g} seconds"
        raise BodyRefused(HTTPStatus.REQUEST_TIMEOUT, reason) from None
    except ClientDisconnect:
        raise BodyRefused(HTTPStatus.BAD_REQUEST, "the sender went away before the body was whole") from None


async def _counted(request: Request, largest: int, take: Callable[[int], None]) -> bytes:
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > largest:
            raise _too_large(largest)
        take(len(part))
        parts.append(part)
    return b"".join(parts)


def _too_large(largest: int) -> BodyRefused:
    return BodyRefused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body is larger than {largest} bytes")
