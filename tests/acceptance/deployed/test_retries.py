"""Prefect's Retry on deployed runs: after a failure, and after kills of the flow process or the worker."""

import asyncio
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from prefect_wfexec.steps.terraform.binary import binary
from tests.support.deployed import DEADLINE_SECONDS, Api, Site, api_of, kill_flow
from tests.support.server import PrefectServer
from tests.support.wfexec import Wfexec

APPLIES = """
version: 1
name: applies
environment: ENVIRONMENT
steps:
  - {id: before, run: "echo x >> $PLACE/before", env: {PLACE: "THE_FOLDER"}}
  - {id: plan, uses: terraform.plan, with: {dir: "THE_FOLDER/infra"}}
  - id: approval
    uses: approval
    if: steps.plan.outputs.has_changes
    with: {subject: "${{ steps.plan.outputs.plan }}", message: "${{ steps.plan.outputs.summary }}"}
  - {id: apply, uses: terraform.apply, with: {plan: "${{ steps.plan.outputs.plan }}"}}
  - {id: after, run: "echo x >> $PLACE/after", env: {PLACE: "${{ environment.variables.place }}"}}
  - {id: tell, run: "echo $HOW >> $PLACE/told", when: always, env: {PLACE: "THE_FOLDER", HOW: "${{ run.status }}"}}
outputs: {ids: "${{ steps.apply.outputs.values.ids }}"}
"""
CONFIGURATION = """
resource "terraform_data" "one" {
  input = "one"
  provisioner "local-exec" { command = "sleep 2" }
}
resource "terraform_data" "two" {
  input      = "two"
  depends_on = [terraform_data.one]
  provisioner "local-exec" { command = "sleep 2; test ! -e THE_FOLDER/fails" }
}
output "ids" { value = [terraform_data.one.id, terraform_data.two.id] }
"""
SAVES = """
import sys
from prefect_wfexec.blocks import TargetEnvironment
TargetEnvironment(variables={"place": sys.argv[2]}).save(sys.argv[1])
"""
SAMPLE, FULL = 2, 20
RUN_SECONDS = 14.0
CRASHED_SECONDS = 60.0
PENDING_SECONDS = 40.0
# The processes of one pytest-xdist run have to draw the same moments: each collects the tests by itself.
_drawn = random.Random(os.environ.get("PYTEST_XDIST_TESTRUNUID") or random.SystemRandom().random())


@pytest.fixture
def site(server: PrefectServer, tmp_path: Path) -> Iterator[Site]:
    site = Site(server, tmp_path, pool=f"pool-{tmp_path.name.replace('_', '-')}")
    site.workflow("applies", APPLIES.replace("THE_FOLDER", str(tmp_path)).replace("ENVIRONMENT", site.pool))
    site.write("infra/main.tf", CONFIGURATION.replace("THE_FOLDER", str(tmp_path)))
    site.deploy()
    command = [sys.executable, "-c", SAVES, site.pool, str(tmp_path)]
    subprocess.run(command, env=server.environment, check=True)
    yield site


def lines(site: Site, name: str) -> list[str]:
    path = site.folder / name
    return path.read_text().split() if path.exists() else []


async def approve(api: Api, run_id: UUID) -> None:
    await api.until_named(run_id, "Approval Pending")
    await api.resume(run_id, decision="approve", approver="jane")


async def test_retry_runs_again_only_what_failed_and_plans_anew(site: Site) -> None:
    site.write("fails", "")
    async with api_of(site.server) as api:
        with site.worker():
            run_id = await api.start("applies/applies")
            await approve(api, run_id)
            run = await api.until_named(run_id, "Failed")
            assert "local-exec" in run["state"]["message"]
            (site.folder / "fails").unlink()
            await api.retry(run_id)
            # What is left to do was approved: nobody is asked again.
            await api.until_named(run_id, "Succeeded")
            tasks = await api.task_runs(run_id)
    view = Wfexec(site.server.environment, site.folder).json("show", str(run_id))
    steps = {step["id"]: step for step in view["steps"]}
    assert {step["status"] for step in steps.values()} == {"Success"}
    assert {name: step["attempt"] for name, step in steps.items()} == {
        "before": 1,
        "plan": 2,
        "approval": 2,
        "apply": 2,
        "after": 1,
        "tell": 2,
    }
    gates = [(gate["generation"], len(gate["decisions"]), gate["covered_by"], gate["news"]) for gate in view["gates"]]
    assert gates == [(1, 1, None, []), (2, 0, 1, [])]
    assert steps["approval"]["summary"] == "Approved by jane, covered by the approval of jane"
    assert (lines(site, "before"), lines(site, "after"), lines(site, "told")) == (["x"], ["x"], ["Failed", "Succeeded"])
    assert sorted(tasks) == sorted(steps)
    assert len(view["outputs"]["ids"]) == 2
    assert view["duration_seconds"] <= view["elapsed_seconds"]


async def test_a_retry_that_would_do_something_else_asks_again_and_says_what_is_new(site: Site) -> None:
    site.write("fails", "")
    async with api_of(site.server) as api:
        with site.worker():
            run_id = await api.start("applies/applies")
            await approve(api, run_id)
            await api.until_named(run_id, "Failed")
            (site.folder / "fails").unlink()
            configuration = site.folder / "infra" / "main.tf"
            changed = configuration.read_text().replace('= "two"', '= "two and more"')
            configuration.write_text(changed + 'resource "terraform_data" "three" {}\n')
            await api.retry(run_id)
            run = await api.until_named(run_id, "Approval Pending")
            keys = run["state"]["state_details"]["run_input_keyset"]
            schema = await api.get(f"/flow_runs/{run_id}/input/{keys['schema']}")
            question = schema["properties"]["decision"]["description"]
            assert "New since it was approved before" in question
            assert "terraform_data.three was not to change" in question
            assert "terraform_data.two has another value at /after/input" in question
            assert "terraform_data.one" not in question.partition("New since")[2].partition("**")[0]
            wfexec = Wfexec(site.server.environment, site.folder)
            gate = wfexec.json("show", str(run_id))["gates"][-1]
            assert (gate["status"], gate["covered_by"]) == ("open", None)
            assert "terraform_data.three was not to change" in gate["news"]
            shown = wfexec("show", str(run_id)).out
            assert all(f"new since it was approved before: {line}" in shown for line in gate["news"])
            await approve(api, run_id)
            await api.until_named(run_id, "Succeeded")


async def test_retry_of_a_run_that_succeeded_changes_nothing(site: Site) -> None:
    async with api_of(site.server) as api:
        with site.worker():
            run_id = await api.start("applies/applies")
            await approve(api, run_id)
            before = await api.until_named(run_id, "Succeeded")
            await api.retry(run_id)
            await api.until(run_id, lambda state: state["name"] == "Succeeded" and state["id"] != before["state"]["id"])
    assert (lines(site, "before"), lines(site, "after")) == (["x"], ["x"])


def moments(count: int) -> list[pytest.param]:
    """Who is killed, and when: moments drawn uniformly over the run, the seed in the test's name."""
    seeds = [_drawn.randrange(1_000_000) for _ in range(count)] if count == SAMPLE else range(count)
    return [
        pytest.param(("flow", "worker")[place % 2], random.Random(seed).uniform(0, RUN_SECONDS), id=f"seed{seed}")
        for place, seed in enumerate(seeds)
    ]


@pytest.mark.parametrize(("victim", "moment"), moments(SAMPLE))
async def test_a_kill_and_one_retry_end_it_honestly(site: Site, victim: str, moment: float) -> None:
    await check_kill(site, victim, moment)


@pytest.mark.slow
@pytest.mark.parametrize(("victim", "moment"), moments(FULL))
async def test_a_kill_and_one_retry_end_it_honestly_at_twenty_moments(site: Site, victim: str, moment: float) -> None:
    await check_kill(site, victim, moment)


async def check_kill(site: Site, victim: str, moment: float) -> None:
    async with api_of(site.server) as api:
        with site.worker() as worker:
            run_id = await api.start("applies/applies")
            await api.until(run_id, lambda state: state["type"] != "SCHEDULED")
            going = asyncio.create_task(go_through(api, run_id))
            await asyncio.sleep(moment)  # the moment that was drawn: the one wait here that is no condition
            if victim == "flow":
                kill_flow(run_id)
            else:
                worker.kill()
            with site.worker():
                state = await going
    assert state in {"Succeeded", "Failed", "Error"}, site.worker_logs()
    check(site, run_id, state)


async def go_through(api: Api, run_id: UUID) -> str:
    """Approve whenever the run asks, press Retry once when it has failed; the state it ends in."""
    has_retried, seen_crashed = False, 0.0
    deadline = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline:
        state = (await api.run(run_id))["state"]
        if state["type"] == "PAUSED":
            await api.resume(run_id, decision="approve", approver="jane")
        elif (state["type"] in {"FAILED", "CRASHED"} and not has_retried) or (
            state["type"] == "PENDING" and not has_retried and not is_taken_up(state)
        ):
            has_retried = True
            await api.retry(run_id)
        elif state["name"] == "Crashed":
            # A worker may report a crash of the process before only now; the run takes the word back.
            seen_crashed = seen_crashed or time.monotonic()
            assert time.monotonic() < seen_crashed + CRASHED_SECONDS, "the run stays crashed"
        elif state["type"] in {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}:
            return str(state["name"])
        else:
            seen_crashed = 0.0
        await asyncio.sleep(0.2)
    raise AssertionError(f"the run is {state}")


def is_taken_up(state: dict[str, Any]) -> bool:
    """Whether a pending run can still be expected to begin: one whose worker died while it was submitted never does."""
    age = datetime.now(UTC) - datetime.fromisoformat(state["timestamp"])
    return age < timedelta(seconds=PENDING_SECONDS)


def check(site: Site, run_id: UUID, state: str) -> None:
    """What the run says agrees with terraform, with the files the steps wrote, and with its journal."""
    wfexec = Wfexec(site.server.environment, site.folder)
    view = wfexec.json("show", str(run_id))
    steps = {step["id"]: step for step in view["steps"]}
    assert view["status"] == state
    assert wfexec.json("audit", str(run_id))["verified"] is True
    planned = subprocess.run(
        [*binary().argv, "plan", "-detailed-exitcode", "-lock=true", "-input=false"],
        cwd=site.folder / "infra",
        capture_output=True,
        text=True,
    )
    assert planned.returncode in {0, 2}, planned.stderr
    if state == "Succeeded":
        assert {step["status"] for step in steps.values()} <= {"Success", "Skipped"}
        assert planned.returncode == 0
        assert lines(site, "after") == ["x"]
    else:
        assert any(step["status"] == "Failed" for step in steps.values())
    if steps["before"]["status"] == "Success" and steps["before"]["attempt"] == 1:
        assert lines(site, "before") == ["x"]
