"""What is pushed to a page that is open."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_wfexec.errors import Unreachable
from prefect_wfexec.gateway.console import live
from prefect_wfexec.gateway.console.live import Ending, Look, event, parts_stream
from prefect_wfexec.gateway.signin.faults import NotSignedIn


class Request:
    """A request of somebody who is signed in until the gateway is told otherwise."""

    def __init__(self) -> None:
        self.app = self
        self.state = self
        self.ending = Ending()
        self.access = self
        self.services = self
        self.is_known = True

    def recognise(self, _request: object) -> None:
        if not self.is_known:
            raise NotSignedIn("this needs a sign-in")

    async def is_disconnected(self) -> bool:
        return False


@pytest.fixture
def request_(monkeypatch: pytest.MonkeyPatch) -> Request:
    made = Request()
    monkeypatch.setattr(live, "services", lambda _request: made)
    return made


async def told(request: Request, looks: list[Any], most: int = 100) -> list[tuple[str, Any]]:
    """The events of a page that shows this, look after look."""

    async def look() -> Look:
        found = looks.pop(0)
        if isinstance(found, Exception):
            raise found
        return found  # type: ignore[no-any-return]

    answer = parts_stream(request, look, seconds=0.0)  # type: ignore[arg-type]
    body: AsyncIterator[Any] = answer.body_iterator
    events = []
    async for text in body:
        fields = dict(line.split(": ", 1) for line in text.strip().splitlines() if not line.startswith(":"))
        if fields:
            events.append((fields["event"], json.loads(fields["data"])))
        if len(events) >= most:
            break
    return events


async def test_a_part_is_sent_again_only_when_it_has_changed(request_: Request) -> None:
    looks = [Look({"a": "", "b": "1"}), Look({"a": "", "b": "2"}), Look({"a": "x", "b": "2"}, is_over=True)]
    assert await told(request_, looks) == [
        ("parts", {"a": "", "b": "1"}),
        ("parts", {"b": "2"}),
        ("parts", {"a": "x"}),
        ("over", {}),
    ]


async def test_an_outage_is_said_and_the_page_goes_on(request_: Request) -> None:
    looks = [Look({"a": "1"}), Unreachable("gone"), Unreachable("gone"), Look({"a": "2"}, is_over=True)]
    assert await told(request_, looks) == [
        ("parts", {"a": "1"}),
        ("away", {"words": "gone"}),
        ("away", {"words": "gone"}),
        ("back", {}),
        ("parts", {"a": "2"}),
        ("over", {}),
    ]


async def test_who_has_signed_out_is_shown_nothing_more(request_: Request) -> None:
    request_.is_known = False
    assert await told(request_, [Look({"a": "1"})]) == [("signed-out", {})]


async def test_a_gateway_that_ends_waits_for_no_page(request_: Request) -> None:
    request_.ending.begin()
    assert await asyncio.wait_for(told(request_, [Look({"a": "1"})]), 60) == [("parts", {"a": "1"})]


@given(st.dictionaries(st.text(min_size=1), st.text()))
def test_portions_hold_every_part_once_in_order(parts: dict[str, str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(live, "MOST_CHARACTERS_AT_ONCE", 10)
        portions = live._in_portions(parts)
    assert [one for portion in portions for one in portion.items()] == list(parts.items())
    assert all(len(portion) == 1 or sum(map(len, portion.values())) <= 10 for portion in portions)


def test_an_event_is_one_line_of_data() -> None:
    text = event("lines", ["a\nb\r\ndata: x"], "cursor")
    assert text.startswith("id: cursor\nevent: lines\ndata: ") and text.endswith("\n\n")
    assert len(text.strip().splitlines()) == 3
