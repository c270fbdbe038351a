"""The API's routes without a server: who is let in, and what is said when Prefect or a request is not as it should."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from prefect_wfexec.errors import JournalError, Unreachable, UsageError
from prefect_wfexec.gateway import approving, health, hooks
from prefect_wfexec.gateway.api import routing
from prefect_wfexec.gateway.api.router import router
from prefect_wfexec.gateway.signin.guard import OPEN_PATHS
from tests.support.signin import (
    access_of,
    answering_without_sign_in,
    bearer,
    browser,
    every_route,
    guarded,
    settings,
    token_of,
    write_tokens,
)

BODIES: dict[str, Any] = {
    "/api/v1/executions": {"deployment": "x"},
    "/api/v1/executions/{run}/decisions": {"decision": "approve"},
    "/api/v1/executions/{run}/skip": {"step": "x", "reason": "x"},
}
OWN = {"sec-fetch-site": "same-origin"}


class PrefectAway:
    """A client of a Prefect that has something else to say than what is asked."""

    answer: Callable[[], Awaitable[Any]]

    async def read_deployments(self, **_: Any) -> Any:
        return await self.answer()


@pytest.fixture
def app(tmp_path: Path) -> FastAPI:
    tokens = write_tokens(tmp_path / "tokens.yaml", {"root": ["viewer", "operator", "approver"], "vera": ["viewer"]})
    app = guarded(access_of(settings(file=tokens)), PrefectAway())
    app.include_router(router)
    return app


async def test_nothing_but_the_sign_in_answers_without_one(app: FastAPI) -> None:
    assert await answering_without_sign_in(app) == {("GET", "/sign-in"), ("POST", "/sign-in")}


async def test_with_all_that_other_routers_bring_only_what_is_listed_answers_without_one(app: FastAPI) -> None:
    for part in (health.router, hooks.router, *approving.routers()):
        app.include_router(part)
    assert await answering_without_sign_in(app, but=OPEN_PATHS) == set()
    opened = {path for method, path in every_route(app) if any(one.takes(method, path) for one in OPEN_PATHS)}
    assert opened == {
        "/sign-in",
        "/healthz",
        "/hooks/{workflow}/{trigger}",
        "/approve/{token}",
        "/approve/{token}/plan",
        "/slack/interactions",
    }


async def test_a_route_that_is_forgotten_is_shut(app: FastAPI) -> None:
    @app.get("/forgotten")
    def forgotten() -> str:
        return "anything"

    assert ("GET", "/forgotten") in every_route(app)
    assert ("POST", "/api/v1/executions/{run}/cancel") in every_route(app)
    assert ("GET", "/forgotten") not in await answering_without_sign_in(app)


async def test_who_may_only_look_changes_nothing(app: FastAPI) -> None:
    changing = [path for method, path in every_route(app) if method == "POST" and path.startswith("/api/")]
    assert len(changing) >= 7
    async with browser(app, **bearer("vera")) as client:
        for path in changing:
            answer = await client.post(path.replace("{run}", "x").replace("{name}", "x"), json=BODIES.get(path, {}))
            assert (answer.status_code, answer.json()["error"]["code"]) == (403, "not-allowed"), path


async def test_a_browser_learns_its_token_against_forgery_and_a_program_needs_none(app: FastAPI) -> None:
    async with browser(app) as client:
        mine = (await client.get("/api/v1/me", headers=bearer("vera"))).json()
        assert mine == {"name": "vera", "roles": ["viewer"], "verified_by": "token", "csrf_token": None}
        await client.post("/sign-in", data={"token": token_of("root")}, headers=OWN)
        mine = (await client.get("/api/v1/me")).json()
        assert mine["roles"] == ["approver", "operator", "viewer"]
        without = await client.post("/api/v1/executions", json={}, headers=OWN)
        assert (without.status_code, without.json()["error"]["code"]) == (403, "cross-site")
        given = {**OWN, "x-csrf-token": mine["csrf_token"]}
        assert (await client.post("/api/v1/executions", json={}, headers=given)).status_code == 422


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"", 422, "body"),
        (b"{", 422, "JSON decode error"),
        (b"\xff", 400, "parsing the body"),
        (b"[" * 100_000, 400, "parsing the body"),
        (b"[]", 422, "body"),
        (b'{"deployment": "a", "more": 1}', 422, "body.more"),
        (b'{"deployment": 1}', 422, "body.deployment"),
        (b'{"deployment": "a\\u0000b"}', 422, "is not allowed"),
        (b'{"deployment": "\\ud800"}', 422, "is not allowed"),
        (b'{"deployment": "a", "inputs": {"a": [{"__prefect_kind": "json"}]}}', 422, "__prefect_kind"),
        (b'{"deployment": "a", "inputs": {"a": {"$ref": "x"}}}', 422, "$ref"),
        (b'{"deployment": "a", "inputs": {"a": NaN}}', 422, "is not allowed"),
        (b'{"deployment": "a", "inputs": {"a": 1e999}}', 422, "is not allowed"),
    ],
)
async def test_a_body_that_is_not_as_it_should_be_is_refused(
    app: FastAPI, body: bytes, status: int, words: str
) -> None:
    async with browser(app, **bearer("root"), **{"content-type": "application/json"}) as client:
        answer = await client.post("/api/v1/executions", content=body)
    error = answer.json()["error"]
    said = [error["message"], *(one["message"] for one in error["diagnostics"])]
    assert (answer.status_code, any(words in text for text in said)) == (status, True), error
    assert error.keys() == {"code", "message", "hint", "diagnostics"}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/api/v1/nothing", 404), ("DELETE", "/api/v1/me", 405), ("GET", "/api/v1/executions/", 404)],
)
async def test_what_fits_no_route_is_told_in_the_same_shape(app: FastAPI, method: str, path: str, status: int) -> None:
    async with browser(app, **bearer("root")) as client:
        answer = await client.request(method, path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, "not-served")


PREFECT = httpx.Request("POST", "http://prefect.internal:4200/api/deployments/filter")


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        (httpx.ConnectError("refused"), 503, "unreachable"),
        (httpx.ReadTimeout("slow"), 503, "unreachable"),
        (
            httpx.HTTPStatusError("x", request=PREFECT, response=httpx.Response(500, request=PREFECT)),
            503,
            "unreachable",
        ),
        (Unreachable("away"), 503, "unreachable"),
        (UsageError("no", code="unknown-run"), 404, "unknown-run"),
        (UsageError("no", code="running"), 409, "running"),
        (UsageError("no"), 422, "usage"),
        (JournalError("changed"), 500, "journal"),
        (RuntimeError("secret detail"), 500, "internal"),
    ],
)
async def test_every_fault_has_its_status_and_tells_no_details(
    app: FastAPI, fault: Exception, status: int, code: str
) -> None:
    async def answer() -> None:
        raise fault

    app.state.services.client.answer = answer
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", headers=bearer("root")) as client:
        answer = await client.get("/api/v1/workflows")
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert ("retry-after" in answer.headers) is (status == 503)
    for detail in ("secret detail", "Traceback", "prefect.internal"):
        assert detail not in answer.text


async def test_what_was_sent_to_prefect_is_not_logged(app: FastAPI, caplog: pytest.LogCaptureFixture) -> None:
    echo = {"exception_detail": [{"msg": "no", "input": "secret detail"}], "request_body": "secret detail"}
    response = httpx.Response(422, json=echo, request=PREFECT)

    async def answer() -> None:
        raise httpx.HTTPStatusError(f"422: {response.text}", request=PREFECT, response=response)

    app.state.services.client.answer = answer
    async with browser(app, **bearer("root")) as client:
        await client.get("/api/v1/workflows")
    assert "GET /api/v1/workflows: prefect's API: no" in caplog.text
    assert "secret detail" not in caplog.text


async def test_a_prefect_that_does_not_answer_is_not_waited_for(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routing, "LONGEST_SECONDS", 0.05)

    app.state.services.client.answer = asyncio.Event().wait
    async with browser(app, **bearer("root")) as client:
        answer = await client.get("/api/v1/workflows")
    assert (answer.status_code, "did not answer within" in answer.text) == (503, True)


def test_the_document_names_the_sign_in_and_every_fault(app: FastAPI) -> None:
    document = app.openapi()
    assert "/sign-in" not in document["paths"]
    for path, methods in document["paths"].items():
        for operation in methods.values():
            assert operation["security"] == [{"HTTPBearer": []}], path
            assert {"401", "403", "404", "409", "422", "503"} <= operation["responses"].keys()


async def test_who_has_no_role_is_told_so_by_every_route() -> None:
    app = guarded(access_of(settings(header="X-User", networks="10.0.0.0/8", roles="none")))
    app.include_router(router)
    async with browser(app, peer="10.1.1.1", **{"x-user": "stranger@example.com"}, **OWN) as client:
        token = app.state.services.access.sessions.form_token("proxy", "stranger@example.com")
        for method, path in every_route(app):
            if path.startswith("/api/"):
                filled = path.replace("{run}", "x").replace("{name}", "x")
                answer = await client.request(
                    method, filled, headers={"x-csrf-token": token}, json=BODIES.get(path, {})
                )
                assert answer.status_code == 403, (method, path, answer.text)
                assert "has no role" in answer.text or "is no " in answer.text
