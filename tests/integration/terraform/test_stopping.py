"""A Terraform that is stopped: by one interrupt, with time to save its state, and what is told of how it went."""

import asyncio
import json
import shlex
from pathlib import Path

import pytest

from prefect_wfexec.errors import StepFailed, StepStopped
from prefect_wfexec.settings import STOP_TIMEOUT, TERRAFORM
from prefect_wfexec.steps.terraform.binary import binary
from tests.integration.terraform.support import DEADLINE_SECONDS, Desk
from tests.support.processes import kill_terraform, wait_until, working_in

WAITS = """
resource "terraform_data" "quick" {}
resource "terraform_data" "slow" {
  depends_on = [terraform_data.quick]
  provisioner "local-exec" {
    command = "echo has begun; while [ ! -e go ]; do sleep 0.1; done"
  }
}
"""


WAITS_TO_GO = """
resource "terraform_data" "quick" {}
resource "terraform_data" "slow" {
  depends_on = [terraform_data.quick]
  provisioner "local-exec" {
    when    = destroy
    command = "echo has begun; while [ ! -e go ]; do sleep 0.1; done"
  }
}
"""
SLOW_READ = """
resource "terraform_data" "slow" {
  input = sum([for a in range(1000) : sum([for b in range(1000) : a * b])])
}
"""


async def stopped(desk: Desk, uses: str = "terraform.apply", after: str = "has begun", **with_: object) -> StepStopped:
    """Cancel a step once it has said something."""
    working = asyncio.create_task(desk.run(uses, **with_))
    await desk.log.until(after)
    working.cancel()
    with pytest.raises(StepStopped) as caught:
        await asyncio.wait_for(working, DEADLINE_SECONDS)
    return caught.value


async def test_an_apply_that_stops_in_order_says_how_far_it_was(desk: Desk) -> None:
    desk.write({"main.tf": WAITS})
    planned = await desk.run("terraform.plan")
    told = await stopped(desk, plan=planned.outputs["plan"])
    assert desk.runner.results[-1].signals_sent == ("SIGINT",)
    assert (told.type, told.exit_code, told.retryable) == ("stopped", 1, False)
    assert told.message.splitlines()[0] == "terraform apply was told to stop and did, in order; until then: 1 added"
    assert "with terraform_data.slow" in told.message
    assert told.outputs == {"counts": {"add": 1, "change": 0, "destroy": 0}, "summary": "1 added"}
    assert not Path(desk.folder, ".terraform.tfstate.lock.info").exists()
    state = json.loads(Path(desk.folder, "terraform.tfstate").read_text())
    assert {item["name"]: item["instances"][0].get("status", "ok") for item in state["resources"]} == {
        "quick": "ok",
        "slow": "tainted",
    }


async def test_an_apply_that_had_to_be_killed_has_an_unknown_outcome(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.write({"main.tf": WAITS})
    planned = await desk.run("terraform.plan")
    monkeypatch.setenv(STOP_TIMEOUT.variable, "0s")
    told = await stopped(desk, plan=planned.outputs["plan"])
    assert desk.runner.results[-1].signals_sent == ("SIGINT", "SIGKILL")
    assert (told.type, told.exit_code, told.retryable) == ("outcome_unknown", None, False)
    assert told.message.startswith(
        "terraform apply was told to stop, did not within 0s, and was killed; until then: 1 added. What it was "
    )
    assert "a state lock may be left" in told.message


async def killed_by_another(desk: Desk, command: str, **with_: object) -> StepStopped:
    """SIGKILL to terraform itself once its command has begun to change something."""
    working = asyncio.create_task(desk.run(f"terraform.{command}", **with_))
    await desk.log.until("has begun")
    kill_terraform(desk.folder, command)
    with pytest.raises(StepStopped) as caught:
        await asyncio.wait_for(working, DEADLINE_SECONDS)
    wait_until(lambda: not working_in(desk.folder), "the end of what terraform had started")
    return caught.value


async def test_an_apply_that_somebody_else_kills_has_an_unknown_outcome(desk: Desk) -> None:
    desk.write({"main.tf": WAITS})
    planned = await desk.run("terraform.plan")
    told = await killed_by_another(desk, "apply", plan=planned.outputs["plan"])
    assert (told.type, told.exit_code, told.retryable) == ("outcome_unknown", None, False)
    assert told.message.startswith(
        "terraform apply was ended by signal 9, which was not this run's; until then: 1 added. What it was changing may"
    )
    assert told.outputs == {"counts": {"add": 1, "change": 0, "destroy": 0}, "summary": "1 added"}


async def test_a_destroy_that_somebody_else_kills_has_an_unknown_outcome(desk: Desk) -> None:
    desk.write({"main.tf": WAITS_TO_GO})
    await desk.plan_and_apply()
    told = await killed_by_another(desk, "destroy")
    assert (told.type, told.exit_code, told.retryable) == ("outcome_unknown", None, False)
    assert told.message.startswith("terraform destroy was ended by signal 9, which was not this run's; until then: ")
    assert told.outputs["left"] == ["terraform_data.quick", "terraform_data.slow"]
    Path(desk.folder, "go").touch()
    assert (await desk.run("terraform.destroy")).summary == "2 destroyed"


@pytest.mark.parametrize("code", [137, 143, 2, 11])
async def test_an_apply_that_breaks_down_has_an_unknown_outcome(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    desk.write({"main.tf": 'resource "terraform_data" "x" {}'})
    planned = await desk.run("terraform.plan")
    wrapper, program = Path(desk.folder, "wrapper"), shlex.join(binary(desk.env).argv)
    wrapper.write_text(f'#!/bin/sh\ncase " $* " in *" apply "*) exit {code} ;; esac\nexec {program} "$@"\n')
    wrapper.chmod(0o755)
    monkeypatch.setenv(TERRAFORM.variable, str(wrapper))
    told = await desk.fail("terraform.apply", plan=planned.outputs["plan"])
    assert (told.type, told.exit_code, told.retryable) == ("outcome_unknown", None, False)
    assert told.message.startswith(f"terraform apply broke down with exit code {code}; until then: nothing was done. ")


async def test_an_apply_is_known_to_have_succeeded_when_only_its_outputs_were_cut_short(desk: Desk) -> None:
    desk.write({"main.tf": 'resource "terraform_data" "x" {}'})
    planned = await desk.run("terraform.plan")
    told = await stopped(desk, after=" output -json", plan=planned.outputs["plan"])
    assert told.message.startswith("the apply itself succeeded (1 added), its outputs were not read")
    assert told.outputs == {"counts": {"add": 1, "change": 0, "destroy": 0}, "summary": "1 added"}
    assert (told.type, told.retryable) == ("stopped", False)


async def test_a_plan_that_had_to_be_killed_may_leave_a_lock(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.write({"main.tf": SLOW_READ})
    monkeypatch.setenv(STOP_TIMEOUT.variable, "0s")
    told = await stopped(desk, "terraform.plan", after=" plan ")
    assert told.message.startswith("terraform was told to stop, did not within 0s, and was killed: a state lock")
    assert (told.type, told.retryable) == ("stopped", True)


async def test_a_setting_that_is_no_duration(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.write({"main.tf": WAITS})
    monkeypatch.setenv(STOP_TIMEOUT.variable, "soon")
    failed = await desk.fail("terraform.plan")
    assert isinstance(failed, StepFailed)
    assert (failed.type, failed.retryable) == ("bad_setting", False)
    assert failed.message.startswith(STOP_TIMEOUT.variable)
