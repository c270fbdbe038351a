"""A gate with everything on its page, and requests as browsers send them."""

from typing import Any

from fastapi import Request

from prefect_wfexec.engine.notices.about import About
from prefect_wfexec.journal.facts import Actor
from prefect_wfexec.journal.state import Decision, Gate
from tests.unit.journal.support import at

EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>\x1b[31m\u202e"
JANE, JOE = "jane@example.com", "joe@example.com"
PLAN = {
    "summary": "1 to add",
    "counts": {"add": 3, "change": 2, "destroy": 1},
    "resources": [
        {"action": "create", "address": "a.new"},
        {"action": "update", "address": "a.old"},
        {"action": "delete", "address": "a.gone"},
        {"action": "replace", "address": "a.other"},
        {"action": "import", "address": "a.found"},
    ],
    "text": "the plan",
}


def gate(**more: Any) -> Gate:
    given = {
        "message": "Apply?",
        "subject_digest": "abc" * 10,
        "approvers": (JANE, JOE),
        "is_governed": True,
        "expires": at(3600),
        "quorum": 2,
        **more,
    }
    return Gate("ask", 1, at(0), **given)


def decision(name: str = JOE, what: str = "approve", comment: str = "", proven: str | None = "link") -> Decision:
    return Decision(what, Actor(name, proven), comment, at(5))


def about(one: Gate | None = None, **more: Any) -> About:
    given = {"title": "Ask", "workflow": "flow", "run": "wfr_a", "run_url": "http://ui/runs/flow-run/1", **more}
    return About(gate=one or gate(), **given)


def request(headers: dict[str, str] | None = None, body: bytes = b"") -> Request:
    sent = [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()]

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    return Request({"type": "http", "method": "POST", "path": "/", "headers": sent, "query_string": b""}, receive)
