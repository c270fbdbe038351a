"""`wfexec retry` and `wfexec skip` of runs that have ended, in the process that asks."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.wfexec import Wfexec

AGAIN = """
    version: 1
    name: again
    inputs:
      size: {type: integer, default: 1}
    steps:
      - {id: make, run: 'echo "make $SIZE" >> log', env: {SIZE: "${{ inputs.size }}"}}
      - {id: aside, needs: [], run: echo aside >> log}
      - {id: work, needs: [make], run: 'echo work | tee -a log; test -e mended'}
      - {id: check, run: 'echo check >> log; test -e checked', allow_skip: true}
      - {id: last, run: echo last >> log}
      - {id: tell, when: always, run: 'echo "tell $HOW" >> log', env: {HOW: "${{ run.status }}"}}
"""
DIES = """
    version: 1
    name: dies
    steps:
      - {id: before, run: echo before >> log}
      - {id: slow, run: 'echo slow >> log; test -e mended || { echo up; sleep 600; }'}
      - {id: after, run: echo after >> log}
"""


@pytest.fixture
def place(wfexec: Wfexec, tmp_path: Path) -> Iterator[Wfexec]:
    """The same commands in a folder of the test's own."""
    own = Wfexec(wfexec.environment, tmp_path)
    own.write("again.yaml", AGAIN)
    yield own
    own.stop_all()


def done(place: Wfexec) -> list[str]:
    """What ran since this was asked last."""
    log = place.folder / "log"
    lines = log.read_text().splitlines()
    log.unlink()
    return lines


def failed_run(place: Wfexec) -> str:
    ended = place("run", "again.yaml")
    assert ended.code == 1
    assert sorted(done(place)) == ["aside", "make 1", "tell Failed", "work"]
    return ended.run


def test_a_retry_runs_what_failed_and_what_never_ran(place: Wfexec) -> None:
    run = failed_run(place)
    would = place.json("retry", run, "--dry-run")
    assert [row["step"] for row in would["reset"]] == ["work", "check", "last", "tell"]
    assert (would["run"], would["kind"], would["replan"], would["asks"]) == (run, "retry", False, [])
    assert place.json("show", run)["steps"][2]["attempt"] == 1

    place.write("mended", "")
    place.write("checked", "")
    again = place("retry", run, "--reason", "the disk was full", "--json")
    view = again.json()
    assert (again.code, view["status"], again.run) == (0, "Succeeded", run)
    assert done(place) == ["work", "check", "last", "tell Succeeded"]
    assert [step["attempt"] for step in view["steps"]] == [1, 1, 2, 1, 1, 2]
    (reset,) = [fact for fact in facts(place, run) if fact["kind"] == "reset"]
    assert (reset["actor"]["name"], reset["data"]["reason"]) == ("jane", "the disk was full")
    logged = [json.loads(line) for line in place("logs", run, "--step", "work", "--json").out.splitlines()]
    assert {line["attempt"] for line in logged} == {1, 2}
    assert place.json("audit", run)["verified"]


def facts(place: Wfexec, run: str) -> list[dict[str, object]]:
    return [fact for entry in place.json("audit", run)["entries"] for fact in entry["facts"]]


def test_other_inputs_run_again_what_uses_them(place: Wfexec) -> None:
    run = failed_run(place)
    place.write("mended", "")
    place.write("checked", "")
    assert place("retry", run, "-i", "size=7").code == 0
    assert done(place) == ["make 7", "work", "check", "last", "tell Succeeded"]
    assert place.json("show", run)["inputs"] == {"size": 7}


def test_from_a_step_on_all_of_it_runs_again_also_when_nothing_failed(place: Wfexec) -> None:
    place.write("mended", "")
    place.write("checked", "")
    ended = place("run", "again.yaml")
    assert (ended.code, place.json("retry", ended.run, code=2)["error"]["code"]) == (0, "nothing-failed")
    done(place)
    assert place("retry", ended.run, "--from", "check").code == 0
    assert done(place) == ["check", "last", "tell Succeeded"]


def test_a_step_that_may_be_skipped_is_skipped(place: Wfexec) -> None:
    run = failed_run(place)
    assert place.json("skip", run, "--step", "work", "--reason", "no", code=2)["error"]["code"] == "no-skip"
    place.write("mended", "")
    assert place("retry", run).code == 1
    assert done(place) == ["work", "check", "tell Failed"]
    ended = place("skip", run, "--step", "check", "--reason", "known to be flaky", "--json")
    view = ended.json()
    assert (ended.code, view["status"]) == (0, "Succeeded")
    check = view["steps"][3]
    assert (check["status"], check["reason"]) == ("Skipped", "skipped by jane: known to be flaky")
    assert done(place) == ["last", "tell Succeeded"]


def test_the_newest_definition_is_taken_when_it_is_asked_for(place: Wfexec) -> None:
    run = failed_run(place)
    newer = AGAIN.replace("test -e mended", "true").replace("test -e checked", "true").replace("echo last", "echo new")
    place.write("again.yaml", newer)
    assert place("retry", run).code == 1
    assert done(place) == ["work", "tell Failed"]
    assert place("retry", run, "--latest").code == 0
    assert done(place) == ["work", "check", "new", "tell Succeeded"]
    assert (
        place.json("show", run)["definition_digest"]
        == place.json("show", place("run", "again.yaml").run)["definition_digest"]
    )


def test_a_run_whose_process_was_killed_is_taken_up(place: Wfexec) -> None:
    place.write("dies.yaml", DIES)
    going = place.start("run", "dies.yaml")
    going.until("slow | up")
    run = going.run
    running = place.json("retry", run, code=2)["error"]
    assert (running["code"], running["hint"]) == (
        "running",
        f"wait for its end, or cancel it with `wfexec cancel {run}`",
    )
    going.signal(signal.SIGKILL)
    going.end()
    would = place.json("retry", run, "--dry-run")
    assert [row["step"] for row in would["reset"]] == ["slow", "after"]
    place.write("mended", "")
    again = place("retry", run, "--json")
    view = again.json()
    assert (again.code, view["status"]) == (0, "Succeeded")
    assert done(place) == ["before", "slow", "slow", "after"]
    assert place.json("audit", run)["verified"]


ASKS = """
    version: 1
    name: asks
    inputs:
      size: {type: integer, default: 1}
    steps:
      - id: make
        run: 'echo "make $SIZE" >> log; echo "made=$SIZE" >> "$WFEXEC_OUTPUT"'
        env: {SIZE: "${{ inputs.size }}"}
      - {id: ask, uses: approval, with: {subject: {made: "${{ steps.make.outputs.made }}"}}}
      - {id: use, run: 'echo "use $MADE" >> log', env: {MADE: "${{ steps.make.outputs.made }}"}}
"""


def killed_at_the_gate(place: Wfexec) -> str:
    place.write("asks.yaml", ASKS)
    going = place.start("run", "asks.yaml")
    going.until("wfexec approve wfr_")
    going.signal(signal.SIGKILL)
    going.end()
    return going.run


def test_a_run_that_was_killed_at_a_gate_goes_on_at_that_gate(place: Wfexec) -> None:
    run = killed_at_the_gate(place)
    assert f"wfexec retry {run}\n" in place("show", run).out
    place.json("approve", run)
    assert place.json("retry", run, "--dry-run")["reset"] == []
    view = place("retry", run, "--json").json()
    assert (view["status"], done(place)) == ("Succeeded", ["make 1", "use 1"])
    assert [(gate["generation"], gate["status"]) for gate in view["gates"]] == [(1, "approved")]


@pytest.mark.parametrize("arguments", [["--from", "make"], ["-i", "size=5"]])
def test_what_was_asked_about_something_else_is_asked_anew(place: Wfexec, arguments: list[str]) -> None:
    run = killed_at_the_gate(place)
    place.json("approve", run)
    going = place.start("retry", run, *arguments, "--json")
    going.until("wfexec approve wfr_")
    first, second = place.json("show", run)["gates"]
    assert (first["generation"], first["status"], first["decisions"]) == (1, "cancelled", [])
    assert (second["generation"], second["status"]) == (2, "open")
    assert (second["subject_digest"] == first["subject_digest"]) is (arguments[0] == "--from")
    place.json("approve", run)
    assert going.end().code == 0
    made = "5" if arguments[0] == "-i" else "1"
    assert done(place) == ["make 1", f"make {made}", f"use {made}"]
    assert place.json("audit", run)["verified"]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--step", "nope"], "unknown-step"),
        (["--from", "nope"], "unknown-step"),
        (["--step", "make"], "not-failed"),
        (["-i", "nope=1"], "unknown-input"),
        (["-i", "size=big"], "bad-input"),
        (["--step", "a", "--from", "b"], "usage"),
    ],
)
def test_what_can_not_be_retried_is_refused_and_changes_nothing(place: Wfexec, arguments: list[str], code: str) -> None:
    run = failed_run(place)
    before = json.dumps(place.json("audit", run)["entries"])
    assert place.json("retry", run, *arguments, code=2)["error"]["code"] == code
    assert json.dumps(place.json("audit", run)["entries"]) == before


def forget_blobs(api: str, run_id: str) -> None:
    with httpx.Client(base_url=api, timeout=60, trust_env=False) as client:
        body = {"prefix": "wfexec-blob-", "limit": 100}
        rows = client.post(f"/flow_runs/{run_id}/input/filter", json=body).json()
        assert rows
        for row in rows:
            client.delete(f"/flow_runs/{run_id}/input/{row['key']}").raise_for_status()


def test_outputs_that_are_gone_are_told_of(place: Wfexec) -> None:
    place.write(
        "large.yaml",
        """
        version: 1
        name: large
        steps:
          - {id: much, run: "head -c 90000 /dev/zero | tr '\\\\0' x"}
          - {id: fails, run: 'test "${#TEXT}" = 1', env: {TEXT: "${{ steps.much.outputs.stdout }}"}}
        """,
    )
    run = place("run", "large.yaml").run
    forget_blobs(place.environment["PREFECT_API_URL"], place.json("show", run)["id"])
    gone = place.json("retry", run, code=2)["error"]
    assert (gone["code"], gone["hint"]) == ("outputs-gone", "run it again with --from much")
    assert place("retry", run, "--from", "much").code == 1
