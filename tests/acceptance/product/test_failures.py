"""A run that failed: what it says, and each way on from there."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.product.conftest import BAD, Ran
from tests.support.wfexec import Wfexec

CLEANED = """
    version: 1
    name: cleaned
    steps:
      - {id: plan, uses: terraform.plan, with: {dir: infra}}
      - id: apply
        uses: terraform.apply
        with: {plan: "${{ steps.plan.outputs.plan }}"}
        cleanup: {uses: terraform.destroy}
      - {id: breaks, run: exit 5}
"""
SLEEPS = """
    version: 1
    name: sleeps
    steps:
      - {id: sleep, run: "touch asleep; sleep 600"}
      - {id: after, run: "true"}
"""


@pytest.fixture
def place(wfexec: Wfexec, tmp_path: Path) -> Iterator[Wfexec]:
    """The same commands in a folder of the test's own."""
    own = Wfexec(wfexec.environment, tmp_path)
    yield own
    own.stop_all()


def failed(place: Wfexec, text: str = BAD) -> str:
    # Of another name than the run that other tests count: these ones are mended.
    path = place.write("bad.yaml", text.replace("name: bad-one", "name: mended-one"))
    return str(place.json("run", path, code=1)["name"])


def counted(place: Wfexec, name: str) -> int:
    path = place.folder / name
    return len(path.read_text().split()) if path.exists() else 0


def statuses(view: dict[str, list[dict[str, str]]]) -> list[str]:
    return [step["status"] for step in view["steps"]]


@pytest.mark.shows("failure.details", "failed.details")
def test_it_stops_and_shows_error_details(bad: Ran) -> None:
    details = bad.shown.partition("Error Details\n")[2].splitlines()
    assert details[:2] == ["Step: Break It (breaks)", "Status: Failed"]
    assert "Exit Code: 17" in details
    assert any("the disk is full" in line for line in details)


@pytest.mark.shows("failed.state")
def test_the_state_of_a_run_that_failed(bad: Ran) -> None:
    assert "Status:    Failed ✗" in bad.shown.splitlines()
    assert statuses(bad.view) == ["Success", "Failed", "Skipped"]
    assert "← FAILED" in bad.shown


@pytest.mark.shows("failed.actions")
def test_what_can_be_done_is_offered(bad: Ran) -> None:
    for words in ("[View Full Log]", "[Retry Step]", "[Retry From Here]"):
        assert words in bad.shown


@pytest.mark.shows("retry.step", "failed.resolution", "failed.after")
def test_retry_step_after_a_variable_was_mended(place: Wfexec) -> None:
    run = failed(place)
    view = place.json("retry", run, "--step", "breaks", "-i", "code=0")
    assert (view["status"], statuses(view)) == ("Succeeded", ["Success"] * 3)
    assert (counted(place, "before"), counted(place, "after")) == (1, 1)
    shown = place("show", run).out
    assert "Step Progress (Retried)" in shown and "← Retry succeeded" in shown and "(including retry)" in shown


@pytest.mark.shows("retry.from-here")
def test_retry_from_here(place: Wfexec) -> None:
    run = failed(place)
    view = place.json("retry", run, "--from", "before", "-i", "code=0")
    assert (view["status"], statuses(view)) == ("Succeeded", ["Success"] * 3)
    assert (counted(place, "before"), counted(place, "after")) == (2, 1)


@pytest.mark.shows("retry.skip")
def test_skip_step_where_it_is_allowed(place: Wfexec) -> None:
    run = failed(place)
    refused = place.json("skip", run, "--step", "breaks", "--reason", "known", code=2)
    assert refused["error"]["code"] == "no-skip"
    allowed = failed(place, BAD.replace("{id: breaks,", "{id: breaks, allow_skip: true,"))
    view = place.json("skip", allowed, "--step", "breaks", "--reason", "known")
    assert (view["status"], statuses(view)) == ("Succeeded", ["Success", "Skipped", "Success"])


@pytest.mark.shows("cancel.stop", "terminating.command")
def test_cancel(place: Wfexec) -> None:
    going = place.start("run", place.write("sleeps.yaml", SLEEPS))
    going.until("Sleep Running")
    asked = place("cancel", going.run, "--reason", "not today")
    assert asked.code == 0 and "is asked to stop" in asked.out
    assert going.end().code == 4
    view = place.json("show", going.run)
    assert (view["status"], statuses(view)) == ("Terminated", ["Cancelled", "Cancelled"])
    assert "not today" in view["reason"]


@pytest.mark.shows("cancel.cleanup")
def test_cancel_with_cleanup_destroys_what_was_applied(place: Wfexec) -> None:
    place.write("infra/main.tf", 'resource "terraform_data" "one" {}')
    run = failed(place, CLEANED)
    view = place.json("cancel", run, "--cleanup", "--reason", "take it away")
    assert (view["status"], view["cleanup"]["status"], view["cleanup"]["left"]) == ("Terminated", "Succeeded", [])
    assert '"resources": []' in (place.folder / "infra/terraform.tfstate").read_text()
