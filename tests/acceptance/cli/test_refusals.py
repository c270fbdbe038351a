"""What can't be done with a run as it is: refused with exit code 2 and in words, or on record as nothing to do."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.wfexec import Going, Wfexec

ENDS = """
    version: 1
    name: ends
    steps:
      - {id: first, run: echo first}
      - {id: check, run: test -e fine}
      - {id: last, run: echo last, allow_skip: true}
"""
GOES_ON = """
    version: 1
    name: goes-on
    steps:
      - {id: work, run: echo up; sleep 300, allow_skip: true}
"""


@pytest.fixture
def place(wfexec: Wfexec, tmp_path: Path) -> Iterator[Wfexec]:
    """The same commands in a folder of the test's own."""
    own = Wfexec(wfexec.environment, tmp_path / "work")
    own.write("ends.yaml", ENDS)
    own.write("goes-on.yaml", GOES_ON)
    yield own
    own.stop_all()


@contextlib.contextmanager
def unchanged(place: Wfexec, run: str) -> Iterator[None]:
    """What is refused in here leaves no trace in the run's journal."""
    before = json.dumps(place.json("audit", run)["entries"])
    yield
    assert json.dumps(place.json("audit", run)["entries"]) == before


def refused(place: Wfexec, code: str, *arguments: str) -> str:
    """What is said of a request that is refused."""
    told = place.json(*arguments, code=2)["error"]
    assert (told["code"], told["diagnostics"]) == (code, [])
    return f"{told['message']}; {told['hint']}" if told["hint"] else str(told["message"])


def test_of_a_run_that_failed(place: Wfexec) -> None:
    run = place("run", "ends.yaml").run
    with unchanged(place, run):
        unknown = "the workflow has no step 'nope'; it has 'first', 'check' and 'last'"
        assert refused(place, "unknown-step", "retry", run, "--from", "nope") == unknown
        skip = ("skip", run, "--reason", "no", "--step")
        assert refused(place, "unknown-step", *skip, "nope") == unknown
        assert "`allow_skip: true` in its definition" in refused(place, "no-skip", *skip, "check")
        assert "step 'last' has not failed" in refused(place, "not-failed", *skip, "last")
        stopped = f"run {run} has ended: Failed; there is nothing to stop"
        assert refused(place, "ended", "cancel", run) == stopped
        assert "has no open gate" in refused(place, "no-gate", "approve", run)
        shown = place("cancel", run)
        assert (shown.code, shown.out) == (2, "")
        assert stopped.partition(";")[0] in shown.err and "Traceback" not in shown.err


def test_of_a_run_that_succeeded(place: Wfexec) -> None:
    place.write("fine", "")
    run = place("run", "ends.yaml").run
    with unchanged(place, run):
        assert refused(place, "nothing-failed", "retry", run) == "nothing in this run failed; name a step with --from"
        assert f"run {run} has ended: Succeeded" in refused(place, "ended", "cancel", run)
        assert "by a workflow of its own" in refused(place, "ended", "cancel", run, "--cleanup")


def test_of_a_run_that_goes_on(place: Wfexec) -> None:
    going: Going = place.start("run", "goes-on.yaml")
    going.until("work | up")
    run = going.run
    for arguments in (
        ("retry", run),
        ("retry", run, "--from", "work"),
        ("skip", run, "--step", "work", "--reason", "no"),
    ):
        told = place.json(*arguments, code=2)["error"]
        assert (told["code"], told["message"]) == ("running", f"run {run} is running")
        assert told["hint"] == f"wait for its end, or cancel it with `wfexec cancel {run}`"
    assert place.json("show", run)["status"] == "Running"
    place.json("cancel", run)
    assert going.end().code == 4
    assert "has ended: Terminated" in refused(place, "ended", "cancel", run)


def test_of_a_run_whose_folder_or_definition_is_gone(place: Wfexec) -> None:
    run = place("run", "ends.yaml").run
    (place.folder / "ends.yaml").unlink()
    assert "ends.yaml" in refused(place, "no-file", "retry", run, "--latest")
    elsewhere = Wfexec(place.environment, place.folder.parent)
    place.folder.rename(place.folder.with_name("moved"))
    told = refused(elsewhere, "no-folder", "retry", run)
    assert str(place.folder) in told and told.endswith("retry it where it ran")


def test_of_a_run_that_is_not_there(place: Wfexec) -> None:
    for arguments in (("retry",), ("skip", "--step", "x", "--reason", "no"), ("cancel", "--cleanup")):
        command, *options = arguments
        told = place.json(command, "wfr_none", *options, code=2)["error"]
        assert (told["code"], told["message"]) == ("unknown-run", "there is no run 'wfr_none'")


def test_a_cleanup_with_nothing_to_clean_is_on_record(place: Wfexec) -> None:
    run = place("run", "ends.yaml").run
    ended = place.json("cancel", run, "--cleanup", "--reason", "to be sure")
    assert (ended["outcome"], ended["status"], ended["cleanup"]) == ("ended", "Terminated", None)
    assert ended["reason"] == "cancelled: to be sure; there was nothing to clean up"
    asked = [
        fact["data"]["what"]
        for entry in place.json("audit", run)["entries"]
        for fact in entry["facts"]
        if fact["kind"] == "requested"
    ]
    assert asked == ["cancel"]
    assert place.json("audit", run)["verified"]
