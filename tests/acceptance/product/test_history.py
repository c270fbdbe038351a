"""The list of runs: each of its columns, and each of its filters."""

from datetime import datetime, timedelta

import pytest

from tests.acceptance.product.conftest import Ran
from tests.support.wfexec import Wfexec


def cells(wfexec: Wfexec, run: Ran) -> dict[str, str]:
    """A run's row of the table, by column."""
    lines = wfexec("history", "--workflow", run.view["workflow"]).out.splitlines()
    head = lines[0]
    titles = ["Run ID", "Workflow", "Status", "Triggered By", "User", "Started", "Duration", "Report"]
    places = [*(head.index(title) for title in titles), None]
    row = next(line for line in lines if line.startswith(run.name))
    return {title: row[begin:end].strip() for title, begin, end in zip(titles, places, places[1:], strict=False)}


def names(wfexec: Wfexec, *filters: str) -> set[str]:
    return {row["name"] for row in wfexec.json("history", *filters)}


@pytest.mark.shows("column.run-id", "column.execution-id")
def test_the_id_names_the_run(wfexec: Wfexec, good: Ran) -> None:
    name = cells(wfexec, good)["Run ID"]
    assert name == good.name and name.startswith("wfr_")
    assert wfexec.json("show", name)["id"] == good.view["id"]
    assert "to output" in wfexec("logs", name).out


@pytest.mark.shows("column.triggered-at")
def test_when_it_was_triggered(wfexec: Wfexec, good: Ran) -> None:
    (row,) = [row for row in wfexec.json("history") if row["name"] == good.name]
    assert good.began <= datetime.fromisoformat(row["triggered_at"]) <= good.ended


@pytest.mark.shows("column.triggered-by", "column.trigger")
def test_what_triggered_it(wfexec: Wfexec, good: Ran) -> None:
    assert cells(wfexec, good)["Triggered By"] == "Manual"


@pytest.mark.shows("column.status", "column.run-status")
def test_how_it_stands(wfexec: Wfexec, good: Ran, bad: Ran) -> None:
    assert (cells(wfexec, good)["Status"], cells(wfexec, bad)["Status"]) == ("Succeeded", "Failed")


@pytest.mark.shows("column.report")
def test_its_reports(wfexec: Wfexec, good: Ran, bad: Ran, tmp_path_factory: pytest.TempPathFactory) -> None:
    assert (cells(wfexec, good)["Report"], cells(wfexec, bad)["Report"]) == ("2", "-")
    folder = tmp_path_factory.mktemp("reports")
    wfexec.json("reports", good.name, "--download", folder)
    assert {path.name for path in folder.iterdir()} == {"own-own.json", "own-own.sarif"}


@pytest.mark.shows("column.started")
def test_when_it_started(wfexec: Wfexec, good: Ran) -> None:
    (row,) = [row for row in wfexec.json("history") if row["name"] == good.name]
    assert good.began <= datetime.fromisoformat(row["started"]) <= good.ended
    shown = cells(wfexec, good)["Started"]
    assert str(good.began.year) in shown


@pytest.mark.shows("column.duration")
def test_how_long_it_took(wfexec: Wfexec, good: Ran) -> None:
    seconds = int(cells(wfexec, good)["Duration"].rpartition(" ")[2].removesuffix("s"))
    assert 0 <= seconds <= (good.ended - good.began).total_seconds() + 1


@pytest.mark.shows("column.user")
def test_who_triggered_it(wfexec: Wfexec, good: Ran) -> None:
    assert cells(wfexec, good)["User"] == "jane"


@pytest.mark.shows("filter.status")
def test_only_one_status(wfexec: Wfexec, good: Ran, bad: Ran) -> None:
    both = {good.name, bad.name}
    assert names(wfexec, "--status", "all") & both == both
    assert names(wfexec, "--status", "success") & both == {good.name}
    assert names(wfexec, "--status", "failed") & both == {bad.name}
    assert names(wfexec, "--status", "cancelled") & both == set()


@pytest.mark.shows("filter.triggered-by")
def test_only_one_trigger(wfexec: Wfexec, good: Ran) -> None:
    assert good.name in names(wfexec, "--triggered-by", "all")
    assert good.name in names(wfexec, "--triggered-by", "manual")
    for other in ("schedule", "webhook", "git", "incident", "workflow"):
        assert good.name not in names(wfexec, "--triggered-by", other)


@pytest.mark.shows("filter.date")
def test_only_some_days(wfexec: Wfexec, good: Ran) -> None:
    for recent in ("24h", "7d", "30d", str(good.began.date())):
        assert good.name in names(wfexec, "--since", recent)
    tomorrow = str((good.ended + timedelta(days=1)).date())
    yesterday = str((good.began - timedelta(days=1)).date())
    assert good.name not in names(wfexec, "--since", tomorrow)
    assert good.name not in names(wfexec, "--until", yesterday)
    assert good.name in names(wfexec, "--since", yesterday, "--until", tomorrow)


@pytest.mark.shows("viewing.workflow")
def test_of_one_workflow(wfexec: Wfexec, good: Ran, bad: Ran) -> None:
    found = names(wfexec, "--workflow", "good-one")
    assert good.name in found and bad.name not in found


@pytest.mark.shows("viewing.all")
def test_of_all_workflows(wfexec: Wfexec, good: Ran, bad: Ran) -> None:
    assert {good.name, bad.name} <= names(wfexec)
