"""Filters of the history, and its rows."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prefect.client.schemas.objects import CreatedBy, FlowRun, State, StateType

from prefect_wfexec.engine.context import PARAMETER
from prefect_wfexec.engine.flow_run import run_name, tags_for
from prefect_wfexec.errors import UsageError
from prefect_wfexec.status import RunStatus, TriggerKind
from prefect_wfexec.views.exports import csv_rows
from prefect_wfexec.views.history import Flows, _matches, row_of
from prefect_wfexec.views.history_filter import (
    SORTS,
    HistoryFilter,
    parse_moment,
    parse_sort,
    parse_status,
    parse_trigger,
)
from prefect_wfexec.views.load import header_of
from tests.unit.journal.support import START, at, unhurried

FLOW = uuid4()


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("24h", START - timedelta(hours=24)),
        ("7d", START - timedelta(days=7)),
        ("30d", START - timedelta(days=30)),
        ("2w", START - timedelta(weeks=2)),
        (" 90m ", START - timedelta(minutes=90)),
        ("2030-01-31", datetime(2030, 1, 31, tzinfo=UTC)),
        ("2030-01-31T10:00", datetime(2030, 1, 31, 10, tzinfo=UTC)),
        ("2030-01-31T10:00:00Z", datetime(2030, 1, 31, 10, tzinfo=UTC)),
        ("2030-01-31T10:00+02:00", datetime(2030, 1, 31, 8, tzinfo=UTC)),
    ],
)
def test_moments(text: str, moment: datetime) -> None:
    found = parse_moment(text, START)
    assert (found, found.tzinfo) == (moment, UTC)


def test_a_day_as_an_end_is_the_whole_day() -> None:
    day = parse_moment("2030-01-31", START, is_end=True)
    assert datetime(2030, 1, 31, 23, 59, 59, tzinfo=UTC) < day < datetime(2030, 2, 1, tzinfo=UTC)
    assert parse_moment("24h", START, is_end=True) == parse_moment("24h", START)
    assert parse_moment("2030-01-31T10:00", START, is_end=True) == datetime(2030, 1, 31, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "soon",
        "-7d",
        "7",
        "7 d",
        "1.5h",
        "7y",
        "2030-13-01",
        "99999999999d",
        "9" * 400 + "h",
        "0001-01-01T00:00+23:59",
    ],
)
def test_what_is_no_moment(text: str) -> None:
    with pytest.raises(UsageError, match="is no date") as caught:
        parse_moment(text, START)
    assert "24h" in (caught.value.hint or "")


def test_the_last_day_there_is_has_no_end() -> None:
    with pytest.raises(UsageError):
        parse_moment("9999-12-31T23:59:59-23:59", START)


@unhurried
@given(st.text(max_size=12))
def test_any_text_is_a_moment_or_refused(text: str) -> None:
    for is_end in (True, False):
        try:
            found = parse_moment(text, START, is_end=is_end)
        except UsageError:
            continue
        assert found.tzinfo is not None


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("All", None),
        ("all ", None),
        ("Success", RunStatus.SUCCEEDED),
        ("COMPLETED", RunStatus.SUCCEEDED),
        ("failed", RunStatus.FAILED),
        ("Cancelled", RunStatus.TERMINATED),
        ("approval  pending", RunStatus.APPROVAL_PENDING),
        ("late", RunStatus.PENDING),
    ],
)
def test_status_words(text: str, status: RunStatus | None) -> None:
    assert parse_status(text) is status


@pytest.mark.parametrize("text", ["", "done", "fail", "Success!"])
def test_what_is_no_status(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_status(text)
    assert "Succeeded" in (caught.value.hint or "")


def test_triggers() -> None:
    assert parse_trigger(" ALL") is None
    assert [parse_trigger(kind.value.upper()) for kind in TriggerKind] == list(TriggerKind)
    with pytest.raises(UsageError) as caught:
        parse_trigger("cron")
    assert "Schedule" in (caught.value.hint or "")


def flow_run(state: tuple[StateType, str] = (StateType.COMPLETED, "Succeeded"), **more: Any) -> FlowRun:
    given = {
        "flow_id": FLOW,
        "name": "wfr_test",
        "state": State(type=state[0], name=state[1]),
        "tags": sorted(tags_for("Git", "jane")),
        "created": at(0),
        "start_time": at(3),
        "labels": {"wfexec.duration_seconds": 12.3456, "wfexec.reports": 2},
        "parameters": {"zone": "eu", PARAMETER: "{}"},
    }
    return FlowRun(**{**given, **more})


DEPLOYMENT = uuid4()
FLOWS = Flows({str(FLOW): "deploy"}, frozenset({str(DEPLOYMENT)}))


def row(**more: Any) -> dict[str, Any] | None:
    """The row of a run as Prefect's API has it."""
    return row_of(flow_run(**more).model_dump(mode="json"), FLOWS)


def test_a_row() -> None:
    run = flow_run()
    assert row_of(run.model_dump(mode="json"), FLOWS) == {
        "id": str(run.id),
        "name": "wfr_test",
        "workflow": "deploy",
        "status": "Succeeded",
        "triggered_by": "Git",
        "user": "jane",
        "triggered_at": "2030-01-01T12:00:00Z",
        "started": "2030-01-01T12:00:03Z",
        "duration_seconds": 12.346,
        "reports": 2,
        "trigger": "",
        "approval_seconds": None,
    }


def test_what_labels_say_stands_in_the_row() -> None:
    labels = {"wfexec.trigger": "Git Push (main @ abc1234)", "wfexec.approval_seconds": 272.0004}
    found = row(labels=labels)
    assert found is not None
    assert (found["trigger"], found["approval_seconds"]) == ("Git Push (main @ abc1234)", 272.0)


def test_a_row_of_a_run_no_engine_has_seen() -> None:
    state = (StateType.SCHEDULED, "Late")
    found = row(state=state, start_time=None, labels={}, tags=["team:net"], deployment_id=DEPLOYMENT)
    assert found is not None
    assert (found["status"], found["started"], found["duration_seconds"]) == ("Pending", None, None)
    assert (found["user"], found["triggered_by"]) == (None, "Manual")


@pytest.mark.parametrize(
    "more", [{"tags": ["wfexec", "wfexec-cleanup"]}, {"tags": []}, {"deployment_id": uuid4(), "tags": []}]
)
def test_runs_that_are_not_listed(more: dict[str, Any]) -> None:
    assert row(**more) is None


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\tx"])
def test_a_spreadsheet_calculates_nothing(text: str) -> None:
    found = row(tags=["wfexec", f"user:{text}"], name='a "b", c')
    assert found is not None
    titles, cells = csv_rows([found])
    assert dict(zip(titles, cells, strict=True)) | {} == {
        **{key: str(value) if value is not None else "" for key, value in found.items()},
        "user": f"'{text}",
    }


def test_orders() -> None:
    assert [parse_sort(text) for text in ("newest", " Oldest ", "STARTED", "name")] == list(SORTS)
    with pytest.raises(UsageError) as caught:
        parse_sort("size")
    assert "oldest" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("more", "kind"),
    [
        ({"tags": ["trigger:webhook"]}, "Webhook"),
        ({"tags": ["trigger:incident", "user:x"]}, "Incident"),
        ({"tags": ["trigger:nonsense"]}, "Manual"),
        ({"tags": []}, "Manual"),
        ({"tags": [], "auto_scheduled": True}, "Schedule"),
        ({"tags": [], "created_by": CreatedBy(type="SCHEDULE")}, "Schedule"),
        ({"tags": ["trigger:manual"], "auto_scheduled": True}, "Manual"),
    ],
)
def test_who_triggered_a_run(more: dict[str, Any], kind: str) -> None:
    assert header_of(flow_run(**more), "deploy").triggered_by == kind


def test_the_head_of_a_run_hides_the_reserved_parameter() -> None:
    assert header_of(flow_run(), "deploy").inputs == {"zone": "eu"}
    assert header_of(flow_run(state=(StateType.PAUSED, "Suspended")), "d").status is RunStatus.APPROVAL_PENDING
    assert header_of(FlowRun(flow_id=FLOW, name="x"), "d").status is RunStatus.PENDING


@pytest.mark.parametrize(
    ("wanted", "matches"),
    [
        (HistoryFilter(), True),
        (HistoryFilter(status=RunStatus.SUCCEEDED), True),
        (HistoryFilter(status=RunStatus.FAILED), False),
        (HistoryFilter(triggered_by=TriggerKind.GIT), True),
        (HistoryFilter(triggered_by=TriggerKind.MANUAL), False),
        (HistoryFilter(user="jane"), True),
        (HistoryFilter(user="Jane"), False),
        (HistoryFilter(search="DEPLOY"), True),
        (HistoryFilter(search="wfr_t"), True),
        (HistoryFilter(search="nothing"), False),
        (HistoryFilter(search=""), True),
    ],
)
def test_what_a_filter_lets_through(wanted: HistoryFilter, matches: bool) -> None:
    found = row()
    assert found is not None
    assert _matches(found, wanted) is matches


@unhurried
@given(st.uuids())
def test_a_run_has_one_name(run: UUID) -> None:
    name = run_name(run)
    assert name == run_name(UUID(str(run)))
    assert len(name) == 14
    assert name.removeprefix("wfr_").isalnum()
    assert name == name.lower()
