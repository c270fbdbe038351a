"""How many runs ended how, day by day and month by month."""

from typing import Any

import pytest

from tests.support.wfexec import Wfexec


def counted(wfexec: Wfexec, *period: str, workflow: str = "") -> dict[str, Any]:
    of = ("--workflow", workflow) if workflow else ()
    found: dict[str, Any] = wfexec.json("analytics", *period, *of)
    return found


@pytest.mark.shows("analytics.time")
@pytest.mark.usefixtures("good")
def test_time_filters(wfexec: Wfexec) -> None:
    for days in (7, 14, 30):
        found = counted(wfexec, "--days", str(days))
        assert (found["bucket"], len(found["buckets"])) == ("day", days)
        assert found["total"] >= 1
    for months in (1, 12):
        found = counted(wfexec, "--months", str(months))
        assert (found["bucket"], len(found["buckets"])) == ("month", months)
        assert found["total"] >= 1


@pytest.mark.shows("analytics.status")
@pytest.mark.usefixtures("good", "bad")
def test_a_line_for_each_status(wfexec: Wfexec) -> None:
    assert set(counted(wfexec, "--days", "7", workflow="good-one")["totals"]) == {"Succeeded"}
    assert set(counted(wfexec, "--days", "7", workflow="bad-one")["totals"]) == {"Failed"}
    drawn = wfexec("analytics", "--days", "7").out
    assert any(line.startswith("Succeeded ") for line in drawn.splitlines())
    assert any(line.startswith("Failed ") for line in drawn.splitlines())
    wfexec("analytics", "--days", "7", "--plot", "runs.svg")
    plot = (wfexec.folder / "runs.svg").read_text()
    assert "Succeeded" in plot and "Failed" in plot


@pytest.mark.shows("analytics.totals")
@pytest.mark.usefixtures("good", "bad")
def test_totals(wfexec: Wfexec) -> None:
    for workflow in ("good-one", "bad-one"):
        found = counted(wfexec, "--days", "7", workflow=workflow)
        rows = wfexec.json("history", "--workflow", workflow, "--since", "7d", "--limit", "500")
        assert found["total"] == len(rows) == sum(found["totals"].values())
        assert sum(sum(bucket["counts"].values()) for bucket in found["buckets"]) == len(rows)
