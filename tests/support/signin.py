"""A gateway's parts in a test: people with tokens, an app behind the guard, a browser."""

import contextlib
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import uvicorn
import yaml
from fastapi import FastAPI

from prefect_wfexec.gateway.answers import answer_errors
from prefect_wfexec.gateway.services import Services
from prefect_wfexec.gateway.signin.access import Access
from prefect_wfexec.gateway.signin.guard import OPEN_PATHS, Guard, OpenPath
from prefect_wfexec.gateway.signin.pages import router as pages
from prefect_wfexec.gateway.signin.people import hash_of
from prefect_wfexec.journal.keys import Keys
from prefect_wfexec.settings import PROXY_HEADER, PROXY_NETWORKS, PROXY_ROLES, TOKENS_FILE
from tests.support.server import START_SECONDS, free_port

KEYS = Keys("a key of more than sixteen characters")
URL = "http://127.0.0.1:4290"
ROLES = {
    "vera": ["viewer"],
    "olga": ["operator"],
    "anna@example.com": ["approver"],
    "both@example.com": ["operator", "approver"],
}


def token_of(name: str) -> str:
    """The token of a person of `write_tokens`."""
    return f"token-of-{name}-".ljust(48, "x")


def write_tokens(path: Path, roles: Mapping[str, Sequence[str]] = ROLES) -> Path:
    """A tokens file that only this user may read, put there at once as an administrator's tool does."""
    return write_people(
        path,
        [{"name": name, "sha256": hash_of(token_of(name)), "roles": list(given)} for name, given in roles.items()],
    )


def write_people(path: Path, people: Sequence[Mapping[str, Any]]) -> Path:
    """The same with these entries."""
    new = path.with_suffix(".new")
    new.write_text(yaml.safe_dump({"people": list(people)}))
    new.chmod(0o600)
    new.replace(path)
    return path


def settings(**values: str | Path) -> dict[str, str]:
    """Settings of the sign-in, by the short names of this function's arguments."""
    names = {"file": TOKENS_FILE, "header": PROXY_HEADER, "networks": PROXY_NETWORKS, "roles": PROXY_ROLES}
    return {names[name].variable: str(value) for name, value in values.items()}


def access_of(environ: Mapping[str, str], url: str = URL, keys: Keys = KEYS) -> Access:
    return Access.from_settings(keys, url, environ)


def guarded(access: Access, client: Any = None, open_paths: Sequence[OpenPath] = OPEN_PATHS) -> FastAPI:
    """An app behind the guard, with the sign-in's own pages and no others."""
    app = FastAPI(docs_url=None, redoc_url=None, redirect_slashes=False)
    app.add_middleware(Guard, open_paths=open_paths)
    app.include_router(pages)
    answer_errors(app)
    app.state.services = Services(client=client, keys=KEYS, public_url=access.public_url, access=access)
    return app


def browser(app: FastAPI, *, url: str = URL, peer: str = "127.0.0.1", **headers: str) -> httpx.AsyncClient:
    """A client of an app, without a server; it keeps cookies and follows no redirect."""
    transport = httpx.ASGITransport(app, client=(peer, 50000))
    return httpx.AsyncClient(transport=transport, base_url=url, headers=headers)


async def live(app: FastAPI, path: str, **headers: str) -> list[dict[str, Any]]:
    """What an app sends to a browser that opens a live connection and hears until it is closed."""
    sent: list[dict[str, Any]] = []
    scope = {
        "type": "websocket",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "scheme": "ws",
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 4290),
        "subprotocols": [],
    }

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(dict(message))

    await app(scope, receive, send)
    return sent


def bearer(name: str) -> dict[str, str]:
    """The header by which a person shows their token."""
    return {"authorization": f"Bearer {token_of(name)}"}


@contextlib.contextmanager
def served(app: FastAPI, lifespan: Callable[[FastAPI], contextlib.AbstractAsyncContextManager[None]]) -> Iterator[str]:
    """An app on a free loopback port, in a thread with a loop of its own; its URL.

    Args:
        app: The app.
        lifespan: What is there as long as the app is served.
    """
    app.router.lifespan_context = lifespan
    port = free_port()
    server = uvicorn.Server(
        uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error", proxy_headers=False, ws="none")
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + START_SECONDS
    while not server.started:
        assert thread.is_alive(), "the app did not start"
        assert time.monotonic() < deadline, "the app did not start in time"
        time.sleep(0.05)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(START_SECONDS)


def every_route(app: FastAPI) -> set[tuple[str, str]]:
    """Method and path of every route of an app, however deep it stands; `GET` for what takes any, such as a mount."""
    found: set[tuple[str, str]] = set()
    pending: list[tuple[str, Any]] = [("", route) for route in app.routes]
    while pending:
        prefix, route = pending.pop()
        if hasattr(route, "effective_candidates"):  # a router that was included, since FastAPI 0.140 or so
            pending += [(prefix, one) for one in route.effective_candidates()]
            continue
        path = prefix + (getattr(route, "path", None) or "")
        found |= {(method, path) for method in getattr(route, "methods", None) or {"GET"}}
        pending += [(path, one) for one in getattr(route, "routes", None) or ()]
    return found


async def answering_without_sign_in(app: FastAPI, but: Sequence[OpenPath] = ()) -> set[tuple[str, str]]:
    """The routes of an app that answer somebody who is not signed in; those of `but` are not asked."""
    found = set()
    async with browser(app) as client:
        for method, path in sorted(every_route(app)):
            filled = re.sub(r"\{[^}]*\}", "x", path) or "/"
            if any(one.takes(method, filled) for one in but):
                continue
            for accept in ("application/json", "text/html"):
                answer = await client.request(method, filled, headers={"accept": accept}, json={})
                is_sent_to_sign_in = answer.headers.get("location", "").startswith("/sign-in?")
                if answer.status_code != 401 and not is_sent_to_sign_in:
                    found.add((method, path))
    return found
