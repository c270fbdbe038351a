"""What all routes of the API have in common."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Request
from fastapi.routing import APIRoute
from starlette.responses import Response

from prefect_wfexec.errors import Unreachable
from prefect_wfexec.gateway.api.shapes.errors import Failed
from prefect_wfexec.gateway.signin.requiring import signed_in

LONGEST_SECONDS = 60.0
PREFIX = "/api/v1"

RunName = Annotated[
    str,
    Path(
        alias="run",
        min_length=1,
        max_length=200,
        pattern=r"^[^\x00-\x1f\x7f]+$",
        description="A run's id or its wfr_… name.",
        examples=["wfr_0a1b2c3d"],
    ),
]

_ERRORS: dict[int, str] = {
    400: "The body can't be read.",
    401: "Nobody is signed in.",
    403: "Who is signed in may not do this.",
    404: "There is no such thing.",
    405: "The path has other methods.",
    409: "It can't be done as things are.",
    413: "The body is too large.",
    415: "The body is compressed.",
    422: "The request is not as it has to be.",
    429: "Too many wrong tokens came from this address.",
    503: "Prefect's API does not answer.",
}
ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": Failed, "description": words} for status, words in _ERRORS.items()
}


class BoundedRoute(APIRoute):
    """A route whose answer does not wait for ever for a Prefect that is away."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, with a deadline."""
        handle = super().get_route_handler()

        async def within(request: Request) -> Response:
            try:
                async with asyncio.timeout(LONGEST_SECONDS):
                    return await handle(request)
            except TimeoutError:
                words = f"prefect's API did not answer within {LONGEST_SECONDS:g} seconds"
                raise Unreachable(words, hint="look at its server") from None

        return within


Tag = Literal["executions", "approvals", "workflows", "locks", "deliveries", "analytics", "me"]


def api_router(tag: Tag) -> APIRouter:
    """A router whose every route needs a sign-in; what a person may do there each route says."""
    return APIRouter(
        prefix=PREFIX,
        tags=[tag],
        dependencies=[Depends(signed_in)],
        route_class=BoundedRoute,
        responses=ERRORS,
    )
