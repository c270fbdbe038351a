"""What a request carries is counted as it comes."""

import asyncio
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Any

import pytest
from starlette.requests import Request

from prefect_wfexec.gateway.bodies import BodyRefused, Room, read_body


def request(parts: AsyncIterator[bytes], **headers: str) -> Request:
    async def receive() -> dict[str, Any]:
        part = await anext(parts, None)
        if part is None:
            return {"type": "http.request", "body": b"", "more_body": False}
        if part == b"gone":
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": part, "more_body": True}

    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "method": "POST", "headers": raw}, receive)


async def sent(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def test_the_bytes_come_as_they_were_sent() -> None:
    assert await read_body(request(sent(b"a", b"\x00", b"b")), 3) == b"a\x00b"


async def test_more_than_is_allowed_is_not_even_read() -> None:
    read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        while True:
            read += 1
            yield b"x" * 1000

    with pytest.raises(BodyRefused) as refused:
        await read_body(request(endless()), 10_000)
    assert (refused.value.status, read) == (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, 11)


async def test_a_declared_size_is_believed_when_it_is_too_large() -> None:
    async def untouched() -> AsyncIterator[bytes]:
        raise AssertionError("nothing is read")
        yield b""

    for size in ("10001", "9" * 5000):
        with pytest.raises(BodyRefused) as refused:
            await read_body(request(untouched(), content_length=size), 10_000)
        assert refused.value.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE


@pytest.mark.parametrize("encoding", ["gzip", "br", "Identity, gzip", "GZIP"])
async def test_a_compressed_body_is_refused(encoding: str) -> None:
    with pytest.raises(BodyRefused) as refused:
        await read_body(request(sent(b"a"), content_encoding=encoding), 10)
    assert refused.value.status == HTTPStatus.UNSUPPORTED_MEDIA_TYPE


async def test_a_slow_body_is_given_up() -> None:
    async def slow() -> AsyncIterator[bytes]:
        yield b"a"
        await asyncio.Event().wait()

    with pytest.raises(BodyRefused) as refused:
        await read_body(request(slow()), 10, seconds=0.01)
    assert refused.value.status == HTTPStatus.REQUEST_TIMEOUT


async def test_a_sender_that_goes_away_is_no_fault() -> None:
    with pytest.raises(BodyRefused) as refused:
        await read_body(request(sent(b"a", b"gone")), 10)
    assert refused.value.status == HTTPStatus.BAD_REQUEST


async def test_bodies_that_do_not_end_share_so_much_room_and_give_it_back() -> None:
    room, goes_on = Room(10), asyncio.Event()

    async def hanging() -> AsyncIterator[bytes]:
        yield b"12345678"
        await goes_on.wait()

    hangs = asyncio.create_task(read_body(request(hanging()), 100, room=room))
    await asyncio.sleep(0)
    with pytest.raises(BodyRefused) as refused:
        await read_body(request(sent(b"123")), 100, room=room)
    assert refused.value.status == HTTPStatus.SERVICE_UNAVAILABLE
    assert await read_body(request(sent(b"12")), 100, room=room) == b"12"
    goes_on.set()
    assert await hangs == b"12345678"
    assert await read_body(request(sent(b"1234567890")), 100, room=room) == b"1234567890"
