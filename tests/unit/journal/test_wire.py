"""The connection that entries go over, against servers that answer well, oddly, or not at all."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from prefect.client.orchestration import PrefectClient

from prefect_wfexec.journal.wire import BUSY_PAUSES_SECONDS, Wire
from tests.support.web_server import Asked, Reply, WebServer


async def test_one_connection_carries_many_requests_with_the_clients_headers():
    with WebServer(lambda asked: Reply(201 if asked.body == b'{"n": 1}' else 409)) as web:
        async with PrefectClient(f"{web.url}/api", httpx_settings={"headers": {"x-ours": "yes"}}) as client:
            wire = Wire(client)
            answers = [await wire.send("POST", "/runs/1/input", {"n": number}) for number in (1, 2, 1)]
            await wire.close()
        assert answers == [201, 409, 201]
        assert [asked.target for asked in web.asked] == ["/api/runs/1/input"] * 3
        assert {asked.headers["x-ours"] for asked in web.asked} == {"yes"}


async def test_requests_at_once_get_their_own_answers():
    with WebServer(lambda asked: Reply(200 + int(asked.target.rpartition("/")[2]))) as web:
        async with PrefectClient(web.url) as client:
            wire = Wire(client)
            answers = await asyncio.gather(*(wire.send("POST", f"/{number}", {}) for number in range(20)))
            await wire.close()
    assert answers == [200 + number for number in range(20)]


async def test_a_busy_server_is_asked_again_within_the_second_and_then_given_up():
    answers = iter([503, 503, 201])

    def answer(asked: Asked) -> Reply:
        return Reply(503 if asked.target == "/busy" else next(answers))

    with WebServer(answer) as web:
        async with PrefectClient(web.url) as client:
            wire = Wire(client)
            assert await wire.send("POST", "/once", {}) == 201
            assert await wire.send("POST", "/busy", {}) is None
            await wire.close()
        assert len(web.asked) == 3 + 1 + len(BUSY_PAUSES_SECONDS)


@contextmanager
def raw_server(*answers: bytes) -> Iterator[str]:
    """Answers each connection's first request with bytes as they are, and closes it."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            for answer in answers:
                connection, _ = listening.accept()
                with connection:
                    connection.recv(1 << 16)
                    connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        thread.join(10)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 201 Created\r\ncontent-length: 10\r\n\r\n123",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 201",
    ],
)
async def test_a_broken_answer_is_none_and_the_next_request_opens_a_new_connection(answer):
    with raw_server(answer, b"HTTP/1.1 201 Created\r\ncontent-length: 0\r\n\r\n") as url:
        async with PrefectClient(url) as client:
            wire = Wire(client)
            assert await wire.send("POST", "/x", {}) is None
            assert await wire.send("POST", "/x", {}) == 201
            await wire.close()


async def test_nobody_listening_is_none():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    async with PrefectClient(f"http://127.0.0.1:{port}") as client:
        assert await Wire(client).send("POST", "/x", {}) is None


async def test_a_request_given_up_in_its_middle_leaves_no_answer_for_the_next():
    asked, may_answer = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def answer(request: Asked) -> Reply:
        if request.target == "/slow":
            loop.call_soon_threadsafe(asked.set)
            may_answer.wait(10)
            return Reply(409)
        return Reply(201)

    with WebServer(answer) as web:
        async with PrefectClient(web.url) as client:
            wire = Wire(client)
            slow = asyncio.create_task(wire.send("POST", "/slow", {}))
            await asyncio.wait_for(asked.wait(), 10)
            slow.cancel()
            with pytest.raises(asyncio.CancelledError):
                await slow
            assert await wire.send("POST", "/next", {}) == 201
            may_answer.set()
            await wire.close()


async def test_a_client_that_goes_another_way_is_left_alone():
    with WebServer(lambda _asked: Reply(201)) as web:
        proxied = {"mounts": {"all://": httpx.AsyncHTTPTransport(proxy="http://127.0.0.1:9")}}
        async with PrefectClient(web.url, httpx_settings=proxied) as client:
            assert await Wire(client).send("POST", "/x", {}) is None
        assert web.asked == []
