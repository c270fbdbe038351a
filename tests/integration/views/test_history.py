"""The list of runs on a real server."""

from dataclasses import replace
from datetime import timedelta

from prefect import flow
from prefect.client.orchestration import get_client
from prefect.states import Completed, Failed, Pending, Scheduled

from prefect_wfexec.journal.facts import utc_now
from prefect_wfexec.status import RunStatus, TriggerKind
from prefect_wfexec.views import history
from prefect_wfexec.views.history import load_history
from prefect_wfexec.views.history_filter import HistoryFilter


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
        rows = (await load_history(client, HistoryFilter(workflow="history-of-schedules"))).rows
    assert sorted(row["name"] for row in rows) == ["wfr_begins", "wfr_due"]
    assert {row["status"] for row in rows} == {"Pending"}


@flow(name="history-of-many")
def many() -> None: ...


async def test_pages_leave_out_cleanups_and_count_without_them(api, monkeypatch):
    monkeypatch.setattr(history, "_known_flows", {})
    async with get_client() as client:
        for number in range(12):
            state = Completed(name="Succeeded") if number % 2 else Failed()
            tags = ["wfexec", "trigger:git", "user:jane"] if number % 3 else ["wfexec"]
            await client.create_flow_run(many, name=f"wfr_{number:02}", state=state, tags=tags)
            if number in {1, 2, 3, 8}:
                await client.create_flow_run(many, name=f"wfr_c{number}", tags=["wfexec", "wfexec-cleanup"])
        wanted = HistoryFilter(workflow="history-of-many", limit=5)
        pages = [await load_history(client, replace(wanted, offset=offset)) for offset in (0, 5, 10)]
        names = [row["name"] for page in pages for row in page.rows]
        assert names == [f"wfr_{number:02}" for number in reversed(range(12))]
        assert [(page.has_more, page.total) for page in pages] == [(True, 12), (True, 12), (False, 12)]
        oldest = await load_history(client, replace(wanted, sort="oldest", offset=5))
        assert [row["name"] for row in oldest.rows] == [f"wfr_{number:02}" for number in range(5, 10)]
        git = await load_history(client, replace(wanted, triggered_by=TriggerKind.GIT, status=RunStatus.FAILED))
        assert ([row["name"] for row in git.rows], git.total) == (["wfr_10", "wfr_08", "wfr_04", "wfr_02"], 4)
        assert (await load_history(client, replace(wanted, user="jane"))).total == 8
        assert (await load_history(client, replace(wanted, user="nobody"))).rows == []
        searched = await load_history(client, replace(wanted, search="WFR_0", limit=4))
        assert ([row["name"] for row in searched.rows], searched.has_more, searched.total) == (
            ["wfr_09", "wfr_08", "wfr_07", "wfr_06"],
            True,
            None,
        )
        assert (await load_history(client, replace(wanted, search="WFR_0", limit=40))).total == 10
        assert (await load_history(client, HistoryFilter(workflow="no-such"))).rows == []
        await client.create_flow_run(many, name="wfr_plain", tags=["somebody-else"])
        assert "wfr_plain" not in [row["name"] for row in (await load_history(client, wanted)).rows]
