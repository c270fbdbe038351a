"""SIGTERM in the process of a run that Prefect executes."""

import asyncio
import os
import signal

import pytest
from prefect.utilities.engine import capture_sigterm, is_prefect_sigterm_handler_installed

from prefect_wfexec.engine.termination import cancels_this_task

DEADLINE_SECONDS = 30.0


def terminate() -> None:
    """As when the signal comes while the event loop is at something: a line of a step, an answer of the server."""
    os.kill(os.getpid(), signal.SIGTERM)


async def terminate_in_a_task() -> None:
    terminate()


async def wait_for_the_end() -> str:
    """How a run learns that it is to end, in its own task and with time to stop in order."""
    with cancels_this_task():
        assert is_prefect_sigterm_handler_installed()
        try:
            await asyncio.sleep(DEADLINE_SECONDS)
        except asyncio.CancelledError:
            await asyncio.sleep(0)
            return "stopped in order"
    return "never told"


def test_in_a_callback() -> None:
    async def main() -> str:
        asyncio.get_running_loop().call_later(0.01, terminate)
        return await wait_for_the_end()

    with capture_sigterm():
        assert asyncio.run(main()) == "stopped in order"


def test_in_another_task() -> None:
    async def main() -> str:
        other = asyncio.create_task(terminate_in_a_task())
        told = await wait_for_the_end()
        await other
        return told

    with capture_sigterm():
        assert asyncio.run(main()) == "stopped in order"


def test_in_the_task_itself() -> None:
    async def main() -> None:
        with cancels_this_task():
            terminate()
            await asyncio.sleep(DEADLINE_SECONDS)

    with capture_sigterm(), pytest.raises(asyncio.CancelledError):
        asyncio.run(main())


def test_prefects_handler_is_in_place_again_afterwards() -> None:
    async def main() -> None:
        with cancels_this_task():
            assert is_prefect_sigterm_handler_installed()

    with capture_sigterm():
        before = signal.getsignal(signal.SIGTERM)
        asyncio.run(main())
        assert signal.getsignal(signal.SIGTERM) is before
        assert is_prefect_sigterm_handler_installed()


def test_a_handler_of_somebody_else_stays() -> None:
    heard: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _frame: heard.append(number))

    async def main() -> None:
        with cancels_this_task():
            terminate()
            await asyncio.sleep(0)

    try:
        asyncio.run(main())
    finally:
        signal.signal(signal.SIGTERM, before)
    assert heard == [signal.SIGTERM]
