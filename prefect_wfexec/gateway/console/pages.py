"""Pages as a browser gets them: from templates that escape all they are given, under a policy that runs only ours."""

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

from fastapi import Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse, RedirectResponse

from prefect_wfexec.engine.progress import duration_text
from prefect_wfexec.gateway.approving.showing import line, text
from prefect_wfexec.gateway.console.looks import run_icon, run_look, step_look
from prefect_wfexec.gateway.services import services
from prefect_wfexec.gateway.signin.identity import Identity, Role

FOLDER = Path(__file__).parent
STATIC = FOLDER / "static"
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
NONE = "\N{EN DASH}"
"""What stands where there is nothing."""
TABS = (
    ("/console", "Executions"),
    ("/console/approvals", "Approvals"),
    ("/console/analytics", "Analytics"),
    ("/console/deliveries", "Deliveries"),
    ("/console/workflows", "Workflows"),
)


def page(request: Request, person: Identity, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """A whole page.

    Args:
        request: What it answers.
        person: Who looks.
        template: The name of its template.
        status: The status code.
        **values: What the template shows; all of it is escaped.
    """
    given = services(request)
    html = render(
        template,
        person=person,
        may_operate=person.may(Role.OPERATOR),
        may_approve=person.may(Role.APPROVER),
        csrf_token=given.access.form_token(person) if person.session else "",
        can_sign_out=bool(person.session) and person.verified_by != "proxy",
        here=request.url.path,
        tabs=TABS,
        style=asset("console.css"),
        script=asset("console.js"),
        **{"live": "", **values},
    )
    return HTMLResponse(html, status, headers=HEADERS)


def render(template: str, **values: Any) -> str:
    """A template, or a part of a page."""
    return _templates().get_template(template).render(**values)


def back(to: str) -> RedirectResponse:
    """Where to look after something was done: the browser asks anew, so that nothing is done twice."""
    return RedirectResponse(to, 303, headers=HEADERS)


@cache
def asset(name: str) -> str:
    """The address of one of our files, which changes with what is in it: a browser may keep it for good."""
    digest = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:16]
    return f"/console/static/{digest}/{name}"


@cache
def _templates() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_plain,
    )
    environment.filters |= {
        "duration": lambda seconds: duration_text(seconds) or NONE,
        "line": line,
        "pretty": lambda value: json.dumps(value, indent=2, ensure_ascii=False, sort_keys=False),
    }
    environment.globals |= {"run_look": run_look, "run_icon": run_icon, "step_look": step_look}
    return environment


def _plain(value: object) -> object:
    """What a template shows, without control characters."""
    return text(value) if type(value) is str else value
