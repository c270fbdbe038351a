"""Counts by day and month, in the time zone of who looks."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_wfexec.status import RunStatus
from prefect_wfexec.views import analytics, history
from prefect_wfexec.views.analytics import analyse, days_until, load_analytics, months_until, percentile
from prefect_wfexec.views.history import Flows
from tests.unit.views.runs_in_memory import FLOW, START, Prefect

NOW = datetime(2030, 3, 31, 22, 30, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


def row(at: datetime, status: str = "Succeeded", seconds: float | None = 1.0) -> dict[str, Any]:
    wait = None if seconds is None else seconds / 2
    return {"triggered_at": at.isoformat(), "status": status, "duration_seconds": seconds, "approval_seconds": wait}


def test_days_are_those_of_the_time_zone() -> None:
    period = days_until(NOW, 2, BERLIN)
    assert [start.date().isoformat() for start in period.starts] == ["2030-03-31", "2030-04-01", "2030-04-02"]
    found = analyse([row(datetime(2030, 3, 30, 23, 0, tzinfo=UTC)), row(NOW), row(NOW - timedelta(days=5))], period)
    assert [bucket["counts"] for bucket in found["buckets"]] == [{"Succeeded": 1}, {"Succeeded": 1}]
    # Summer time began: that day has 23 hours.
    assert found["buckets"][0]["start"] == "2030-03-30T23:00:00Z"
    assert found["buckets"][0]["end"] == "2030-03-31T22:00:00Z"


def test_months_cross_a_year() -> None:
    period = months_until(datetime(2030, 1, 15, tzinfo=UTC), 3, UTC)
    assert [start.strftime("%Y-%m") for start in period.starts] == ["2029-11", "2029-12", "2030-01", "2030-02"]
    assert period.bucket == "month"


def test_totals_durations_and_the_share_of_successes() -> None:
    rows = [row(NOW, "Succeeded", float(second)) for second in range(1, 10)]
    rows += [row(NOW, "Failed", 100.0), row(NOW, "Running", 5000.0), row(NOW, "Approval Pending", None)]
    found = analyse(rows, days_until(NOW, 7, UTC))
    assert found["totals"] == {"Running": 1, "Succeeded": 9, "Failed": 1, "Approval Pending": 1}
    assert (found["total"], found["success_rate"]) == (12, 0.9)
    assert found["duration_seconds"] == {"p50": 5.0, "p95": 100.0}
    assert found["approval_seconds"] == {"p50": 3.0, "p95": 2500.0}


def test_nothing_ran() -> None:
    found = analyse([], days_until(NOW, 7, UTC))
    assert (found["total"], found["success_rate"], len(found["buckets"])) == (0, None, 7)
    assert found["duration_seconds"] == {"p50": None, "p95": None}


@pytest.mark.parametrize(("share", "value"), [(0.5, 2.0), (0.95, 4.0), (1.0, 4.0), (0.0, 1.0)])
def test_percentiles(share: float, value: float) -> None:
    assert percentile([4.0, 1.0, 3.0, 2.0], share) == value


@given(st.lists(st.integers(0, 40 * 24 * 3600)), st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kathmandu"]))
def test_every_run_within_the_period_is_counted_once(ages: list[int], zone: str) -> None:
    period = days_until(NOW, 30, ZoneInfo(zone))
    moments = [NOW - timedelta(seconds=age) for age in ages]
    found = analyse([row(at, RunStatus.FAILED.value) for at in moments], period)
    assert found["total"] == sum(period.begin <= at < period.end for at in moments)
    assert found["total"] == sum(sum(bucket["counts"].values()) for bucket in found["buckets"])


def test_of_very_many_runs_prefect_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    async def flows(_client: object) -> Flows:
        return Flows({FLOW: "shop"}, frozenset())

    monkeypatch.setattr(history, "workflow_flows", flows)
    prefect = Prefect([number % 10 == 0 for number in range(200)], timedelta(hours=1))
    period = days_until(START + timedelta(days=8), 7, UTC)
    read = asyncio.run(load_analytics(prefect, period))  # type: ignore[arg-type]
    monkeypatch.setattr(analytics, "MOST_READ", 20)
    counted = asyncio.run(load_analytics(prefect, period))  # type: ignore[arg-type]
    assert counted == read
    assert (set(read["totals"]), read["total"] > 100) == ({"Succeeded", "Failed"}, True)
