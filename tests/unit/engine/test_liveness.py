"""Whether the process that runs a run is gone, with a clock that the tests turn."""

import os
from collections.abc import AsyncIterator
from datetime import datetime
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

import httpx
import pytest

from prefect_wfexec.engine import fencing, liveness
from prefect_wfexec.engine.fencing import are_claims_dead
from prefect_wfexec.engine.host import host_id, process_started
from prefect_wfexec.engine.liveness import Watch
from prefect_wfexec.journal.facts import Fact, Kind
from tests.unit.journal.support import RUN, at, closed, entered, fact, folded, opened, started

LATER = 10_000.0
"""When the tests begin to look; the run began long before."""


def noted(seconds: float) -> Fact:
    """What an engine that finishes its work says now and then."""
    return fact(Kind.NOTED, seconds, engine="e1", text="finishing a")


class Elsewhere:
    """A run whose engine is on another machine, the signs of it that Prefect has received, and the time."""

    def __init__(self) -> None:
        self.now = LATER
        self.signs: list[float] = []
        self.client: Any = SimpleNamespace(
            _client=httpx.AsyncClient(transport=httpx.MockTransport(self._answer), base_url="http://prefect")
        )
        self.watch = Watch()

    def _answer(self, request: httpx.Request) -> httpx.Response:
        events = [{"received": at(sign).isoformat(), "payload": {"engine": "e1"}} for sign in self.signs]
        other = {"received": at(self.now).isoformat(), "payload": {"engine": "another"}}
        return httpx.Response(200, json={"events": [*events, other]}, request=request)

    async def looks_gone(self, seconds: float, *facts: Fact) -> bool:
        """Whether the engine counts as gone, so long after the first look."""
        self.now = LATER + seconds
        state = folded(opened(), entered("e1", host="another machine"), *facts)
        return await self.watch.is_gone(self.client, UUID(RUN), state)


@pytest.fixture
async def elsewhere(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Elsewhere]:
    run = Elsewhere()

    def now() -> datetime:
        return at(run.now)

    monkeypatch.setattr(liveness, "utc_now", now)
    monkeypatch.setattr(fencing, "utc_now", now)
    yield run
    await run.client._client.aclose()


async def test_an_engine_on_this_machine_is_known_by_its_process(elsewhere: Elsewhere) -> None:
    mine = {"host": host_id(), "pid": os.getpid(), "pid_started": process_started(os.getpid())}
    look = elsewhere.watch.is_gone
    assert not await look(elsewhere.client, UUID(RUN), folded(opened(), entered("e1", **mine)))
    mine["pid_started"] = "1"
    assert await look(elsewhere.client, UUID(RUN), folded(opened(), entered("e1", **mine)))


async def test_one_elsewhere_is_gone_only_after_it_was_watched_for_a_while(elsewhere: Elsewhere) -> None:
    # It has been silent for hours; so is every engine after an outage.
    assert not await elsewhere.looks_gone(0)
    assert elsewhere.watch.is_waiting
    assert not await elsewhere.looks_gone(60)
    assert not await elsewhere.looks_gone(89)
    assert await elsewhere.looks_gone(90)
    assert not elsewhere.watch.is_waiting


@pytest.mark.parametrize("sign", ["event", "journal"])
async def test_one_elsewhere_that_shows_a_sign_is_not_gone(elsewhere: Elsewhere, sign: str) -> None:
    assert not await elsewhere.looks_gone(0)
    facts = [noted(LATER + 70)] if sign == "journal" else []
    elsewhere.signs = [LATER + 70] if sign == "event" else []
    assert not await elsewhere.looks_gone(75, *facts)
    assert not elsewhere.watch.is_waiting
    assert not await elsewhere.looks_gone(120, *facts)
    assert not await elsewhere.looks_gone(159, *facts)
    assert await elsewhere.looks_gone(160, *facts)


async def test_who_could_not_look_begins_anew(elsewhere: Elsewhere) -> None:
    assert not await elsewhere.looks_gone(0)
    elsewhere.watch.forget()
    assert not await elsewhere.looks_gone(70)
    assert not await elsewhere.looks_gone(140)
    # Nobody said that the API was away, but nobody has looked either.
    assert not await elsewhere.looks_gone(1000)
    assert not await elsewhere.looks_gone(1060)
    assert await elsewhere.looks_gone(1090)


async def test_nothing_is_waited_for_once_a_silent_run_has_ended(elsewhere: Elsewhere) -> None:
    assert not await elsewhere.looks_gone(0)
    assert elsewhere.watch.is_waiting
    elsewhere.watch.look_again()
    assert not elsewhere.watch.is_waiting
    assert not await elsewhere.looks_gone(10, closed())


async def test_an_engine_that_has_left_is_not_one_that_is_gone(elsewhere: Elsewhere) -> None:
    left = fact(Kind.SUPERSEDED, engine="e1")
    for seconds in (0, 60, 120):
        assert not await elsewhere.looks_gone(seconds, left)
    assert not elsewhere.watch.is_waiting


@pytest.mark.parametrize(
    ("facts", "seconds", "are_dead"),
    [
        ([], 0, False),
        ([], 89, False),
        ([], 90, True),
        ([noted(LATER + 60)], 90, False),
        ([noted(LATER + 60)], 150, True),
    ],
)
def test_what_an_engine_elsewhere_runs_is_waited_for(
    elsewhere: Elsewhere, facts: list[Fact], seconds: float, are_dead: bool
) -> None:
    elsewhere.now = LATER + seconds
    state = folded(opened(), entered("e1", host="another machine"), started("a"), entered("e2", LATER), *facts)
    assert are_claims_dead(state, "e2", cast("Any", None), at(LATER)) is are_dead
