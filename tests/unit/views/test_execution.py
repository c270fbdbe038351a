"""One run as its readers see it."""

import json
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from prefect_wfexec.status import RunStatus
from prefect_wfexec.views.execution import iso, rounded
from tests.unit.engine.support import step, workflow
from tests.unit.journal.support import (
    RUN,
    at,
    closed,
    decided,
    entered,
    finished,
    gate_closed,
    gate_opened,
    opened,
    requested,
    started,
)
from tests.unit.views.support import execution

RUN_KEYS = [
    "id",
    "name",
    "workflow",
    "definition_digest",
    "status",
    "triggered_by",
    "user",
    "trigger",
    "triggered_at",
    "started",
    "ended",
    "duration_seconds",
    "elapsed_seconds",
    "inputs",
    "outputs",
    "reports",
    "steps",
    "gates",
]
STEP_KEYS = [
    "id",
    "name",
    "uses",
    "phase",
    "status",
    "attempt",
    "started",
    "ended",
    "duration_seconds",
    "summary",
    "reason",
    "error",
    "outputs",
    "needs",
]
GATE_KEYS = [
    "step",
    "generation",
    "status",
    "subject_digest",
    "quorum",
    "approvers",
    "expires",
    "covered_by",
    "news",
    "decisions",
    "notices",
]
WORKFLOW = workflow(step("plan", name="Plan", uses="terraform.plan"), step("gate", "plan", uses="approval"))
TRIGGER = {"type": "github", "id": "push", "text": "Git Push (main @ abc1234)", "commit": "abc1234"}
FACTS = (
    opened(workflow="production-deploy", inputs={"zone": "eu"}, trigger=TRIGGER, triggered_by="Git", user="jane"),
    entered(seconds=1),
    started("plan", seconds=2),
    finished("plan", seconds=14.5, summary="3 to add", outputs={"counts": {"add": 3}}),
    started("gate", seconds=15),
    gate_opened("gate", 15, expires=at(900).isoformat(), approvers=["jane", "joe"], quorum=2),
)


def test_the_shape_is_the_contract() -> None:
    view = execution(WORKFLOW, *FACTS, decided("gate", comment="fine", seconds=20)).as_json()
    assert set(RUN_KEYS) <= set(view) <= {*RUN_KEYS, "reason", "cleanup"}
    assert all(list(one) == STEP_KEYS for one in view["steps"])
    assert all(list(one) == GATE_KEYS for one in view["gates"])
    assert set(view["trigger"]) == {"type", "id", "text"}
    assert set(view["gates"][0]["decisions"][0]) == {"decision", "by", "verified_by", "comment", "at"}
    assert json.loads(json.dumps(view)) == view


def test_a_run_on_its_way() -> None:
    view = execution(WORKFLOW, *FACTS, now=at(61)).as_json()
    assert (view["id"], view["name"], view["workflow"]) == (RUN, "wfr_8x7y6z5w", "production-deploy")
    assert (view["status"], view["triggered_by"], view["user"]) == ("Approval Pending", "Git", "jane")
    assert (view["started"], view["ended"]) == ("2030-01-01T12:00:01Z", None)
    assert (view["duration_seconds"], view["elapsed_seconds"]) == (60.0, 60.0)
    assert (view["inputs"], view["outputs"], view["reports"]) == ({"zone": "eu"}, {}, [])
    plan, gate = view["steps"]
    assert (plan["status"], plan["duration_seconds"], plan["summary"]) == ("Success", 12.5, "3 to add")
    assert (plan["started"], plan["ended"]) == ("2030-01-01T12:00:02Z", "2030-01-01T12:00:14.500000Z")
    assert (gate["status"], gate["ended"], gate["needs"]) == ("Waiting", None, ["plan"])
    [found] = view["gates"]
    assert (found["status"], found["quorum"], found["approvers"]) == ("open", 2, ["jane", "joe"])
    assert found["expires"] == "2030-01-01T12:15:00Z"


def test_a_run_that_ended_keeps_its_times() -> None:
    more = (
        decided("gate", "reject", by="joe", seconds=100, comment="no"),
        gate_closed("gate", "rejected", seconds=100),
        finished("gate", "Failed", seconds=100, error={"type": "rejected", "message": "rejected by joe: no"}),
        closed("Approval Rejected", seconds=101, reason="step 'gate': rejected by joe: no", outputs={"a": None}),
    )
    view = execution(WORKFLOW, *FACTS, *more, now=at(5000)).as_json()
    assert (view["status"], view["ended"]) == ("Approval Rejected", "2030-01-01T12:01:41Z")
    assert (view["duration_seconds"], view["elapsed_seconds"], view["outputs"]) == (100.0, 100.0, {"a": None})
    assert view["steps"][1]["error"] == {
        "type": "rejected",
        "message": "rejected by joe: no",
        "exit_code": None,
        "tail": "",
    }
    assert view["gates"][0]["status"] == "rejected"
    assert view["gates"][0]["decisions"] == [
        {"decision": "reject", "by": "joe", "verified_by": None, "comment": "no", "at": "2030-01-01T12:01:40Z"}
    ]
    assert view["reason"] == "step 'gate': rejected by joe: no"


def test_a_gate_says_what_covers_it_or_what_is_new() -> None:
    news = ["terraform_data.three was not to change", "terraform_data.two has another value at /after/input"]

    def shown(**more: Any) -> tuple[int | None, list[str]]:
        (gate,) = execution(WORKFLOW, *FACTS[:-1], gate_opened("gate", 30, generation=2, **more)).as_json()["gates"]
        return gate["covered_by"], gate["news"]

    assert shown() == (None, [])
    assert shown(covered_by=1) == (1, [])
    assert shown(news=news) == (None, news)


def test_a_run_no_engine_has_opened_is_what_prefect_says() -> None:
    view = execution(None, status=RunStatus.PENDING, triggered_by="Schedule", inputs={"zone": "us"}).as_json()
    assert (view["status"], view["triggered_by"], view["inputs"]) == ("Pending", "Schedule", {"zone": "us"})
    assert (view["started"], view["duration_seconds"], view["steps"], view["definition_digest"]) == (
        None,
        None,
        [],
        None,
    )
    assert view["triggered_at"] == "2030-01-01T11:59:55Z"


@pytest.mark.parametrize("status", [RunStatus.ERROR, RunStatus.TERMINATED, RunStatus.FAILED])
def test_prefects_word_counts_when_the_run_ended_without_an_engines(status: RunStatus) -> None:
    found = execution(WORKFLOW, *FACTS, status=status, ended=at(300))
    assert (found.status, found.ended, found.duration_seconds) == (status, at(300), 299.0)


@pytest.mark.parametrize("status", [RunStatus.PENDING, RunStatus.RUNNING, RunStatus.TERMINATING, RunStatus.ERROR])
def test_the_journals_word_counts_once_it_has_spoken_the_last(status: RunStatus) -> None:
    found = execution(WORKFLOW, *FACTS, closed("Succeeded", seconds=20), status=status)
    assert found.status is RunStatus.SUCCEEDED


def test_a_cancel_shows_at_once() -> None:
    assert execution(WORKFLOW, *FACTS, requested("cancel"), status=RunStatus.RUNNING).status is RunStatus.TERMINATING


def test_times_are_utc_whatever_they_were() -> None:
    assert iso(None) is None
    assert iso(datetime(2030, 1, 1, 14, 0, tzinfo=timezone(timedelta(hours=2)))) == "2030-01-01T12:00:00Z"
    assert (rounded(None), rounded(1.23456)) == (None, 1.235)


def test_a_run_that_is_begun_again_is_over_no_more_before_its_journal_says_so() -> None:
    facts = (opened(), entered(), closed("Failed"))
    asked = requested("retry", 20)
    assert execution(WORKFLOW, *facts, asked, status=RunStatus.RUNNING).status is RunStatus.RUNNING
    assert execution(WORKFLOW, *facts, asked, status=RunStatus.FAILED).status is RunStatus.FAILED
    assert execution(WORKFLOW, *facts, status=RunStatus.RUNNING).status is RunStatus.FAILED
