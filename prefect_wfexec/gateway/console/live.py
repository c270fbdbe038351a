"""Pushing what changes to a page that is open: parts of it by name, or lines of a log, as server-sent events.

A browser that loses the connection asks again by itself, with the id of the last event; so a page goes on where it was
after the gateway was started again.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import httpx
from fastapi import Request
from starlette.responses import StreamingResponse

from prefect_wfexec.errors import WfexecError, one_line
from prefect_wfexec.gateway.services import services
from prefect_wfexec.gateway.signin.faults import Refused

Seen = TypeVar("Seen")
LOOK_SECONDS = 1.0
LONGEST_LOOK_SECONDS = 60.0
SILENCE_SECONDS = 15.0
"""So long nothing changes before a comment is sent, which keeps the connection."""
MOST_CHARACTERS_AT_ONCE = 256 * 1024
_HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}


class Ending:
    """Told once the gateway is to end: streams must not hold it up."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def begin(self) -> None:
        self._event.set()

    async def within(self, seconds: float) -> bool:
        """Wait for it, so long at most; whether it has come."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._event.wait(), seconds)
        return self._event.is_set()


@dataclass(frozen=True, slots=True)
class Look:
    """What a page shows at one moment.

    Attributes:
        parts: The markup of each part, by the id of the element it fills.
        is_over: Whether nothing of it changes any more.
    """

    parts: Mapping[str, str]
    is_over: bool = False


def parts_stream(
    request: Request, look: Callable[[], Awaitable[Look]], seconds: float = LOOK_SECONDS
) -> StreamingResponse:
    """The parts of a page, each again whenever it has changed."""
    return stream(_parts(request, look, seconds))


async def _parts(request: Request, look: Callable[[], Awaitable[Look]], seconds: float) -> AsyncIterator[str]:
    sent: dict[str, str] = {}
    async for seen in repeated(request, look, seconds):
        if isinstance(seen, str):
            yield seen
            continue
        changed = {name: html for name, html in seen.parts.items() if sent.get(name) != html}
        sent |= changed
        for some in _in_portions(changed):
            yield event("parts", some)
        if seen.is_over:
            yield event("over", {})
            return


async def repeated(
    request: Request, look: Callable[[], Awaitable[Seen]], seconds: float = LOOK_SECONDS
) -> AsyncIterator[Seen | str]:
    """What is seen, look after look, until the page is left or its person signed out; events about that as text."""
    ending = ending_of(request)
    is_away, silent = False, 0.0
    while True:
        try:
            services(request).access.recognise(request)
            async with asyncio.timeout(LONGEST_LOOK_SECONDS):
                seen = await look()
        except Refused:
            yield event("signed-out", {})
            return
        except (WfexecError, httpx.HTTPError, TimeoutError) as error:
            words = one_line(error) if isinstance(error, WfexecError) else "Prefect does not answer"
            yield event("away", {"words": words})
            is_away = True
        else:
            if is_away:
                yield event("back", {})
            is_away = False
            yield seen
        silent += seconds
        if silent >= SILENCE_SECONDS:
            silent = 0.0
            yield ": still here\n\n"
        if await ending.within(seconds) or await request.is_disconnected():
            return


def ending_of(request: Request) -> Ending:
    """The end of the gateway that serves this request."""
    found = request.app.state.ending
    assert isinstance(found, Ending), "made with the app"
    return found


def event(name: str, data: object, id_: str = "") -> str:
    """One server-sent event."""
    head = f"id: {id_}\n" if id_ else ""
    return f"{head}event: {name}\ndata: {json.dumps(data)}\n\n"


def _in_portions(parts: Mapping[str, str]) -> list[dict[str, str]]:
    """Parts in events that are not too large for one."""
    portions: list[dict[str, str]] = []
    size = 0
    for name, html in parts.items():
        if not portions or size + len(html) > MOST_CHARACTERS_AT_ONCE:
            portions.append({})
            size = 0
        portions[-1][name] = html
        size += len(html)
    return portions


def stream(events: AsyncIterator[str]) -> StreamingResponse:
    """An answer that goes on, event by event."""
    return StreamingResponse(events, media_type="text/event-stream", headers=_HEADERS)
