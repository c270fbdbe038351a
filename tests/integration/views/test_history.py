"""The list of runs on a real server."""

from datetime import timedelta

from prefect import flow
from prefect.client.orchestration import get_client
from prefect.states import Pending, Scheduled

from prefect_wfexec.journal.facts import utc_now
from prefect_wfexec.views.history import HistoryFilter, load_history


@flow(name="history-of-schedules")
def scheduled() -> None: ...


async def test_runs_that_a_schedule_makes_ahead_are_no_history_until_they_are_due(api):
    async with get_client() as client:
        for name, state in (
            ("wfr_later", Scheduled(scheduled_time=utc_now() + timedelta(days=1))),
            ("wfr_due", Scheduled(scheduled_time=utc_now() - timedelta(minutes=1))),
            ("wfr_begins", Pending()),
        ):
            await client.create_flow_run(scheduled, name=name, state=state, tags=["wfexec"])
        rows = await load_history(client, HistoryFilter(workflow="history-of-schedules"))
    assert sorted(row["name"] for row in rows) == ["wfr_begins", "wfr_due"]
    assert {row["status"] for row in rows} == {"Pending"}
