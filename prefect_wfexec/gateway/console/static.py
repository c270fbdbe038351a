"""The console's style sheet and script: served by us, from files, under addresses that change with them."""

from fastapi import APIRouter, Depends
from starlette.responses import RedirectResponse, Response
from starlette.status import HTTP_404_NOT_FOUND

from prefect_wfexec.gateway.console.pages import STATIC, asset
from prefect_wfexec.gateway.signin.requiring import signed_in

router = APIRouter(include_in_schema=False, dependencies=[Depends(signed_in)])
_TYPES = {"console.css": "text/css; charset=utf-8", "console.js": "text/javascript; charset=utf-8"}
_KEPT = "private, max-age=31536000, immutable"


@router.get("/")
async def home() -> Response:
    """Where a person begins."""
    return RedirectResponse("/console", 303)


@router.get("/console/static/{digest}/{name}")
async def static(digest: str, name: str) -> Response:
    """One of our files."""
    if name not in _TYPES or asset(name) != f"/console/static/{digest}/{name}":
        return Response(status_code=HTTP_404_NOT_FOUND)
    headers = {"cache-control": _KEPT, "x-content-type-options": "nosniff"}
    return Response((STATIC / name).read_bytes(), media_type=_TYPES[name], headers=headers)
