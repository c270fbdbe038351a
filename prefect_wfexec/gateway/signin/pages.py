"""The page where a person signs in with a token, and the way out."""

import base64
import hashlib
from html import escape
from http import HTTPStatus

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from prefect_wfexec.gateway.bodies import BodyRefused, read_body
from prefect_wfexec.gateway.services import services
from prefect_wfexec.gateway.signin.access import SESSION_SECONDS, Access
from prefect_wfexec.gateway.signin.faults import Refused
from prefect_wfexec.gateway.signin.guard import form_values, is_form
from prefect_wfexec.gateway.signin.same_origin import local_path

LARGEST_FORM_BYTES = 16 << 10

router = APIRouter(include_in_schema=False)


@router.get("/sign-in")
async def show(request: Request) -> Response:
    """The page."""
    return _page(local_path(request.query_params.get("next", "/")))


@router.post("/sign-in")
async def sign_in(request: Request) -> Response:
    """Take the token that was typed, and go where the person was on the way to."""
    access = services(request).access
    fields: dict[str, str] = {}
    try:
        access.require_own_page(request)
        fields = form_values(await read_body(request, LARGEST_FORM_BYTES)) if is_form(request.headers) else {}
        cookie = access.sign_in(request, fields.get("token", "").strip())
    except BodyRefused as error:
        return _page("/", error.reason, error.status)
    except Refused as error:
        words = f"{error.message}; {error.hint}" if error.hint else error.message
        answer = _page(local_path(fields.get("next", "/")), words, error.status)
        answer.headers.update(error.headers)
        return answer
    return _signed_in(access, cookie, local_path(fields.get("next", "/")))


@router.post("/sign-out")
async def sign_out(request: Request) -> Response:
    """End the browser's session."""
    access = services(request).access
    session = access.session(request)
    if session is not None:
        access.sessions.end(session)
    answer = RedirectResponse("/sign-in", HTTPStatus.SEE_OTHER)
    answer.delete_cookie(access.cookie, secure=access.is_secure, httponly=True, samesite="lax")
    return answer


def _signed_in(access: Access, cookie: str, to: str) -> Response:
    answer = RedirectResponse(to, HTTPStatus.SEE_OTHER, {"cache-control": "no-store"})
    answer.set_cookie(
        access.cookie,
        cookie,
        max_age=SESSION_SECONDS,
        path="/",
        secure=access.is_secure,
        httponly=True,
        samesite="lax",
    )
    return answer


_STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; }
form { width: min(24rem, 90vw); display: grid; gap: 0.75rem; }
h1 { font-size: 1.25rem; margin: 0; }
input, button { font: inherit; padding: 0.5rem; }
"""
_POLICY = (
    "default-src 'none'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'; "
    f"style-src 'sha256-{base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()}'"
)
_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": _POLICY,
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
}


def _page(to: str, fault: str = "", status: int = HTTPStatus.OK) -> Response:
    words = f'<p role="alert">{escape(fault)}</p>' if fault else ""
    return HTMLResponse(
        f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Sign in</title>
<style>{_STYLE}</style>
<form method="post" action="/sign-in">
<h1>Sign in</h1>
{words}
<input type="hidden" name="next" value="{escape(to)}">
<label for="token">Your token</label>
<input id="token" name="token" type="password" autocomplete="current-password" required autofocus>
<button>Sign in</button>
</form>
</html>
""",
        status,
        _HEADERS,
    )
