"""Hearing of a decision through a real server's events."""

import asyncio
from uuid import uuid4

from prefect.client.orchestration import get_client

from prefect_wfexec.engine.listening import Listener
from prefect_wfexec.operations.nudge import nudge

DEADLINE_SECONDS = 60


async def until_connected(listener: Listener) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not listener.is_connected:
            await asyncio.sleep(0.02)


async def test_a_nudge_is_heard_by_its_run_alone(api):
    run, other = uuid4(), uuid4()
    heard, heard_by_other = asyncio.Event(), asyncio.Event()
    listeners = [Listener(run, heard.set), Listener(other, heard_by_other.set)]
    async with get_client() as client:
        for listener in listeners:
            listener.listen()
            await until_connected(listener)
        heard.clear()
        heard_by_other.clear()
        await nudge(client, run)
        await asyncio.wait_for(heard.wait(), DEADLINE_SECONDS)
        assert not heard_by_other.is_set()
        await nudge(client, other)
        await asyncio.wait_for(heard_by_other.wait(), DEADLINE_SECONDS)
    for listener in listeners:
        await listener.stop()
        assert not listener.is_connected
