"""Who is let in, by what, and what is refused before any route is asked."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request
from starlette.websockets import WebSocket

from prefect_wfexec.gateway.signin.guard import LARGEST_BODY_BYTES
from prefect_wfexec.gateway.signin.people import hash_of
from prefect_wfexec.gateway.signin.requiring import Approver, Operator, Viewer
from prefect_wfexec.gateway.signin.throttle import MOST_FAILURES
from tests.support.signin import (
    URL,
    access_of,
    bearer,
    browser,
    guarded,
    live,
    settings,
    token_of,
    write_people,
    write_tokens,
)

OWN = {"sec-fetch-site": "same-origin"}


def app_of(environ: dict[str, str], url: str = URL) -> FastAPI:
    app = guarded(access_of(environ, url))

    @app.get("/read")
    def read(person: Viewer) -> dict[str, Any]:
        return {"name": person.name, "verified_by": person.verified_by}

    @app.post("/operate")
    async def operate(person: Operator, request: Request) -> dict[str, Any]:
        return {"name": person.name, "size": len(await request.body())}

    @app.post("/approve")
    def approve(person: Approver) -> str:
        return person.name

    @app.post("/hooks/{workflow}/{trigger}")
    def hook(workflow: str, trigger: str) -> str:
        return workflow + trigger

    @app.get("/form-token")
    def form_token(person: Viewer) -> str:
        return app.state.services.access.form_token(person)

    @app.websocket("/live")
    async def answer(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text(websocket.state.identity.name)
        await websocket.close()

    return app


@pytest.fixture
def tokens(tmp_path: Path) -> Path:
    return write_tokens(tmp_path / "tokens.yaml")


@pytest.fixture
def app(tokens: Path) -> FastAPI:
    return app_of(settings(file=tokens, header="X-User", networks="10.0.0.0/8"))


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with browser(app) as client:
        yield client


async def sign_in(client: httpx.AsyncClient, name: str, next_page: str = "/") -> httpx.Response:
    form = {"token": token_of(name), "next": next_page}
    return await client.post("/sign-in", data=form, headers=OWN)


async def form_token(client: httpx.AsyncClient, **headers: str) -> str:
    return str((await client.get("/form-token", headers=headers)).json())


async def test_without_a_sign_in_programs_get_401_and_people_the_page(client: httpx.AsyncClient) -> None:
    answer = await client.get("/read")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.json()["error"].keys() == {"code", "message", "hint", "diagnostics"}
    assert answer.json()["error"]["code"] == "not-signed-in"
    page = await client.get("/read?a=1&b=2", headers={"accept": "text/html"})
    assert (page.status_code, page.headers["location"]) == (303, "/sign-in?next=%2Fread%3Fa%3D1%26b%3D2")
    for path in ("/nothing", "/openapi.json", "/docs", "/sign-in/", "/hooks/a/b/c", "/hooks/a", "/HEALTHZ"):
        assert (await client.get(path)).status_code == 401, path
    assert (await client.get("/api/v1/x", headers={"accept": "text/html"})).status_code == 401
    assert (await client.get("/hooks/a/b")).status_code == 401


async def test_what_is_open_answers(client: httpx.AsyncClient) -> None:
    assert (await client.post("/hooks/flow/push")).json() == "flowpush"
    assert (await client.get("/sign-in")).status_code == 200


async def test_a_token_shows_who_asks(client: httpx.AsyncClient) -> None:
    answer = await client.get("/read", headers=bearer("olga"))
    assert answer.json() == {"name": "olga", "verified_by": "token"}
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert (
        "access-control-allow-origin"
        not in (await client.get("/read", headers={**bearer("olga"), "origin": "https://other.example"})).headers
    )


@pytest.mark.parametrize(
    "value", ["Bearer ", "Bearer", "Bearer wrong", f"Basic {token_of('olga')}", token_of("olga"), "Bearer \u00e9"]
)
async def test_what_is_no_token_of_anybody_is_refused(client: httpx.AsyncClient, value: str) -> None:
    assert (await client.get("/read", headers={"authorization": value.encode()})).status_code == 401


async def test_two_tokens_are_none(client: httpx.AsyncClient) -> None:
    given = [("authorization", f"Bearer {token_of('olga')}"), ("authorization", f"Bearer {token_of('vera')}")]
    assert (await client.get("/read", headers=given)).status_code == 401


async def test_each_route_asks_for_its_role(client: httpx.AsyncClient) -> None:
    for name, operates, approves in [
        ("vera", 403, 403),
        ("olga", 200, 403),
        ("anna@example.com", 403, 200),
        ("both@example.com", 200, 200),
    ]:
        assert (await client.get("/read", headers=bearer(name))).status_code == 200
        assert (await client.post("/operate", headers=bearer(name))).status_code == operates
        assert (await client.post("/approve", headers=bearer(name))).status_code == approves


async def test_the_proxy_signs_people_in(app: FastAPI) -> None:
    async with browser(app, peer="10.1.1.1") as client:
        known = await client.get("/read", headers={"x-user": "Both@example.com"})
        assert known.json() == {"name": "both@example.com", "verified_by": "proxy"}
        unknown = {"x-user": "newcomer@example.com"}
        assert (await client.get("/read", headers=unknown)).json()["name"] == "newcomer@example.com"
        token = await form_token(client, **unknown)
        refused = await client.post("/operate", headers={**unknown, **OWN, "x-csrf-token": token})
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "not-allowed")


async def test_the_proxys_header_from_elsewhere_is_refused_though_a_token_is_right(client: httpx.AsyncClient) -> None:
    for headers in ({"x-user": "both@example.com"}, {"x-user": "x", **bearer("olga")}):
        answer = await client.get("/read", headers=headers)
        assert (answer.status_code, "believed from the proxy only" in answer.text) == (401, True)


async def test_what_comes_through_the_proxy_is_asked_by_a_page_of_ours(app: FastAPI) -> None:
    who = {"x-user": "both@example.com"}
    async with browser(app, peer="10.1.1.1") as client:
        token = await form_token(client, **who)
        for headers in ({}, OWN, {"x-csrf-token": token}, {"sec-fetch-site": "cross-site", "x-csrf-token": token}):
            assert (await client.post("/operate", headers={**who, **headers})).status_code == 403, headers
        assert (await client.post("/operate", headers={**who, **OWN, "x-csrf-token": token})).status_code == 200
        another = {"x-user": "olga", **OWN, "x-csrf-token": token}
        assert (await client.post("/operate", headers=another)).status_code == 403


async def test_a_browser_signs_in_and_out(client: httpx.AsyncClient) -> None:
    answer = await sign_in(client, "olga", "/read?a=1")
    assert (answer.status_code, answer.headers["location"]) == (303, "/read?a=1")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert "secure" not in cookie
    assert token_of("olga") not in cookie
    assert (await client.get("/read")).json() == {"name": "olga", "verified_by": "token"}
    stolen = dict(client.cookies)
    token = await form_token(client)
    assert (await client.post("/sign-out", headers=OWN)).status_code == 403
    assert (await client.post("/sign-out", data={"csrf_token": token}, headers=OWN)).status_code == 303
    assert not client.cookies
    assert (await client.get("/read")).status_code == 401
    client.cookies.update(stolen)
    assert (await client.get("/read")).status_code == 401


async def test_over_https_the_cookie_stays_there(tokens: Path) -> None:
    url = "https://gateway.example.com"
    async with browser(app_of(settings(file=tokens), url), url=url) as client:
        answer = await sign_in(client, "olga")
        assert answer.headers["set-cookie"].startswith("__Host-wfexec-session=")
        assert "secure" in answer.headers["set-cookie"].lower()
        assert (await client.get("/read")).status_code == 200


async def test_another_page_changes_nothing_in_a_browser_that_is_signed_in(client: httpx.AsyncClient) -> None:
    await sign_in(client, "olga")
    token = await form_token(client)
    own_origin = {"origin": URL}
    for headers in (
        {},
        OWN,
        {"x-csrf-token": token},
        {"sec-fetch-site": "cross-site", "x-csrf-token": token},
        {"sec-fetch-site": "same-site", "x-csrf-token": token},
        {"sec-fetch-site": "none", "x-csrf-token": token},
        {"origin": "https://evil.example", "x-csrf-token": token},
        {"origin": "null", "x-csrf-token": token},
        {**OWN, "x-csrf-token": token[:-1]},
        {**OWN, "x-csrf-token": ""},
    ):
        answer = await client.post("/operate", headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "cross-site"), headers
    assert (await client.post("/operate", headers={**OWN, "x-csrf-token": token})).status_code == 200
    assert (await client.post("/operate", headers={**own_origin, "x-csrf-token": token})).status_code == 200
    form = await client.post("/operate", data={"csrf_token": token, "a": "b"}, headers=OWN)
    assert form.json()["size"] > len(token)


async def test_a_form_token_is_of_one_session(app: FastAPI, client: httpx.AsyncClient) -> None:
    await sign_in(client, "olga")
    async with browser(app) as other:
        await sign_in(other, "olga")
        token = await form_token(other)
    assert (await client.post("/operate", headers={**OWN, "x-csrf-token": token})).status_code == 403


async def test_a_token_needs_no_page(client: httpx.AsyncClient) -> None:
    assert (await client.post("/operate", headers=bearer("olga"))).status_code == 200
    cross = {**bearer("olga"), "sec-fetch-site": "cross-site", "origin": "https://evil.example"}
    assert (await client.post("/operate", headers=cross)).status_code == 200


async def test_a_session_ends_with_its_token_and_its_roles_are_those_of_now(
    client: httpx.AsyncClient, tokens: Path
) -> None:
    await sign_in(client, "olga")
    write_tokens(tokens, {"olga": ["viewer"]})
    token = await form_token(client)
    assert (await client.post("/operate", headers={**OWN, "x-csrf-token": token})).status_code == 403
    olga = {"name": "olga", "sha256": hash_of("another token of hers, as she lost the first"), "roles": ["viewer"]}
    write_people(tokens, [olga])
    assert (await client.get("/read")).status_code == 401


async def test_a_cookie_is_worth_twelve_hours_and_nothing_when_it_was_changed(
    app: FastAPI, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    await sign_in(client, "olga")
    name = app.state.services.access.cookie
    cookie = client.cookies[name]
    for changed in (cookie[:-1], cookie[1:], cookie.replace(".", "", 1), "x", cookie.swapcase()):
        assert (await client.get("/read", headers={"cookie": f"{name}={changed}"})).status_code == 401
    from itsdangerous import timed

    signed_at = timed.time.time()
    for later, status in ((12 * 3600 - 60, 200), (12 * 3600 + 60, 401)):
        monkeypatch.setattr(timed.time, "time", lambda later=later: signed_at + later)
        client.cookies.clear()  # the browser would forget it by itself
        assert (await client.get("/read", headers={"cookie": f"{name}={cookie}"})).status_code == status
        monkeypatch.undo()


async def test_wrong_tokens_are_slowed_down(app: FastAPI, client: httpx.AsyncClient) -> None:
    for number in range(MOST_FAILURES):
        answer = await client.post("/sign-in", data={"token": f"wrong-{number}"}, headers=OWN)
        assert (answer.status_code, "this token is nobody&#x27;s" in answer.text) == (401, True)
    late = await sign_in(client, "olga")
    assert late.status_code == 429
    assert int(late.headers["retry-after"]) > 0
    assert "set-cookie" not in late.headers
    guess = await client.get("/read", headers={"authorization": "Bearer " + "w" * 40})
    assert (guess.status_code, guess.json()["error"]["code"]) == (429, "too-many-tries")
    # Programs with a token of their own are not kept out by who guesses from the same address.
    assert (await client.get("/read", headers=bearer("olga"))).status_code == 200
    async with browser(app, peer="192.0.2.9") as elsewhere:
        assert (await sign_in(elsewhere, "olga")).status_code == 303


@pytest.mark.parametrize(
    "to", ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)", "/\t/evil.example", ""]
)
async def test_the_sign_in_leads_nowhere_else(client: httpx.AsyncClient, to: str) -> None:
    assert (await sign_in(client, "olga", to)).headers["location"] == "/"
    page = await client.get("/sign-in", params={"next": to})
    assert 'name="next" value="/"' in page.text


async def test_the_page_shows_what_it_is_given_as_text(client: httpx.AsyncClient) -> None:
    page = await client.get("/sign-in", params={"next": '/"><script>alert(1)</script>'})
    assert "<script>" not in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]


async def test_another_page_signs_nobody_in(client: httpx.AsyncClient) -> None:
    for headers in ({}, {"sec-fetch-site": "cross-site"}, {"origin": "https://evil.example"}):
        answer = await client.post("/sign-in", data={"token": token_of("olga")}, headers=headers)
        assert (answer.status_code, "set-cookie" in answer.headers) == (403, False)


async def test_the_token_of_a_gateway_that_knows_nobody_proves_nobody() -> None:
    app = app_of({})
    token = app.state.services.access.lifetime_token
    assert len(token) >= 32
    async with browser(app) as client:
        answer = await client.get("/read", headers={"authorization": f"Bearer {token}"})
        assert answer.json() == {"name": "lifetime-token", "verified_by": None}
        await client.post("/sign-in", data={"token": token}, headers=OWN)
        assert (await client.get("/read")).json() == {"name": "lifetime-token", "verified_by": None}
        assert (await client.post("/approve", headers={"authorization": f"Bearer {token}"})).status_code == 200
    assert app_of({}).state.services.access.lifetime_token != token


async def test_with_a_file_or_a_proxy_there_is_no_such_token(tokens: Path) -> None:
    for environ in (settings(file=tokens), settings(header="X-User", networks="10.0.0.0/8")):
        assert access_of(environ).lifetime_token == ""


async def test_what_is_too_large_or_compressed_is_not_read(client: httpx.AsyncClient) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 65536
            yield b"x" * 65536

    answer = await client.post("/operate", content=endless(), headers=bearer("olga"))
    assert (answer.status_code, sent <= LARGEST_BODY_BYTES + 2 * 65536) == (413, True)
    declared = {**bearer("olga"), "content-length": "99999999"}
    assert (await client.post("/operate", content=b"", headers=declared)).status_code == 413
    packed = {**bearer("olga"), "content-encoding": "gzip"}
    assert (await client.post("/operate", content=b"x", headers=packed)).status_code == 415
    sent = 0
    assert (await client.post("/operate", content=endless())).status_code == 401
    assert sent <= 65536


async def test_before_prefect_was_reached_nobody_is_let_in(app: FastAPI, client: httpx.AsyncClient) -> None:
    del app.state.services
    answer = await client.get("/read", headers=bearer("olga"))
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "unreachable")
    assert (await client.get("/sign-in")).status_code == 200
    assert (await sign_in(client, "olga")).status_code == 503
    assert (await client.post("/hooks/flow/push")).status_code == 200


async def test_a_live_connection_needs_a_sign_in_from_a_page_of_ours(app: FastAPI, client: httpx.AsyncClient) -> None:
    async def heard(**headers: str) -> str | None:
        return next((message["text"] for message in await live(app, "/live", **headers) if "text" in message), None)

    assert (await live(app, "/live"))[0]["type"] == "websocket.close"
    assert await heard(**bearer("olga")) == "olga"
    await sign_in(client, "vera")
    cookie = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
    assert await heard(cookie=cookie) is None
    assert await heard(cookie=cookie, origin="https://evil.example") is None
    assert await heard(cookie=cookie, origin=URL) == "vera"
