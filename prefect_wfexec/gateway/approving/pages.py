"""Pages as a browser gets them: made from templates that escape all they are given, under a policy without scripts."""

import base64
import hashlib
from functools import cache
from pathlib import Path
from typing import Any

from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from prefect_wfexec.gateway.approving.showing import text

FOLDER = Path(__file__).parent / "templates"


def page(template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """A page.

    Args:
        template: The name of its template.
        status: The status code.
        **values: What the template shows; all of it is escaped.
    """
    html = _templates().get_template(template).render(style=_style(), **values)
    return HTMLResponse(html, status, headers=headers())


@cache
def headers() -> dict[str, str]:
    """What every page says of itself: no script, no frame, nothing kept, and nobody told where it was."""
    digest = base64.b64encode(hashlib.sha256(_style().encode()).digest()).decode()
    policy = (
        "default-src 'none'",
        f"style-src 'sha256-{digest}'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
    return {
        "Content-Security-Policy": "; ".join(policy),
        "Referrer-Policy": "no-referrer",
        "X-Frame-Options": "DENY",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "X-Robots-Tag": "noindex, nofollow",
    }


@cache
def _style() -> str:
    return (FOLDER / "style.css").read_text("utf-8")


@cache
def _templates() -> Environment:
    return Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_plain,
    )


def _plain(value: object) -> object:
    """What a template shows, without control characters; only the style sheet is markup already."""
    return text(value) if type(value) is str else value
