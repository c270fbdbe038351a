"""What a command line says of runs whose engine has a key that it does not have."""

import json

import pytest

from prefect_wfexec.cli.signatures import UNCHECKED
from prefect_wfexec.settings import SECRET_KEY
from tests.support.wfexec import Going, Wfexec

KEY = "a key that only the engine has"
GATED = """
    version: 1
    name: gated
    steps:
      - {id: before, run: "echo before"}
      - {id: ask, uses: approval, with: {message: "Shall we?"}}
    outputs: {said: "${{ steps.before.outputs.stdout }}"}
"""


ASKS_AFTER_FAILURE = """
    version: 1
    name: asks-after-failure
    steps:
      - {id: fails, run: "exit 3", on_failure: ask}
"""


@pytest.fixture
def keyed(wfexec: Wfexec) -> Wfexec:
    return wfexec.with_environment(**{SECRET_KEY.variable: KEY})


@pytest.fixture
def going(wfexec: Wfexec, keyed: Wfexec) -> Going:
    """A run of an engine with a key, waiting at its gate."""
    wfexec.write("gated.yaml", GATED)
    going = keyed.start("run", "gated.yaml")
    going.until("wfexec approve wfr_")
    return going


def test_with_another_key_a_run_is_passed_over_and_named(wfexec: Wfexec, going: Going) -> None:
    other = wfexec.with_environment(**{SECRET_KEY.variable: "a key that no engine has"})
    run = going.run
    for command in ("approvals", "reconcile"):
        for options in ([], ["--json"]):
            listed = other(command, *options)
            assert listed.code == 0
            (told,) = [line for line in listed.err.splitlines() if line.startswith(f"{run}: passed over, because ")]
            assert "signed with another key" in told and SECRET_KEY.variable in told
            assert run not in listed.out
            assert not options or isinstance(json.loads(listed.out), list)
        assert "passed over" not in wfexec(command).err
    wfexec.json("reject", run)
    assert going.end().code == 3


def test_without_the_key_every_view_says_that_nothing_was_checked(wfexec: Wfexec, keyed: Wfexec, going: Going) -> None:
    run = going.run
    followers = [wfexec.start("show", run, "--follow", "--json"), wfexec.start("logs", run, "--follow")]
    for command in ("show", "outputs", "logs"):
        for options in ([], ["--json"]):
            shown = wfexec(command, run, *options)
            assert (shown.code, shown.err) == (0, f"{UNCHECKED}\n"), command
            assert UNCHECKED not in shown.out
        assert keyed(command, run).err == ""
    for options in ([], ["--json"]):
        inbox = wfexec("approvals", *options)
        (told,) = [line for line in inbox.err.splitlines() if line.startswith(UNCHECKED)]
        assert run in told
        assert run in inbox.out
    assert run not in keyed("approvals").err

    for follower in followers:
        follower.until(UNCHECKED)
    wfexec.json("approve", run)
    assert going.end().code == 0
    show, logs = (follower.end() for follower in followers)
    assert json.loads(show.out)["status"] == "Succeeded"
    assert "before | before" in logs.out
    assert (show.err.count(UNCHECKED), logs.err.count(UNCHECKED)) == (1, 1)


@pytest.mark.parametrize(("decision", "options"), [("approve", []), ("reject", ["--json"])])
def test_who_decides_without_the_key_is_told_once(
    wfexec: Wfexec, going: Going, decision: str, options: list[str]
) -> None:
    decided = wfexec(decision, going.run, *options)
    assert (decided.code, decided.err) == (0, f"{UNCHECKED}\n")
    assert UNCHECKED not in decided.out
    assert going.end().code == (0 if decision == "approve" else 3)
    again = wfexec(decision, going.run)
    assert (again.code, again.err.splitlines()[0]) == (2, UNCHECKED)


def test_who_decides_with_the_key_is_told_nothing(keyed: Wfexec, going: Going) -> None:
    assert keyed("approve", going.run).err == ""
    assert going.end().code == 0


def test_who_skips_a_step_without_the_key_is_told_once(wfexec: Wfexec, keyed: Wfexec) -> None:
    wfexec.write("asks-after-failure.yaml", ASKS_AFTER_FAILURE)
    going = keyed.start("run", "asks-after-failure.yaml")
    going.until("wfexec approve wfr_")
    skipped = wfexec("skip", going.run, "--step", "fails", "--reason", "not today")
    assert (skipped.code, skipped.err) == (0, f"{UNCHECKED}\n")
    assert going.end().code == 0
    would = wfexec("retry", going.run, "--from", "fails", "--dry-run")
    assert (would.code, would.err) == (0, f"{UNCHECKED}\n")
