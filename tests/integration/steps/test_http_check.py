"""HTTP checks against a real server on loopback."""

import asyncio
import json
from collections.abc import Iterator

import pytest
from pydantic import ValidationError

from prefect_wfexec.errors import StepFailed
from prefect_wfexec.steps.base import StepResult
from prefect_wfexec.testing import log_of, make_context, run_step
from tests.support.web_server import Asked, Reply, WebServer


@pytest.fixture(autouse=True)
def allow_loopback(monkeypatch) -> None:
    monkeypatch.setenv("PREFECT_INTEGRATIONS_WFEXEC_HTTP_ALLOW", "127.0.0.1")


class Script:
    """Answers one after the other, the last one for ever."""

    def __init__(self) -> None:
        self.replies: list[Reply] = [Reply(body=b"fine")]

    def __call__(self, asked: Asked) -> Reply:
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def web(script: Script) -> Iterator[WebServer]:
    with WebServer(script) as server:
        yield server


async def check(web: WebServer, path: str = "/health", **with_: object) -> StepResult:
    return await run_step(make_context("http.check", with_={"url": web.url + path, **with_}))


async def failure_of(web: WebServer, **with_: object) -> StepFailed:
    with pytest.raises(StepFailed) as caught:
        await check(web, **with_)
    return caught.value


async def test_gives_status_body_headers_and_attempts(web, script) -> None:
    script.replies = [Reply(200, "grüß".encode(), {"X-Version": "7", "Set-Cookie": "a=b"})]
    result = await check(web)
    assert result.summary == "HTTP 200 OK"
    headers = result.outputs.pop("headers")
    assert result.outputs == {"status_code": 200, "body": "grüß", "attempts": 1}
    assert headers["x-version"] == "7"
    assert "set-cookie" not in headers


async def test_sends_what_it_is_told_to(web) -> None:
    await check(web, method="post", headers={"X-Count": 3, "X-On": True}, body={"a": ["ü", None]})
    asked = web.asked[0]
    assert (asked.method, json.loads(asked.body)) == ("POST", {"a": ["ü", None]})
    assert (asked.headers["x-count"], asked.headers["x-on"]) == ("3", "true")
    assert asked.headers["content-type"] == "application/json"
    await check(web, method="PUT", headers={"Content-Type": "text/csv"}, body="a;b")
    assert (web.asked[1].body, web.asked[1].headers["content-type"]) == (b"a;b", "text/csv")


@pytest.mark.parametrize(
    ("wanted", "status", "is_taken"),
    [
        (None, 204, True),
        (None, 404, False),
        (404, 404, True),
        ("404", 404, True),
        ("4xx", 404, True),
        ("4XX", 500, False),
        ([200, "5xx"], 503, True),
        ([200, 201], 202, False),
    ],
)
async def test_the_status_wanted(web, script, wanted: object, status: int, is_taken: bool) -> None:
    script.replies = [Reply(status)]
    with_ = {} if wanted is None else {"status": wanted}
    if is_taken:
        assert (await check(web, **with_)).outputs["status_code"] == status
    else:
        failure = await failure_of(web, **with_)
        assert failure.type == "http_status"
        assert f"HTTP {status}" in failure.message


async def test_a_failure_keeps_the_answer(web, script) -> None:
    script.replies = [Reply(503, b"draining")]
    failure = await failure_of(web)
    assert "HTTP 503 Service Unavailable where 2xx is wanted" in failure.message
    assert failure.tail == "draining"
    assert (failure.outputs["status_code"], failure.outputs["body"], failure.outputs["attempts"]) == (
        503,
        "draining",
        1,
    )


@pytest.mark.parametrize(
    ("with_", "words"),
    [
        ({"contains": "ok"}, None),
        ({"contains": ["ok", "1.2"]}, None),
        ({"contains": ["ok", "9.9"]}, 'does not contain "9.9"'),
        ({"json": {"status": "ok"}}, None),
        ({"json": {"status": "down"}}, '\'status\' is "ok" where "down" is wanted'),
        ({"json": {"checks.0.name": "db"}}, None),
        ({"json": {"checks.1.name": "db"}}, "no value at 'checks.1.name'"),
        ({"json": {"checks.0.up": True}}, None),
        ({"json": {"checks.0.up": 1}}, "'checks.0.up' is true where 1 is wanted"),
        ({"json": {"build": {"version": "1.2"}}}, None),
        ({"json": {"build": {"version": "1.2", "extra": None}}}, "'build' is"),
        ({"json": {"build.version": "1.2"}}, None),
        ({"json": {"dotted.key": 5}}, None),
        ({"json": {"list": [1, {"a": 1}]}}, None),
        ({"json": {"list": [1]}}, "'list' is"),
        ({"json": {"nothing": None}}, None),
        ({"json": {"absent": None}}, "no value at 'absent'"),
    ],
)
async def test_what_has_to_stand_in_the_body(web, script, with_: dict[str, object], words: str | None) -> None:
    document = {
        "status": "ok",
        "checks": [{"name": "db", "up": True}],
        "build": {"version": "1.2", "commit": "abc"},
        "dotted.key": 5,
        "list": [1, {"a": 1, "b": 2}],
        "nothing": None,
    }
    script.replies = [Reply(200, json.dumps(document).encode())]
    if words is None:
        assert (await check(web, **with_)).outputs["status_code"] == 200
    else:
        failure = await failure_of(web, **with_)
        assert failure.type == "http_mismatch"
        assert words in failure.message


@pytest.mark.parametrize("body", [b"<html>", b"", b"[" * 100_000])
async def test_a_body_that_is_no_json_does_not_match(web, script, body: bytes) -> None:
    script.replies = [Reply(200, body)]
    failure = await failure_of(web, json={"status": "ok"})
    assert (failure.type, "no JSON" in failure.message) == ("http_mismatch", True)


async def test_goes_on_asking_until_the_answer_is_right(web, script) -> None:
    script.replies = [Reply(503), Reply(200, b"starting"), Reply(200, b"ready")]
    context = make_context(
        "http.check", with_={"url": web.url, "contains": "ready", "retry_for": "1m", "every": "10ms"}
    )
    result = await run_step(context)
    assert (result.outputs["attempts"], result.outputs["body"]) == (3, "ready")
    assert "HTTP 503" in log_of(context).text("stderr")
    assert "does not contain" in log_of(context).text("stderr")
    assert "HTTP 200 OK" in log_of(context).text("stdout")


async def test_gives_up_when_the_time_is_over(web, script) -> None:
    script.replies = [Reply(503)]
    failure = await failure_of(web, retry_for="400ms", every="100ms")
    assert failure.type == "http_status"
    assert 2 <= len(web.asked) <= 6
    assert f"(asked {len(web.asked)} times)" in failure.message
    assert failure.outputs["attempts"] == len(web.asked)


async def test_asks_a_last_time_at_the_end_of_a_pause_that_is_too_long(web, script) -> None:
    script.replies = [Reply(503), Reply(200)]
    assert (await check(web, retry_for="200ms", every="1h")).outputs["attempts"] == 2


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_is_asked_once_without_retry_for(web, script, method: str) -> None:
    script.replies = [Reply(503)]
    await failure_of(web, method=method)
    assert len(web.asked) == 1


async def test_a_server_that_comes_up_late_is_waited_for(script) -> None:
    probe = WebServer(script)
    port = probe.port
    probe._server.server_close()
    context = make_context("http.check", with_={"url": f"http://127.0.0.1:{port}", "retry_for": "1m", "every": "20ms"})
    task = asyncio.create_task(run_step(context))
    async with asyncio.timeout(30):
        while "refused" not in log_of(context).text("stderr"):
            await asyncio.sleep(0.01)
    late = await asyncio.start_server(_always_fine, "127.0.0.1", port)
    async with late:
        assert (await task).outputs["attempts"] > 1


async def _always_fine(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
    writer.close()


async def test_an_address_that_is_not_allowed_is_refused_at_once(web, monkeypatch) -> None:
    monkeypatch.delenv("PREFECT_INTEGRATIONS_WFEXEC_HTTP_ALLOW")
    failure = await failure_of(web, retry_for="1h")
    assert (failure.type, failure.retryable) == ("http_refused", False)
    assert "PREFECT_INTEGRATIONS_WFEXEC_HTTP_ALLOW" in (failure.hint or "")
    assert web.asked == []


async def test_the_api_of_the_run_may_be_asked(web, monkeypatch) -> None:
    monkeypatch.delenv("PREFECT_INTEGRATIONS_WFEXEC_HTTP_ALLOW")
    context = make_context("http.check", with_={"url": f"{web.url}/api/health"}, api_url=f"{web.url}/api")
    assert (await run_step(context)).outputs["status_code"] == 200


async def test_a_setting_that_means_nothing_is_said(web, monkeypatch) -> None:
    monkeypatch.setenv("PREFECT_INTEGRATIONS_WFEXEC_HTTP_ALLOW", "http://127.0.0.1")
    assert (await failure_of(web)).type == "bad_setting"


async def test_nobody_there_is_unreachable() -> None:
    context = make_context("http.check", with_={"url": "http://127.0.0.1:1/"})
    with pytest.raises(StepFailed, match=r"can't be reached: Connection refused") as caught:
        await run_step(context)
    assert caught.value.type == "http_unreachable"


async def test_a_redirect_elsewhere_is_refused_unless_it_is_wanted(web, script) -> None:
    script.replies = [Reply(302, headers={"Location": "https://example.com/"})]
    assert (await failure_of(web)).type == "http_refused"
    assert (await check(web, status=302)).outputs["headers"]["location"] == "https://example.com/"


async def test_the_body_is_cut_at_64_kib(web, script) -> None:
    script.replies = [Reply(200, b"x" * 100_000 + b"end")]
    result = await check(web, contains="end")
    assert len(result.outputs["body"]) == 64 * 1024


async def test_secrets_are_masked_and_marked(web, script) -> None:
    script.replies = [Reply(200, b"you sent s3cr3t-t0ken", {"X-Echo": "s3cr3t-t0ken"})]
    with_ = {"url": f"{web.url}/s3cr3t-t0ken", "headers": {"Authorization": "Bearer s3cr3t-t0ken"}}
    context = make_context("http.check", with_=with_, secrets=("s3cr3t-t0ken",))
    result = await run_step(context)
    assert result.sensitive == {("body",), ("headers", "x-echo")}
    assert "s3cr3t" not in log_of(context).text()


async def test_secrets_are_masked_in_a_failure(web, script) -> None:
    script.replies = [Reply(500, b'{"token": "s3cr3t-t0ken"}')]
    for with_ in ({"status": 200}, {"status": 500, "json": {"token": "x"}}):
        context = make_context(
            "http.check", with_={"url": f"{web.url}/s3cr3t-t0ken", **with_}, secrets=("s3cr3t-t0ken",)
        )
        with pytest.raises(StepFailed) as caught:
            await run_step(context)
        assert "s3cr3t" not in caught.value.message + caught.value.tail + log_of(context).text()


@pytest.mark.parametrize(
    "with_",
    [
        {},
        {"url": ""},
        {"url": "http://x", "status": 99},
        {"url": "http://x", "status": "2x"},
        {"url": "http://x", "status": []},
        {"url": "http://x", "status": True},
        {"url": "http://x", "method": "GET /"},
        {"url": "http://x", "method": "CONNECT"},
        {"url": "http://x", "headers": {"a b": "c"}},
        {"url": "http://x", "headers": {"a": "b\r\nc: d"}},
        {"url": "http://x", "every": "soon"},
        {"url": "http://x", "json_": {"a": 1}},
        {"url": "http://x", "retries": 3},
    ],
)
def test_what_a_check_can_not_be_given(with_: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        make_context("http.check", with_=with_)
