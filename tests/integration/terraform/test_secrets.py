"""No secret of a configuration reaches a log, an error, a page or the reference to a plan."""

import base64
import json
from dataclasses import asdict

from prefect_wfexec.errors import StepFailed
from prefect_wfexec.steps.base import StepResult
from tests.integration.terraform.support import Desk

PASSWORD = 'swordfish "and" chips\nsecond line of it'
TOKEN = "token-only-in-the-default"
DERIVED = "derived-from-nowhere-but-marked"

CONFIGURATION = f"""
variable "password" {{
  type      = string
  sensitive = true
}}
variable "token" {{
  sensitive = true
  default   = "{TOKEN}"
}}
variable "plain" {{
  default = "seen"
}}
resource "terraform_data" "x" {{
  input = {{
    nested = [{{ password = var.password }}, sensitive("{DERIVED}")]
    plain  = var.plain
  }}
}}
resource "terraform_data" "leaks" {{
  input = nonsensitive(var.token)
  provisioner "local-exec" {{
    command = "echo ${{nonsensitive(var.token)}} ${{nonsensitive(base64encode(var.token))}}"
  }}
}}
output "password" {{
  value     = var.password
  sensitive = true
}}
output "whole" {{
  value     = terraform_data.x.output
  sensitive = true
}}
output "plain" {{
  value = var.plain
}}
"""

REFUSES = """
variable "key" {
  sensitive = true
}
resource "terraform_data" "x" {
  lifecycle {
    precondition {
      condition     = nonsensitive(var.key) == ""
      error_message = "refused: ${nonsensitive(var.key)}"
    }
  }
}
"""


def assert_hidden(desk: Desk, *written: object) -> None:
    everything = "\n".join([desk.log.text(), *(json.dumps(item, default=str) for item in written)])
    for secret in (PASSWORD, *PASSWORD.splitlines(), TOKEN, DERIVED):
        forms = (secret, json.dumps(secret)[1:-1], base64.b64encode(secret.encode()).decode())
        assert not [form for form in forms if form in everything], secret


def shown(result: StepResult) -> list[object]:
    return [asdict(artifact) for artifact in result.artifacts]


async def test_secrets_stay_hidden_from_plan_to_destroy(desk: Desk) -> None:
    desk.write({"main.tf": CONFIGURATION})
    planned = await desk.run("terraform.plan", vars={"password": PASSWORD})
    assert "(sensitive value)" in planned.outputs["text"]
    assert "seen" in planned.outputs["text"]
    assert_hidden(desk, planned.outputs, planned.summary, shown(planned))
    changes = desk.blobs.kept[planned.outputs["plan"]["changes"]["blob"]].decode()
    assert_hidden(desk, changes)
    assert "seen" not in changes

    fresh = desk.another_process()
    applied = await fresh.run("terraform.apply", plan=planned.outputs["plan"])
    assert "terraform_data.leaks (local-exec): ***" in fresh.log.text()
    assert applied.outputs["values"]["password"] == PASSWORD
    assert applied.outputs["values"]["plain"] == "seen"
    assert applied.sensitive == {("values", "password"), ("values", "whole")}
    assert "(sensitive)" in fresh.log.text()
    assert_hidden(fresh, applied.summary, shown(applied))
    assert "(sensitive)" in applied.artifacts[0].markdown

    read = desk.another_process()
    outputs = await read.run("terraform.output")
    assert outputs.sensitive == applied.sensitive
    assert_hidden(read, outputs.summary)
    assert read.masker.mask(PASSWORD) == "***"

    last = desk.another_process()
    destroyed = await last.run("terraform.destroy", vars={"password": PASSWORD})
    assert destroyed.summary == "2 destroyed"
    assert_hidden(last, destroyed.outputs)


async def test_secrets_stay_hidden_when_apply_fails(desk: Desk) -> None:
    desk.write(
        {
            "main.tf": CONFIGURATION.replace(
                "nonsensitive(base64encode(var.token))}", "nonsensitive(base64encode(var.token))}; exit 1"
            )
        }
    )
    planned = await desk.run("terraform.plan", vars={"password": PASSWORD})
    failed: StepFailed = await desk.another_process().fail("terraform.apply", plan=planned.outputs["plan"])
    assert "exit status 1" in failed.message
    assert_hidden(desk, failed.message, failed.tail, failed.outputs)


async def test_a_sensitive_variable_stays_hidden_when_the_plan_fails(desk: Desk) -> None:
    desk.write({"main.tf": REFUSES})
    failed = await desk.fail("terraform.plan", vars={"key": TOKEN})
    assert "refused: ***" in failed.message
    assert_hidden(desk, failed.message, failed.tail)


async def test_values_reach_terraform_by_no_argument(desk: Desk) -> None:
    desk.write({"main.tf": CONFIGURATION + 'terraform {\n  backend "local" {}\n}'})
    planned = await desk.run(
        "terraform.plan", vars={"password": PASSWORD}, backend_config={"path": f"{desk.folder}/key-in-the-path.tfstate"}
    )
    await desk.run("terraform.apply", plan=planned.outputs["plan"])
    words = " ".join(word for argv in desk.runner.commands for word in argv)
    assert "swordfish" not in words
    assert "key-in-the-path" not in words
    assert "key-in-the-path" not in json.dumps(planned.outputs["plan"])
    assert not list(desk.scratch.iterdir())
