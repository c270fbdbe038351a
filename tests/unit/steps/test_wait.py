"""Waiting, for a while or until a moment."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from prefect_wfexec.testing import log_of, make_context, run_step


async def test_waits_for_a_duration() -> None:
    context = make_context("wait", with_={"for": "150ms"})
    clock = asyncio.get_running_loop().time
    begun = clock()
    result = await run_step(context)
    assert clock() - begun >= 0.14
    assert result.summary == "Waited 150ms"
    assert result.outputs == {}
    assert len(log_of(context).lines) == 1


async def test_waits_until_a_moment() -> None:
    moment = datetime.now(UTC) + timedelta(seconds=0.3)
    await run_step(make_context("wait", with_={"until": moment.isoformat()}))
    assert datetime.now(UTC) >= moment


@pytest.mark.parametrize("until", ["2020-01-31T08:00:00Z", "2020-01-31T10:00:00+02:00"])
async def test_a_moment_that_has_passed_is_no_wait(until: str) -> None:
    async with asyncio.timeout(5):
        result = await run_step(make_context("wait", with_={"until": until}))
    assert result.summary == "2020-01-31T08:00:00Z had passed"


async def test_a_wait_can_be_cancelled() -> None:
    context = make_context("wait", with_={"for": "1h"})
    task = asyncio.create_task(run_step(context))
    async with asyncio.timeout(10):
        while not log_of(context).lines:
            await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize(
    "with_",
    [
        {},
        {"for": "1m", "until": "2030-01-31T08:00:00Z"},
        {"for": None},
        {"for": "soon"},
        {"for": -1},
        {"until": "2030-01-31T08:00:00"},
        {"until": "2030-01-31"},
        {"until": 1893456000},
        {"until": "1893456000"},
        {"until": "tomorrow"},
        {"for_": "1m"},
        {"seconds": 5},
    ],
)
def test_what_is_no_wait(with_: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        make_context("wait", with_=with_)
