"""Whether a run on another machine is over, which Prefect shows as ended: a shorter limit, else as it is."""

import asyncio
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from prefect import flow
from prefect.client.orchestration import PrefectClient, get_client
from prefect.states import Crashed, Running

from prefect_wfexec.engine import fencing, liveness
from prefect_wfexec.engine.nudge import ALIVE_EVENT, _send
from prefect_wfexec.engine.over import Judge
from prefect_wfexec.journal.facts import Fact, Kind
from prefect_wfexec.journal.journal import Journal
from prefect_wfexec.journal.keys import Keys

KEYS = Keys("a key of more than sixteen characters")
LIMIT_SECONDS = 9.0
"""Prefect's server takes up to five seconds until an event that it has can be read."""
DEADLINE_SECONDS = 60.0
BEGUN = [
    Fact(Kind.OPENED, {"definition": "", "digest": "d", "workflow": "example", "inputs": {}}),
    Fact(Kind.ENTERED, {"engine": "e1", "host": "another machine", "pid": 1, "pid_started": "1"}),
    Fact(Kind.STEP_STARTED, {"step": "a", "attempt": 1, "engine": "e1"}),
]


@flow
def example() -> None: ...


async def crashed_as_prefect_has_it(client: PrefectClient) -> Journal:
    """A run with an engine on another machine that runs a step."""
    run = await client.create_flow_run(example, state=Running())
    journal = Journal(client, run.id, KEYS)
    await journal.append(lambda _state: BEGUN)
    await client.set_flow_run_state(run.id, Crashed(), force=True)
    return journal


async def until_over(judge: Judge, run: UUID) -> float:
    """How long it took until the run was over."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    while not await judge.is_over(str(run)):
        assert loop.time() < began + DEADLINE_SECONDS
        await asyncio.sleep(0.2)
    return loop.time() - began


async def test_an_engine_elsewhere_is_shut_out_once_nothing_is_heard_of_it(
    api: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(liveness, "DEAD_AFTER", timedelta(seconds=LIMIT_SECONDS))
    monkeypatch.setattr(fencing, "DEAD_AFTER_SECONDS", LIMIT_SECONDS)
    loop = asyncio.get_running_loop()
    async with get_client() as client:
        journal = await crashed_as_prefect_has_it(client)
        judge, until = Judge(client, KEYS, tmp_path), loop.time() + 2 * LIMIT_SECONDS
        while loop.time() < until:
            await _send(client, journal.run_id, ALIVE_EVENT, {"engine": "e1"})
            assert not await judge.is_over(str(journal.run_id))
            await asyncio.sleep(0.5)
        await journal.catch_up()
        assert [engine.id for engine in journal.state.engines] == ["e1"]

        # It had been watched before it fell silent: what it ran is not waited for another time.
        assert await until_over(judge, journal.run_id) < 2 * LIMIT_SECONDS
        await journal.catch_up()
        assert [engine.left for engine in journal.state.engines] == [False, True]

        other = await crashed_as_prefect_has_it(client)
        assert await until_over(Judge(client, KEYS, tmp_path), other.run_id) >= LIMIT_SECONDS
