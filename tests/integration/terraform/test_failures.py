"""What a person is told when terraform can't do it, and what may run again."""

import asyncio
import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from pydantic import ValidationError

from prefect_wfexec.errors import StepStopped
from prefect_wfexec.settings import TERRAFORM
from prefect_wfexec.steps.registry import find_step_type
from tests.integration.terraform.support import DEADLINE_SECONDS, Desk

FAILS = """
resource "terraform_data" "good" {}
resource "terraform_data" "bad" {
  depends_on = [terraform_data.good]
  provisioner "local-exec" {
    command = "echo the database said no; exit 3"
  }
}
"""

WAITS = """
resource "terraform_data" "slow" {
  input = "kept"
  provisioner "local-exec" {
    command = "echo has begun; while [ ! -e go ]; do sleep 0.1; done"
  }
}
"""

BREAKS_ITSELF = """
resource "terraform_data" "x" {
  provisioner "local-exec" {
    command = "printf 'no longer' > main.tf"
  }
}
terraform {
  backend "local" {}
}
"""


async def test_apply_that_fails_half_way(desk: Desk) -> None:
    desk.write({"infra/main.tf": FAILS})
    planned = await desk.run("terraform.plan", dir="infra")
    failed = await desk.fail("terraform.apply", plan=planned.outputs["plan"])
    assert failed.type == "terraform_error"
    assert failed.exit_code == 1
    assert failed.retryable is False
    assert failed.message.startswith("local-exec provisioner error\n")
    assert "the database said no" in failed.message
    assert "with terraform_data.bad" in failed.message
    assert 'on main.tf line 5, in resource "terraform_data" "bad"' in failed.message
    assert failed.outputs["counts"] == {"add": 1, "change": 0, "destroy": 0}
    assert "terraform_data.bad (local-exec): the database said no" in desk.log.text("stdout")
    assert "Error: local-exec provisioner error" in desk.log.text("stderr")
    assert "the database said no" in failed.tail

    stale = await desk.fail("terraform.apply", plan=planned.outputs["plan"])
    assert stale.type == "claimed"
    tainted = await desk.run("terraform.plan", dir="infra")
    assert tainted.outputs["resources"] == [{"address": "terraform_data.bad", "action": "replace"}]
    kept = json.loads(desk.blobs.kept[tainted.outputs["plan"]["changes"]["blob"]])
    assert kept["changes"][0]["reason"] == "replace_because_tainted"
    assert kept["lineage"]


async def test_a_stale_plan(desk: Desk) -> None:
    desk.refuses_second_claim = False
    desk.write({"main.tf": 'resource "terraform_data" "x" {}'})
    planned = await desk.run("terraform.plan")
    await desk.run("terraform.apply", plan=planned.outputs["plan"])
    failed = await desk.fail("terraform.apply", plan=planned.outputs["plan"])
    assert failed.type == "stale_plan"
    assert failed.retryable is False
    assert failed.message.startswith("Saved plan is stale")
    assert failed.hint is not None and "plan again" in failed.hint


async def test_a_locked_state(desk: Desk) -> None:
    desk.write({"main.tf": WAITS})
    waiting = await desk.run("terraform.plan")
    other = desk.another_run()
    prepared = await other.run("terraform.plan")
    applying = asyncio.create_task(desk.run("terraform.apply", plan=waiting.outputs["plan"]))
    await desk.log.until("has begun")
    for failed in (
        await other.fail("terraform.plan"),
        await other.fail("terraform.apply", plan=prepared.outputs["plan"]),
    ):
        assert failed.type == "state_locked"
        assert "locked by " in failed.message and " since 2" in failed.message
        assert "operation apply, path terraform.tfstate, lock " in failed.message
        assert failed.hint is not None and "lock_timeout" in failed.hint
    destroying = await other.fail("terraform.destroy")
    assert destroying.type == "state_locked"
    Path(desk.folder, "go").touch()
    assert (await asyncio.wait_for(applying, DEADLINE_SECONDS)).summary == "1 added"


async def test_lock_timeout_waits(desk: Desk) -> None:
    desk.write({"main.tf": WAITS})
    waiting = await desk.run("terraform.plan")
    other = desk.another_run()
    applying = asyncio.create_task(desk.run("terraform.apply", plan=waiting.outputs["plan"]))
    await desk.log.until("has begun")
    planning = asyncio.create_task(other.run("terraform.plan", lock_timeout=60))
    await other.log.until("$ terraform plan")
    Path(desk.folder, "go").touch()
    await asyncio.wait_for(applying, DEADLINE_SECONDS)
    assert (await asyncio.wait_for(planning, DEADLINE_SECONDS)).summary == "No changes"


async def test_cancel_in_the_middle_saves_the_state(desk: Desk) -> None:
    desk.write({"main.tf": WAITS})
    planned = await desk.run("terraform.plan")
    applying = asyncio.create_task(desk.run("terraform.apply", plan=planned.outputs["plan"]))
    await desk.log.until("has begun")
    applying.cancel()
    with pytest.raises(StepStopped):
        await asyncio.wait_for(applying, DEADLINE_SECONDS)
    assert "Gracefully shutting down" in desk.log.text()
    assert desk.runner.results[-1].signals_sent == ("SIGINT",)
    assert not Path(desk.folder, ".terraform.tfstate.lock.info").exists()
    state = json.loads(Path(desk.folder, "terraform.tfstate").read_text())
    assert [item["instances"][0]["status"] for item in state["resources"]] == ["tainted"]
    assert (await desk.run("terraform.destroy")).summary == "1 destroyed"


@pytest.mark.parametrize("uses", ["terraform.plan", "terraform.destroy"])
async def test_a_variable_nobody_declared(desk: Desk, uses: str) -> None:
    desk.write({"main.tf": 'variable "region" { default = "x" }\nresource "terraform_data" "x" {}'})
    failed = await desk.fail(uses, vars={"regoin": "value nobody sees"})
    assert failed.type == "undeclared_variable"
    assert failed.message == (
        "`vars` names 'regoin', which the terraform configuration does not declare; it declares 'region'"
    )
    assert not any(argv[-1] == "destroy" or "-auto-approve" in argv for argv in desk.runner.commands)


async def test_a_syntax_error_names_its_line(desk: Desk) -> None:
    desk.write({"main.tf": 'resource "terraform_data" "x" {}\nresource "y" {'})
    failed = await desk.fail("terraform.plan")
    assert failed.type == "terraform_error"
    assert "on main.tf line 2" in failed.message
    assert failed.exit_code == 1


async def test_a_required_variable_without_value(desk: Desk) -> None:
    desk.write({"main.tf": 'variable "region" {}'})
    failed = await desk.fail("terraform.plan")
    assert failed.message.startswith("No value for required variable")
    assert failed.hint is not None and "vars" in failed.hint


async def test_an_ephemeral_variable_has_to_be_given_to_apply(desk: Desk) -> None:
    desk.write(
        {"main.tf": 'variable "token" {\n  ephemeral = true\n  type = string\n}\nresource "terraform_data" "x" {}'}
    )
    planned = await desk.run("terraform.plan", vars={"token": "an ephemeral secret"})
    failed = await desk.fail("terraform.apply", plan=planned.outputs["plan"])
    assert failed.hint is not None and "TF_VAR_" in failed.hint
    desk.env["TF_VAR_token"] = "an ephemeral secret"
    desk.write({"more.tf": 'resource "terraform_data" "y" {}'})
    again = await desk.run("terraform.plan")
    assert (await desk.run("terraform.apply", plan=again.outputs["plan"])).summary == "2 added"


async def test_paths_that_are_not_there(desk: Desk) -> None:
    desk.write({"main.tf": "", "infra/main.tf": ""})
    for uses in ("terraform.plan", "terraform.destroy", "terraform.output"):
        failed = await desk.fail(uses, dir="nowhere")
        assert failed.type == "missing_path"
        assert str(desk.folder / "nowhere") in failed.message
    failed = await desk.fail("terraform.plan", dir="main.tf")
    assert "is not a folder" in failed.message
    failed = await desk.fail("terraform.plan", dir="infra", var_files=["x.tfvars"])
    assert failed.type == "missing_path"
    assert str(desk.folder / "x.tfvars") in failed.message and str(desk.folder / "infra/x.tfvars") in failed.message
    failed = await desk.fail("terraform.plan", backend_config=["b.hcl"])
    assert failed.type == "missing_path"
    assert desk.runner.commands == []


async def test_apply_without_its_folder(desk: Desk) -> None:
    desk.write({"infra/main.tf": ""})
    planned = await desk.run("terraform.plan", dir="infra")
    desk.folder.joinpath("infra").rename(desk.folder / "gone")
    failed = await desk.fail("terraform.apply", plan=planned.outputs["plan"])
    assert failed.type == "missing_path"
    assert desk.claims == []


@pytest.mark.parametrize("plan", ["a text", None, 3, {}, {"kind": "terraform.plan"}, {"kind": "image"}])
async def test_apply_of_something_else(desk: Desk, plan: object) -> None:
    failed = await desk.fail("terraform.apply", plan=plan)
    assert failed.type == "bad_input"
    assert failed.hint is not None and "steps.plan.outputs.plan" in failed.hint


async def test_apply_of_a_plan_that_was_changed(desk: Desk) -> None:
    desk.write({"main.tf": 'variable "a" {}\nresource "terraform_data" "x" { input = var.a }'})
    one, two = [(await desk.run("terraform.plan", vars={"a": value})).outputs["plan"] for value in ("1", "2")]
    failed = await desk.fail("terraform.apply", plan={**one, "plan": two["plan"]})
    assert failed.type == "plan_mismatch"
    desk.blobs.kept[one["plan"]["blob"]] = desk.blobs.kept[two["plan"]["blob"]]
    failed = await desk.fail("terraform.apply", plan=one)
    assert failed.type == "plan_mismatch"
    assert desk.claims == []


@pytest.mark.parametrize(
    "given",
    [
        {"dir": "-chdir=x"},
        {"targets": ["-lock=false"]},
        {"workspace": "-x"},
        {"var_files": ["-x"]},
        {"backend_config": {"-x": "y"}},
        {"backend_config": {"x": "-y"}},
        {"lock_timeout": "soon"},
        {"colour": "red"},
    ],
)
def test_options_in_values_are_refused(given: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        find_step_type("terraform.plan").Inputs(**given)


async def test_no_terraform_at_all(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("prefect_wfexec.steps.terraform.binary.LIBRARY_NAME", "not-there.so")
    desk.env["PATH"] = str(desk.scratch)
    failed = await desk.fail("terraform.plan")
    assert failed.type == "missing_tool"
    assert failed.hint is not None and "pip install 'prefect-wfexec[terraform]'" in failed.hint
    monkeypatch.setenv(TERRAFORM.variable, "/no/such/terraform")
    failed = await desk.fail("terraform.plan")
    assert "/no/such/terraform" in failed.message


async def test_outputs_that_can_not_be_read_are_no_failed_apply(desk: Desk) -> None:
    desk.write({"main.tf": BREAKS_ITSELF})
    planned = await desk.run("terraform.plan")
    failed = await desk.fail("terraform.apply", plan=planned.outputs["plan"])
    assert failed.type == "outputs_unreadable"
    assert failed.message.startswith("the apply succeeded (1 added), but its outputs can't be read")
    assert failed.retryable is False
    assert failed.outputs["summary"] == "1 added"


class RefusesState(BaseHTTPRequestHandler):
    """A state backend that has no state and takes none."""

    def do_GET(self) -> None:
        self._answer(404)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(500)

    def _answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing for the console."""


@pytest.fixture
def refusing_backend() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), RefusesState)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/state"
    server.shutdown()
    thread.join()
    server.server_close()


REMOTE = """
terraform {
  backend "http" {
    retry_max = 0
  }
}
resource "terraform_data" "x" {
  input = "precious"
}
"""


async def test_a_state_that_could_not_be_saved_is_named(desk: Desk, refusing_backend: str) -> None:
    desk.write({"infra/main.tf": REMOTE})
    planned = await desk.run("terraform.plan", dir="infra", backend_config={"address": refusing_backend})
    failed = await desk.fail("terraform.apply", plan=planned.outputs["plan"])
    left = desk.folder / "infra/errored.tfstate"
    assert "precious" in left.read_text()
    assert f"left it in '{left}'" in failed.message
    assert "terraform state push" in failed.message
    assert failed.retryable is False


async def test_the_last_copy_of_a_state_is_kept(desk: Desk, refusing_backend: str) -> None:
    desk.write({"main.tf": REMOTE})
    planned = await desk.run("terraform.plan", backend_config={"address": refusing_backend})
    desk.folder.joinpath("errored.tfstate").mkdir()
    failed = await desk.fail("terraform.apply", plan=planned.outputs["plan"])
    assert '"precious"' in desk.log.text("stdout")
    kept = re.search(r"as blob ([0-9a-f]{64})", failed.message)
    assert kept is not None
    assert json.loads(desk.blobs.kept[kept[1]])["resources"][0]["name"] == "x"
