"""Locks: runs with the same key go one after the other, whatever becomes of the one in front."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.processes import is_alive, wait_until
from tests.support.server import PrefectServer
from tests.support.wfexec import Going, Wfexec, children_of, user_environment

ENTER = Path(__file__).parents[2] / "support" / "enter.py"
DEFINITION = """
    version: 1
    name: locked
    inputs: {name: {type: string}, lock: {type: string, default: network}}
    concurrency: {key: "tf/${{ inputs.lock }}", on_conflict: %s}
    steps:
      - id: work
        env: {NAME: "${{ inputs.name }}"}
        run: |
          echo "start $NAME" >> lines
          until test -e "go-$NAME"; do sleep 0.05; done
          echo "end $NAME" >> lines
      - {id: sweep, when: cancelled, env: {NAME: "${{ inputs.name }}"}, run: 'echo "sweep $NAME" >> lines'}
"""
GATED = """
    version: 1
    name: gated
    concurrency: {key: tf/network}
    steps:
      - {id: ask, uses: approval}
      - {id: work, run: echo "work gated" >> lines}
"""
FAILING = """
    version: 1
    name: failing
    concurrency: {key: tf/network}
    steps:
      - {id: work, run: "if test -e mended; then echo mended >> lines; else echo failing >> lines; exit 1; fi"}
"""
APPLYING = """
    version: 1
    name: applying
    concurrency: {key: tf/network}
    steps:
      - {id: plan, uses: terraform.plan, with: {dir: infra}}
      - {id: ask, uses: approval}
      - {id: apply, uses: terraform.apply, with: {plan: "${{ steps.plan.outputs.plan }}"}, retry: {attempts: 3}}
      - {id: destroy, uses: terraform.destroy, with: {dir: infra}, when: always, needs: [ask], retry: {attempts: 3}}
"""
PLANNING = """
    version: 1
    name: planning
    inputs: {wait: {type: string}}
    steps:
      - {id: plan, uses: terraform.plan, with: {dir: infra, lock_timeout: "${{ inputs.wait }}"}}
"""
SLOW = """
    resource "terraform_data" "slow" {
      provisioner "local-exec" { command = "touch begun; until test -e go; do sleep 0.05; done" }
    }
"""
TERRAFORM = shutil.which("terraform")


def terraform_environment() -> dict[str, str]:
    """What a person's terraform runs with."""
    changes = {"CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1"}
    return {key: value for key, value in os.environ.items() if key != "TF_CLI_CONFIG_FILE"} | changes


class Story:
    """Runs of one definition in a folder of their own, each of which works until it is let go."""

    def __init__(self, wfexec: Wfexec) -> None:
        self.wfexec = wfexec
        self.folder = wfexec.folder
        self.processes: list[subprocess.Popen[str]] = []
        for mode in ("queue", "cancel_new", "cancel_running"):
            wfexec.write(f"{mode}.yaml", DEFINITION % mode)
        wfexec.write("gated.yaml", GATED)

    def start(self, name: str, mode: str = "queue", *more: str) -> Going:
        return self.wfexec.start("run", f"{mode}.yaml", "-i", f"name={name}", *more)

    def let_go(self, name: str) -> None:
        (self.folder / f"go-{name}").touch()

    @property
    def lines(self) -> list[str]:
        path = self.folder / "lines"
        return path.read_text().splitlines() if path.exists() else []

    def until_line(self, line: str) -> None:
        wait_until(lambda: line in self.lines, f"'{line}'")

    def locks(self) -> list[dict[str, Any]]:
        found = self.wfexec.json("locks")
        assert isinstance(found, list)
        return [lock for lock in found if lock["key"] == "tf/network"]

    def reconciled(self, going: Going) -> list[str]:
        """What `reconcile` does for a run; other tests leave runs behind that it finds too."""
        return [act["act"] for act in self.wfexec.json("reconcile") if act["run"] == going.run]

    def until_queued(self, *runs: str) -> None:
        """Until exactly these runs wait, in this order."""
        wait_until(lambda: [lock["queue"] for lock in self.locks()] == [list(runs)], f"the queue {runs}")

    def until_waiting(self, going: Going, holder: Going) -> None:
        going.until(f"waits for lock 'tf/network', held by {holder.run} since 2")

    def entering(self, name: str, run: str) -> "subprocess.Popen[str]":
        """A second process that goes on with a run, as a worker or a retry does; it prints the state it ends in."""
        command = [sys.executable, str(ENTER), str(self.folder / f"{name}.yaml"), run]
        process = subprocess.Popen(command, env=self.wfexec.environment, stdout=subprocess.PIPE, text=True)
        self.processes.append(process)
        return process

    def enter(self, name: str, run: str) -> str:
        """Bring a run to its end in a second process; the state it ends in."""
        return self.entering(name, run).communicate(timeout=240)[0].split()[-1]

    def stop(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()
        self.wfexec.stop_all()


@pytest.fixture
def story(server: PrefectServer, tmp_path: Path) -> Iterator[Story]:
    runner = Wfexec(user_environment(server.environment, "jane"), tmp_path)
    story = Story(runner)
    yield story
    story.stop()
    while left := runner.json("locks"):  # the holder first, then who waited
        runner("locks", "--release", left[0]["key"], "--reason", "the test is over")


def check_one_after_the_other(lines: list[str], *names: str) -> None:
    """Each run worked alone, in this order, and once."""
    assert lines == [f"{word} {name}" for name in names for word in ("start", "end")]


def test_three_runs_go_one_after_the_other_in_their_order(story: Story) -> None:
    assert story.locks() == []
    first = story.start("a")
    story.until_line("start a")
    second = story.start("b")
    story.until_waiting(second, first)
    third = story.start("c")
    story.until_queued(second.run, third.run)
    (lock,) = story.locks()
    assert lock["holder"] == first.run and lock["number"] >= 1 and lock["since"].startswith("2")
    table = story.wfexec("locks").out
    assert "tf/network" in table and first.run in table and f"{second.run}, {third.run}" in table
    shown = story.wfexec.json("show", third.run)
    assert shown["status"] == "Pending"
    assert f"waits for lock 'tf/network', held by {first.run} since" in shown["reason"]
    assert "1 more comes first" in shown["reason"]
    assert f"held by {first.run}" in story.wfexec("show", second.run).out
    listed = {row["name"]: row["status"] for row in story.wfexec.json("history", "--limit", "3")}
    assert listed == {first.run: "Running", second.run: "Pending", third.run: "Pending"}
    for name in "cba":
        story.let_go(name)
    assert [going.end().code for going in (first, second, third)] == [0, 0, 0]
    check_one_after_the_other(story.lines, "a", "b", "c")
    assert story.locks() == []


def test_another_key_is_another_lock(story: Story) -> None:
    first, second = story.start("a"), story.start("b", "queue", "-i", "lock=other")
    story.until_line("start a")
    story.until_line("start b")
    story.let_go("a")
    story.let_go("b")
    assert (first.end().code, second.end().code) == (0, 0)


def test_a_lock_is_held_while_its_run_waits_at_an_approval(story: Story) -> None:
    gated = story.wfexec.start("run", "gated.yaml")
    gated.until("wfexec approve")
    second = story.start("b")
    story.let_go("b")
    story.until_waiting(second, gated)
    assert story.lines == []
    assert story.wfexec("approve", gated.run).code == 0
    assert gated.end().code == 0 and second.end().code == 0
    assert story.lines == ["work gated", "start b", "end b"]


def test_a_run_that_waits_can_be_cancelled_and_runs_nothing(story: Story) -> None:
    first = story.start("a")
    story.until_line("start a")
    second, third = story.start("b"), story.start("c")
    story.until_waiting(second, first)
    story.until_waiting(third, first)
    second.signal(signal.SIGINT)
    assert second.end().code == 4
    shown = story.wfexec.json("show", second.run)
    assert shown["status"] == "Terminated"
    assert [step["status"] for step in shown["steps"]] == ["Cancelled", "Cancelled"]
    story.let_go("a")
    story.let_go("c")
    assert first.end().code == 0 and third.end().code == 0
    check_one_after_the_other(story.lines, "a", "c")


def test_cancel_new_ends_the_newcomer(story: Story) -> None:
    first = story.start("a", "cancel_new")
    story.until_line("start a")
    second = story.start("b", "cancel_new")
    assert second.end().code == 4
    shown = story.wfexec.json("show", second.run)
    assert shown["status"] == "Terminated"
    assert f"lock 'tf/network' is held by {first.run}" in shown["reason"]
    (lock,) = story.locks()
    assert (lock["holder"], lock["queue"]) == (first.run, [])
    story.let_go("a")
    assert first.end().code == 0
    story.let_go("c")
    assert story.start("c", "cancel_new").end().code == 0
    check_one_after_the_other(story.lines, "a", "c")


def test_cancel_running_stops_the_holder_and_waits_for_its_end(story: Story) -> None:
    first = story.start("a")
    story.until_line("start a")
    story.let_go("b")
    second = story.start("b", "cancel_running")
    assert first.end().code == 4
    assert second.end().code == 0
    assert story.lines == ["start a", "sweep a", "start b", "end b"]
    reason = story.wfexec.json("show", first.run)["reason"]
    assert f"run {second.run} wants its lock" in reason


def test_a_killed_holder_keeps_its_lock_until_it_is_brought_to_an_end(story: Story) -> None:
    first = story.start("a")
    story.until_line("start a")
    children = children_of(first.process.pid)
    second = story.start("b")
    story.until_waiting(second, first)
    os.kill(first.process.pid, signal.SIGKILL)
    first.end()
    wait_until(lambda: not any(is_alive(pid) for pid in children), "the end of what the dead run had started")
    assert [lock["holder"] for lock in story.locks()] == [first.run]
    assert second.process.poll() is None and story.lines == ["start a"]
    story.let_go("b")
    assert story.enter("queue", first.run) == "Error"
    assert second.end().code == 0
    assert story.lines == ["start a", "start b", "end b"]


def test_a_killed_holder_that_prefect_shows_as_ended_is_succeeded(story: Story) -> None:
    first = story.start("a")
    story.until_line("start a")
    second = story.start("b")
    story.until_waiting(second, first)
    story.let_go("b")
    os.kill(first.process.pid, signal.SIGKILL)
    first.end()
    set_state(story, first.run, "CRASHED")
    assert second.end().code == 0
    assert story.lines == ["start a", "start b", "end b"]
    facts = [fact for entry in story.wfexec.json("audit", first.run)["entries"] for fact in entry["facts"]]
    assert "did not give it back" in facts[-1]["data"]["reason"]


def test_a_living_holder_that_prefect_shows_as_ended_keeps_its_lock(story: Story) -> None:
    first = story.start("a")
    story.until_line("start a")
    set_state(story, first.run, "CRASHED")
    second = story.start("b")
    story.until_waiting(second, first)
    assert story.reconciled(first) == []
    story.let_go("a")
    story.let_go("b")
    first.end()
    assert second.end().code == 0
    check_one_after_the_other(story.lines, "a", "b")


def test_a_killed_run_in_the_queue_is_passed_over(story: Story) -> None:
    first = story.start("a")
    story.until_line("start a")
    second = story.start("b")
    story.until_waiting(second, first)
    third = story.start("c")
    story.until_queued(second.run, third.run)
    os.kill(second.process.pid, signal.SIGKILL)
    second.end()
    story.let_go("a")
    story.let_go("c")
    assert first.end().code == 0
    story.until_queued(second.run, third.run)
    assert third.process.poll() is None, "nobody has shown yet that the second run is over"
    set_state(story, second.run, "CRASHED")
    assert third.end().code == 0
    check_one_after_the_other(story.lines, "a", "c")


def test_reconcile_ends_the_locks_of_runs_that_are_over(story: Story) -> None:
    first = story.start("a")
    story.until_line("start a")
    children = children_of(first.process.pid)
    os.kill(first.process.pid, signal.SIGKILL)
    first.end()
    wait_until(lambda: not any(is_alive(pid) for pid in children), "the end of what the dead run had started")
    set_state(story, first.run, "CRASHED")
    assert story.reconciled(first) == ["released lock 'tf/network'"]
    assert story.locks() == []


def test_reconcile_shows_a_killed_holder_as_ended_and_its_lock_passes_on(story: Story) -> None:
    first = story.start("a")
    story.until_line("start a")
    children = children_of(first.process.pid)
    second = story.start("b")
    story.until_waiting(second, first)
    os.kill(first.process.pid, signal.SIGKILL)
    first.end()
    wait_until(lambda: not any(is_alive(pid) for pid in children), "the end of what the dead run had started")
    story.let_go("b")
    assert story.reconciled(first) == ["shown as ended"]
    assert second.end().code == 0
    assert story.lines == ["start a", "start b", "end b"]


def test_a_person_takes_a_lock_away_on_record(story: Story) -> None:
    gated = story.wfexec.start("run", "gated.yaml")
    gated.until("wfexec approve")
    refused = story.wfexec("locks", "--release", "tf/network")
    assert refused.code == 2 and "--reason" in refused.err
    unknown = story.wfexec("locks", "--release", "tf/other", "--reason", "x")
    assert unknown.code == 2 and "tf/other" in unknown.err
    second = story.start("b")
    story.until_waiting(second, gated)
    story.let_go("b")
    done = story.wfexec.json("locks", "--release", "tf/network", "--reason", "jim is on holiday")
    assert done == {"key": "tf/network", "run": gated.run, "by": "jane", "reason": "jim is on holiday"}
    assert second.end().code == 0
    gated.until("lost lock 'tf/network': jim is on holiday")
    facts = [fact for entry in story.wfexec.json("audit", gated.run)["entries"] for fact in entry["facts"]]
    (lost,) = [fact for fact in facts if fact["kind"] == "lock_released"]
    assert lost["actor"]["name"] == "jane"
    audit = story.wfexec.json("audit", "lock tf/network")
    assert audit["verified"]
    said = [fact for entry in audit["entries"] for fact in entry["facts"] if fact["actor"]["name"] == "jane"]
    assert said[-1]["data"]["reason"] == "jim is on holiday" and said[-1]["data"]["run"] in gated_id(story, gated)
    story.wfexec("reject", gated.run, "--comment", "no")
    assert gated.end().code == 3


def test_another_process_goes_on_with_a_run_and_its_lock(story: Story) -> None:
    gated = story.wfexec.start("run", "gated.yaml")
    gated.until("wfexec approve")
    second = story.start("b")
    story.until_waiting(second, gated)
    story.let_go("b")
    os.kill(gated.process.pid, signal.SIGKILL)
    gated.end()
    (before,) = story.locks()
    entered = story.entering("gated", gated.run)
    wait_until(lambda: story.locks()[0]["number"] > before["number"], "the lock in the hands of the second process")
    (after,) = story.locks()
    assert (after["holder"], after["since"], after["queue"]) == (gated.run, before["since"], [second.run])
    assert story.wfexec("approve", gated.run).code == 0
    assert entered.communicate(timeout=240)[0].split()[-1] == "Succeeded"
    assert second.end().code == 0
    assert story.lines == ["work gated", "start b", "end b"]


def test_the_retry_of_a_run_that_has_ended_asks_again_and_queues(story: Story) -> None:
    story.wfexec.write("failing.yaml", FAILING)
    failed = story.wfexec("run", "failing.yaml")
    assert failed.code == 1 and story.locks() == []
    second = story.start("b")
    story.until_line("start b")
    set_state(story, failed.run, "SCHEDULED", "AwaitingRetry")
    retried = story.entering("failing", failed.run)
    story.until_queued(failed.run)
    (story.folder / "mended").touch()
    story.let_go("b")
    assert second.end().code == 0
    assert retried.communicate(timeout=240)[0].split()[-1] == "Succeeded"
    assert story.lines == ["failing", "start b", "end b", "mended"]


@pytest.mark.skipif(TERRAFORM is None, reason="needs terraform")
def test_a_run_that_lost_its_lock_changes_nothing(story: Story) -> None:
    story.wfexec.write("infra/main.tf", 'resource "terraform_data" "x" {\n  input = "one"\n}\n')
    story.wfexec.write("applying.yaml", APPLYING)
    going = story.wfexec.start("run", "applying.yaml")
    going.until("wfexec approve")
    assert story.wfexec("locks", "--release", "tf/network", "--reason", "jim is on holiday").code == 0
    assert story.wfexec("approve", going.run).code == 0
    assert going.end().code == 1
    view = story.wfexec.json("show", going.run)
    steps = {step["id"]: step for step in view["steps"]}
    for name in ("apply", "destroy"):
        assert steps[name]["status"] == "Failed" and steps[name]["attempt"] == 1
        error = steps[name]["error"]
        assert error["type"] == "lock_lost"
        assert "lost the lock 'tf/network' (jim is on holiday)" in error["message"]
    assert not (story.folder / "infra" / "terraform.tfstate").exists()


@pytest.mark.shows("trouble.lock")
@pytest.mark.skipif(TERRAFORM is None, reason="needs terraform")
def test_a_state_locked_by_another_terraform_is_told_and_waited_for(story: Story) -> None:
    story.wfexec.write("infra/main.tf", SLOW)
    story.wfexec.write("planning.yaml", PLANNING)
    infra = story.folder / "infra"
    assert TERRAFORM is not None
    subprocess.run([TERRAFORM, "init", "-input=false"], cwd=infra, env=terraform_environment(), check=True)
    command = [TERRAFORM, "apply", "-auto-approve", "-input=false"]
    applying = subprocess.Popen(command, cwd=infra, env=terraform_environment(), stdout=subprocess.DEVNULL)
    try:
        wait_until((infra / "begun").exists, "the apply of a person")
        locked = story.wfexec.json("run", "planning.yaml", "-i", "wait=0s", code=1)
        error = locked["steps"][0]["error"]
        assert error["type"] == "state_locked"
        who, since, operation = "the terraform state is locked by ", " since 2", "operation apply"
        assert who in error["message"] and since in error["message"] and operation in error["message"]
        assert "force-unlock" in error["message"] and "`lock_timeout`" in error["message"]
        waiting = story.wfexec.start("run", "planning.yaml", "-i", "wait=100s")
        waiting.until("$ terraform plan")
        (infra / "go").touch()
        assert waiting.end().code == 0
        assert applying.wait(60) == 0, "nobody took its lock away"
    finally:
        applying.kill()
        applying.wait()


def gated_id(story: Story, gated: Going) -> str:
    return str(story.wfexec.json("show", gated.run)["id"])


def test_a_key_that_names_nothing_is_refused_before_the_first_step(story: Story) -> None:
    refused = story.start("a", "queue", "-i", "lock=\a").end()
    assert refused.code == 1 and story.lines == []
    assert "validation: the lock's key is" in refused.out


def set_state(story: Story, run: str, kind: str, name: str = "") -> None:
    """Have Prefect show a run so, as a worker, an automation or a person does."""
    script = (
        "import asyncio, sys\n"
        "from prefect.client.orchestration import get_client\n"
        "from prefect.states import State, StateType\n"
        "async def main():\n"
        "    async with get_client() as client:\n"
        "        state = State(type=StateType[sys.argv[2]], name=sys.argv[3] or None)\n"
        "        await client.set_flow_run_state(sys.argv[1], state, force=True)\n"
        "asyncio.run(main())\n"
    )
    identity = story.wfexec.json("show", run)["id"]
    command = [sys.executable, "-c", script, identity, kind, name]
    subprocess.run(command, env=story.wfexec.environment, check=True, timeout=120)


SAVES = """
from prefect_wfexec.blocks import TargetEnvironment
TargetEnvironment(lock_key="locked/place").save("locked-place", overwrite=True)
"""


def test_an_environments_lock_holds_for_every_run_there(story: Story) -> None:
    place = story.wfexec
    subprocess.run([sys.executable, "-c", SAVES], env=place.environment, check=True)
    text = "version: 1\nname: there\nenvironment: locked-place\nMORE\nsteps: [{id: ask, uses: approval}]\n"
    place.write("there.yaml", text.replace("MORE", ""))
    going = place.start("run", "there.yaml")
    going.until("wfexec approve")
    (lock,) = [one for one in place.json("locks") if one["key"] == "locked/place"]
    assert lock["holder"] == going.run
    place.write("other.yaml", text.replace("MORE", "concurrency: {key: another}"))
    refused = place("run", "other.yaml", "--json").json()
    assert refused["status"] == "Failed"
    assert "has the lock 'locked/place', and the definition wants 'another'" in refused["reason"]
    place.json("approve", going.run)
    assert going.end().code == 0
