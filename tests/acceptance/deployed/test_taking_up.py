"""`wfexec retry` and `wfexec skip` of deployed runs that have failed, taken up by a worker on another machine."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from tests.support.deployed import Site, api_of
from tests.support.machines import Home, StateBackend
from tests.support.server import PrefectServer
from tests.support.web_server import WebServer
from tests.support.wfexec import Wfexec, user_environment

DEFINITION = r"""
version: 1
name: resumes
steps:
  - {id: before, run: "echo before >> $PLACE/log; head -c 90000 /dev/zero | tr '\\0' x", env: {PLACE: "THE_FOLDER"}}
  - {id: plan, uses: terraform.plan, with: {dir: "THE_FOLDER/infra"}}
  - {id: apply, uses: terraform.apply, with: {plan: "${{ steps.plan.outputs.plan }}"}}
  - id: check
    run: 'echo check >> $PLACE/log; echo "attempt $WFEXEC_ATTEMPT"; test -e $PLACE/mended'
    env: {PLACE: "THE_FOLDER"}
    allow_skip: true
  - {id: other, needs: [apply], run: "echo other >> $PLACE/log; test -e $PLACE/also-mended", env: {PLACE: "THE_FOLDER"}}
  - id: last
    needs: [check, other]
    run: 'echo "last ${#TEXT}" >> $PLACE/log'
    env: {PLACE: "THE_FOLDER", TEXT: "${{ steps.before.outputs.stdout }}"}
outputs: {one: "${{ steps.apply.outputs.values.one }}"}
"""
CONFIGURATION = """
terraform {
  backend "http" {
    address        = "STATE_URL/state"
    lock_address   = "STATE_URL/state"
    unlock_address = "STATE_URL/state"
  }
}
resource "terraform_data" "one" {
  provisioner "local-exec" { command = "echo made >> THE_FOLDER/log" }
}
output "one" { value = terraform_data.one.id }
"""
LAST = "last 65536"


class Place:
    """Two machines, a state that both reach, and a run that failed on the first."""

    def __init__(self, site: Site, folder: Path, state: StateBackend) -> None:
        self.site, self.folder, self.state = site, folder, state
        self.first, self.second = Home(folder / "first"), Home(folder / "second")
        self.wfexec = Wfexec(user_environment(site.server.environment, "jane"), site.folder)

    def mend(self, *names: str) -> None:
        for name in names:
            (self.site.folder / name).touch()

    def done(self) -> list[str]:
        """What was done since this was asked last."""
        log = self.site.folder / "log"
        lines = log.read_text().splitlines()
        log.unlink()
        return lines

    def ids(self) -> list[str]:
        """The resources that stand in the state."""
        resources = json.loads(self.state.state)["resources"]
        return [one["instances"][0]["attributes"]["id"] for one in resources]

    async def failed_run(self) -> UUID:
        """A failed run; nothing is left of the machine it failed on."""
        async with api_of(self.site.server) as api:
            with self.site.worker(self.first.environment) as worker:
                run_id = await api.start("resumes/resumes")
                await api.until_named(run_id, "Failed")
                worker.kill()
        self.first.forget()
        done = self.done()
        assert (done[:2], sorted(done[2:])) == (["before", "made"], ["check", "other"])
        return run_id

    async def taken_up(self, run_id: UUID, *names: str) -> dict[str, Any]:
        """The run once a worker on the other machine has brought it to its end."""
        async with api_of(self.site.server) as api:
            with self.site.worker(self.second.environment):
                run = await api.until(run_id, lambda state: state["type"] in {"COMPLETED", "FAILED", "CRASHED"})
                tasks = await api.task_runs(run_id)
        assert run["state"]["name"] in names, self.site.worker_logs()
        view: dict[str, Any] = self.wfexec.json("show", str(run_id))
        assert sorted(tasks) == sorted(step["id"] for step in view["steps"])
        assert self.wfexec.json("audit", str(run_id))["verified"]
        assert self.state.lock == b""
        return view

    def attempts_logged(self, run_id: UUID, step: str) -> dict[int, str]:
        """What each attempt of a step has left in the log."""
        texts: dict[int, str] = {}
        for line in self.wfexec("logs", str(run_id), "--step", step, "--json").out.splitlines():
            said = json.loads(line)
            texts[said["attempt"]] = texts.get(said["attempt"], "") + said["message"] + "\n"
        return texts


@pytest.fixture
def place(server: PrefectServer, tmp_path: Path) -> Iterator[Place]:
    state = StateBackend()
    with WebServer(state.answer) as web:
        site = Site(server, tmp_path / "site", pool=f"pool-{tmp_path.name.replace('_', '-')}")
        site.workflow("resumes", DEFINITION.replace("THE_FOLDER", str(site.folder)))
        configuration = CONFIGURATION.replace("THE_FOLDER", str(site.folder)).replace("STATE_URL", web.url)
        site.write("infra/main.tf", configuration)
        site.deploy()
        yield Place(site, tmp_path, state)


def by_id(view: dict[str, Any], key: str) -> dict[str, Any]:
    return {step["id"]: step[key] for step in view["steps"]}


async def test_from_a_step_on_all_of_it_runs_again_elsewhere(place: Place) -> None:
    run_id = await place.failed_run()
    made = place.ids()
    place.mend("mended", "also-mended")
    asked = place.wfexec.json("retry", str(run_id), "--from", "apply", "--reason", "mended it")
    assert asked["status"] in {"Pending", "Running"}
    view = await place.taken_up(run_id, "Succeeded")
    assert sorted(place.done()) == ["check", LAST, "other"]
    attempts = {"before": 1, "plan": 2, "apply": 2, "check": 2, "other": 2, "last": 1}
    assert by_id(view, "attempt") == attempts
    assert (place.ids(), view["outputs"]["one"]) == (made, made[0])
    logged = place.attempts_logged(run_id, "check")
    assert "attempt 1" in logged[1] and "Failed: the script ended with exit code 1" in logged[1]
    assert "attempt 2" in logged[2] and "Failed" not in logged[2]
    assert "1 added" in place.attempts_logged(run_id, "apply")[1]


async def test_one_of_two_failed_steps_runs_again_elsewhere(place: Place) -> None:
    run_id = await place.failed_run()
    place.mend("mended")
    place.wfexec.json("retry", str(run_id), "--step", "check")
    view = await place.taken_up(run_id, "Failed")
    assert place.done() == ["check"]
    assert by_id(view, "attempt") == {"before": 1, "plan": 1, "apply": 1, "check": 2, "other": 1, "last": 0}
    assert by_id(view, "status")["check"] == "Success"
    other = next(step for step in view["steps"] if step["id"] == "other")
    assert (other["status"], other["error"]["exit_code"]) == ("Failed", 1)
    place.mend("also-mended")
    place.wfexec.json("retry", str(run_id), "--step", "other")
    view = await place.taken_up(run_id, "Succeeded")
    assert place.done() == ["other", LAST]
    assert "exit code 1" in place.attempts_logged(run_id, "other")[1]


async def test_a_step_is_skipped_elsewhere(place: Place) -> None:
    place.mend("also-mended")
    run_id = await place.failed_run()
    refused = place.wfexec.json("skip", str(run_id), "--step", "last", "--reason", "no", code=2)["error"]
    assert refused["code"] == "not-failed"
    place.wfexec.json("skip", str(run_id), "--step", "check", "--reason", "known to be flaky")
    view = await place.taken_up(run_id, "Succeeded")
    assert place.done() == [LAST]
    check = next(step for step in view["steps"] if step["id"] == "check")
    assert (check["status"], check["reason"]) == ("Skipped", "skipped by jane: known to be flaky")
    assert by_id(view, "attempt") == {"before": 1, "plan": 1, "apply": 1, "check": 1, "other": 1, "last": 1}
    assert "exit code 1" in place.attempts_logged(run_id, "check")[1]


async def test_prefects_own_command_retries_what_failed_elsewhere(place: Place) -> None:
    run_id = await place.failed_run()
    place.mend("mended", "also-mended")
    retried = place.site.prefect("flow-run", "retry", str(run_id))
    assert retried.returncode == 0, retried.stdout + retried.stderr
    view = await place.taken_up(run_id, "Succeeded")
    assert sorted(place.done()) == ["check", LAST, "other"]
    assert by_id(view, "attempt") == {"before": 1, "plan": 1, "apply": 1, "check": 2, "other": 2, "last": 1}
