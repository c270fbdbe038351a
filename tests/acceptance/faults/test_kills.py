"""SIGKILL inside an apply, against the flow process, the supervisor and the server; and two engines on one run."""

import os
import random
import signal
import subprocess
import sys

import pytest

from tests.acceptance.faults.moments import APPLY_SECONDS, FULL, SAMPLE, kill_flow_process, moments, pause
from tests.acceptance.faults.slow_apply import ENTER, RESOURCES, SlowApply
from tests.support.processes import kill_terraform
from tests.support.server import prefect_server
from tests.support.wfexec import Wfexec


def check_flow_process_kill(slow_apply: SlowApply, moment: float) -> None:
    run = kill_flow_process(slow_apply, moment)
    before = slow_apply.show(run)
    assert {step["id"]: step["status"] for step in before["steps"]}["apply"] in {"Running", "Success"}
    slow_apply.enter(run)
    shown = slow_apply.check_consistency(run)
    apply = next(step for step in shown["steps"] if step["id"] == "apply")
    if apply["status"] == "Failed":
        assert apply["error"]["type"] == "outcome_unknown"
        log = slow_apply.wfexec("logs", run, "--step", "apply").out
        assert "terraform apply" in log
    slow_apply.enter(run)
    assert slow_apply.check_consistency(run) == shown


def check_supervisor_kill(slow_apply: SlowApply, moment: float) -> None:
    going = slow_apply.start()
    pause(moment)
    supervisors = slow_apply.supervisors() if going.process.poll() is None else []
    for pid in supervisors:
        os.kill(pid, signal.SIGKILL)
    result = going.end()
    slow_apply.wait_until_gone()
    shown = slow_apply.check_consistency(going.run)
    assert result.json()["status"] == shown["status"]
    assert result.code == (0 if shown["status"] == "Succeeded" else 1)


@pytest.mark.parametrize("moment", moments(SAMPLE))
def test_a_killed_flow_process_leaves_nothing_running_and_no_false_success(slow_apply, moment):
    check_flow_process_kill(slow_apply, moment)


@pytest.mark.slow
@pytest.mark.parametrize("moment", moments(FULL))
def test_a_killed_flow_process_at_twenty_moments(slow_apply, moment):
    check_flow_process_kill(slow_apply, moment)


@pytest.mark.parametrize("moment", moments(SAMPLE))
def test_a_killed_supervisor_ends_the_run_in_error(slow_apply, moment):
    check_supervisor_kill(slow_apply, moment)


@pytest.mark.slow
@pytest.mark.parametrize("moment", moments(FULL))
def test_a_killed_supervisor_at_twenty_moments(slow_apply, moment):
    check_supervisor_kill(slow_apply, moment)


FORGIVING = """
    with: {plan: "${{ steps.plan.outputs.plan }}"}
    retry: {attempts: 3, delay: 0s}
    on_failure: continue
"""


@pytest.mark.shows("status.error")
def test_a_terraform_that_the_system_kills_is_an_error_that_nothing_forgives(slow_apply):
    text = slow_apply.definition.read_text()
    slow_apply.definition.write_text(text.replace('\n    with: {plan: "${{ steps.plan.outputs.plan }}"}\n', FORGIVING))
    going = slow_apply.start()
    going.until("terraform_data.two: Creating")
    kill_terraform(slow_apply.infra, "apply")
    ended = going.end()
    slow_apply.wait_until_gone()
    assert (ended.code, ended.json()["status"]) == (1, "Error")
    steps = {step["id"]: step for step in slow_apply.show(going.run)["steps"]}
    assert [step["status"] for step in steps.values()] == ["Success", "Failed", "Skipped", "Success"]
    error = steps["apply"]["error"]
    assert (steps["apply"]["attempt"], error["type"], error["exit_code"]) == (1, "outcome_unknown", None)
    assert error["message"].startswith("terraform apply was ended by signal 9, which was not this run's; until then: 1")
    assert "a retry plans anew" in slow_apply.wfexec("show", going.run).out

    would = slow_apply.wfexec.json("retry", going.run, "--dry-run")
    assert (would["replan"], [row["step"] for row in would["reset"]]) == (True, ["plan", "apply", "after", "tell"])
    again = slow_apply.wfexec("retry", going.run, "--json")
    assert (again.code, slow_apply.check_consistency(going.run)["status"]) == (0, "Succeeded"), again.err
    assert slow_apply.resources() == dict.fromkeys(RESOURCES, "ok")


def test_a_server_killed_during_an_apply_loses_nothing(tmp_path):
    with prefect_server() as own:
        slow_apply = SlowApply(Wfexec(own.environment, tmp_path), tmp_path / "work")
        going = slow_apply.start()
        pause(random.uniform(0, APPLY_SECONDS))
        own.kill()
        slow_apply.wait_until_gone()
        own.start()
        result = going.end()
        assert result.code == 0, result.err
        shown = slow_apply.check_consistency(going.run)
        assert {step["status"] for step in shown["steps"]} == {"Success"}
        assert slow_apply.resources() == dict.fromkeys(RESOURCES, "ok")


TWO_ENGINES = """
version: 1
name: two-engines
steps:
  - {id: one, run: 'echo one >> done; until [ -e go ]; do sleep 0.1; done'}
  - {id: two, run: 'echo two >> done'}
  - {id: three, run: 'echo three >> done'}
"""


def test_a_second_process_takes_the_run_over_without_doing_anything_twice(server, tmp_path):
    wfexec = Wfexec(server.environment, tmp_path)
    definition = wfexec.write("two.yaml", TWO_ENGINES)
    first = wfexec.start("run", definition)
    first.until("One Running")

    def kinds() -> list[str]:
        return [fact["kind"] for entry in wfexec.json("audit", first.run)["entries"] for fact in entry["facts"]]

    command = [sys.executable, str(ENTER), str(definition), first.run]
    second = subprocess.Popen(command, env=wfexec.environment, stdout=subprocess.PIPE, text=True)
    while kinds().count("entered") < 2:
        assert second.poll() is None
    (tmp_path / "go").touch()
    assert second.communicate(timeout=240)[0].split()[-1] == "Succeeded"
    assert first.end().code == 0
    assert (tmp_path / "done").read_text().split() == ["one", "two", "three"]
    assert kinds().count("step_started") == 3
    assert kinds().count("superseded") == 1
