"""One line of JSON for each request. Addresses of routes are logged, not of requests: a path may hold a secret."""

import json
import logging
import time
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from prefect_wfexec.journal.facts import utc_now

logger = logging.getLogger("prefect_wfexec.gateway.access")


class AccessLog:
    """Middleware that logs each request when it has been answered.

    Args:
        app: What answers.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), 0

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watched)
        finally:
            if logger.isEnabledFor(logging.INFO):
                logger.info(json.dumps(_line(scope, status, time.perf_counter() - began)))


def _line(scope: Scope, status: int, seconds: float) -> dict[str, Any]:
    route, state, client = scope.get("route"), scope.get("state") or {}, scope.get("client")
    line = {
        "time": utc_now().isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "method": scope["method"],
        "route": getattr(route, "path", None),
        "status": status or None,
        "milliseconds": round(seconds * 1000, 1),
        "remote": client[0] if client else None,
    }
    known = {name: state[name] for name in ("delivery", "person") if state.get(name)}
    return line | known
