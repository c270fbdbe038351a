"""What reconcile does beside its looks."""

import asyncio
from uuid import uuid4

import httpx

from prefect_wfexec.errors import EngineError
from prefect_wfexec.operations.reconcile.jobs import Act, Jobs
from prefect_wfexec.views.live import PassedOver

ACT = Act("wfr_a", "cleaned up", "nobody did")


async def test_a_job_is_told_of_once_it_has_ended() -> None:
    jobs, run, go = Jobs(), uuid4(), asyncio.Event()

    async def job() -> Act | None:
        await go.wait()
        return ACT

    jobs.start(run, "wfr_a", job())
    await jobs.wait(0.01)
    assert (jobs.has(run), jobs.are_going, jobs.ended()) == (True, True, ([], []))
    go.set()
    await jobs.wait(60)
    assert jobs.ended() == ([ACT], [])
    assert (jobs.has(run), jobs.are_going, jobs.ended()) == (False, False, ([], []))


async def test_what_stops_a_job_is_said_of_its_run() -> None:
    jobs = Jobs()

    async def fails(error: Exception) -> Act | None:
        raise error

    jobs.start(uuid4(), "wfr_a", fails(EngineError("no key")))
    jobs.start(uuid4(), "wfr_b", fails(httpx.ConnectError("refused")))
    while len(told := jobs.ended()[1]) < 2:
        await asyncio.sleep(0)
    assert told == [
        PassedOver("wfr_a", "no key"),
        PassedOver("wfr_b", "prefect's API was out of reach: ConnectError('refused')"),
    ]


async def test_without_a_job_the_time_passes() -> None:
    jobs = Jobs()
    await asyncio.wait_for(jobs.wait(0.001), 60)
    assert jobs.ended() == ([], [])
