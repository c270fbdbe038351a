"""`on_failure: ask`: what becomes of a step that failed is decided by a person."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.wfexec import Wfexec

ASKS = """
    version: 1
    name: asks
    steps:
      - {id: before, run: echo x >> before}
      - id: flaky
        name: Flaky Step
        run: echo x >> tried; test -e mended || { echo broken >&2; exit 7; }
        on_failure: ask
      - {id: after, run: echo x >> after}
      - {id: told, when: always, run: 'echo "$HOW" >> told', env: {HOW: "${{ run.status }}"}}
"""


def lines(path: Path) -> list[str]:
    return path.read_text().split() if path.exists() else []


@pytest.fixture
def place(wfexec: Wfexec, tmp_path: Path) -> Iterator[Wfexec]:
    """The same commands in a folder of the test's own."""
    own = Wfexec(wfexec.environment, tmp_path)
    own.write("asks.yaml", ASKS)
    yield own
    own.stop_all()


def test_retry_runs_it_again(place: Wfexec) -> None:
    going = place.start("run", "asks.yaml", "--json")
    going.until("wfexec approve")
    (waiting,) = [row for row in place.json("approvals") if row["run"] == going.run]
    assert (waiting["step"], waiting["message"]) == (
        "flaky",
        "**Flaky Step** failed: the script ended with exit code 7",
    )
    shown = place.json("show", going.run)
    assert [step["status"] for step in shown["steps"]] == ["Success", "Waiting", "Waiting", "Pending"]
    assert shown["steps"][1]["error"]["exit_code"] == 7
    assert place.json("approve", going.run)["outcome"] == "retried"
    going.until("attempt 2")
    place.write("mended", "")
    while place.json("show", going.run)["gates"][-1]["status"] != "open":
        continue
    place.json("approve", going.run, "--comment", "mended it")
    ended = going.end()
    view = ended.json()
    assert (ended.code, view["status"]) == (0, "Succeeded")
    assert [step["status"] for step in view["steps"]] == ["Success"] * 4
    assert view["steps"][1]["attempt"] == 3
    assert [gate["status"] for gate in view["gates"]] == ["retried", "retried"]
    counted = {name: len(lines(place.folder / name)) for name in ("before", "tried", "after")}
    assert counted == {"before": 1, "tried": 3, "after": 1}


def test_skip_goes_on_without_it(place: Wfexec) -> None:
    going = place.start("run", "asks.yaml", "--json")
    going.until("wfexec approve")
    assert place.json("skip", going.run, "--step", "flaky", "--reason", "not today")["outcome"] == "skipped"
    ended = going.end()
    view = ended.json()
    assert (ended.code, view["status"]) == (0, "Succeeded")
    assert (view["steps"][1]["status"], view["steps"][1]["reason"]) == ("Skipped", "skipped by jane: not today")
    assert lines(place.folder / "after") == ["x"]


def test_abort_leaves_it_failed(place: Wfexec) -> None:
    going = place.start("run", "asks.yaml", "--json")
    going.until("wfexec approve")
    assert place.json("reject", going.run)["outcome"] == "aborted"
    ended = going.end()
    view = ended.json()
    assert (ended.code, view["status"]) == (1, "Failed")
    flaky = view["steps"][1]
    assert (flaky["status"], flaky["attempt"], flaky["error"]["exit_code"]) == ("Failed", 1, 7)
    assert view["steps"][2]["status"] == "Skipped"
    assert lines(place.folder / "told") == ["Failed"]


def test_yes_answers_no_question_about_a_failure(place: Wfexec) -> None:
    going = place.start("run", "asks.yaml", "--json", "--yes")
    going.until("wfexec approve")
    going.signal()
    ended = going.end()
    assert (ended.code, ended.json()["status"]) == (4, "Terminated")
    assert len(lines(place.folder / "tried")) == 1


def test_what_others_need_is_not_skipped(place: Wfexec) -> None:
    place.write(
        "needed.yaml",
        """
        version: 1
        name: needed
        steps:
          - {id: flaky, run: exit 1, on_failure: ask}
          - {id: after, run: 'echo "$GIVEN"', env: {GIVEN: "${{ steps.flaky.outputs.stdout }}"}}
        """,
    )
    going = place.start("run", "needed.yaml", "--json")
    going.until("wfexec approve")
    refused = place.json("skip", going.run, "--step", "flaky", "--reason", "x", code=2)
    assert refused["error"]["code"] == "no-skip"
    place.json("reject", going.run)
    assert going.end().code == 1


def test_an_apply_that_failed_is_planned_anew_and_asked_about_only_when_it_changed(place: Wfexec) -> None:
    place.write(
        "infra/main.tf",
        """
        resource "terraform_data" "one" {
          input = "one"
        }
        resource "terraform_data" "two" {
          input      = "two"
          depends_on = [terraform_data.one]
          provisioner "local-exec" { command = "test -e ../mended" }
        }
        """,
    )
    place.write(
        "apply.yaml",
        """
        version: 1
        name: apply-asks
        steps:
          - {id: plan, uses: terraform.plan, with: {dir: infra}}
          - {id: ask, uses: approval, with: {subject: "${{ steps.plan.outputs.plan }}"}}
          - id: apply
            uses: terraform.apply
            with: {plan: "${{ steps.plan.outputs.plan }}"}
            on_failure: ask
        """,
    )
    going = place.start("run", "apply.yaml", "--json")
    going.until("wfexec approve")
    place.json("approve", going.run)
    while not any(gate["step"] == "apply" for gate in place.json("show", going.run)["gates"]):
        continue
    place.write("mended", "")
    assert place.json("approve", going.run, "--step", "apply")["outcome"] == "retried"
    ended = going.end()
    view = ended.json()
    assert (ended.code, view["status"]) == (0, "Succeeded")
    assert {step["id"]: step["attempt"] for step in view["steps"]} == {"plan": 2, "ask": 2, "apply": 2}
    assert [(gate["step"], len(gate["decisions"])) for gate in view["gates"]] == [("ask", 1), ("apply", 1), ("ask", 0)]
