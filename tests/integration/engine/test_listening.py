"""Hearing of a decision through a real server's events."""

import asyncio
import contextlib
from uuid import UUID, uuid4

from prefect.client.orchestration import PrefectClient, get_client

from prefect_wfexec.engine.listening import Listener
from prefect_wfexec.engine.nudge import hint

DEADLINE_SECONDS = 240


async def until_connected(listener: Listener) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not listener.is_connected:
            await asyncio.sleep(0.02)


async def hint_until(client: PrefectClient, run: UUID, heard: asyncio.Event) -> None:
    """Hint until it is heard: a busy server may lose an event, and nothing depends on a single one."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not heard.is_set():
            await hint(client, run)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(heard.wait(), 5)


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
        await hint_until(client, run, heard)
        assert not heard_by_other.is_set()
        await hint_until(client, other, heard_by_other)
    for listener in listeners:
        await listener.stop()
        assert not listener.is_connected
