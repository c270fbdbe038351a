"""After a partial apply the approval holds for the rest, and for nothing else."""

import json
from typing import Any

from prefect_wfexec.steps.base import StepResult
from prefect_wfexec.steps.terraform.coverage import uncovered
from tests.integration.terraform.support import Desk

FAILS_ONCE = """
variable "size" {
  default = 1
}
resource "terraform_data" "good" {
  input = var.size
}
resource "terraform_data" "bad" {
  input = [terraform_data.good.id, "x"]
  provisioner "local-exec" {
    command = "test -e repaired"
  }
}
resource "terraform_data" "after" {
  input = terraform_data.bad.output
}
output "all" {
  value = terraform_data.after.output
}
"""


def change_set_of(desk: Desk, planned: StepResult) -> Any:
    return json.loads(desk.blobs.kept[planned.outputs["plan"]["changes"]["blob"]])


async def test_an_approval_holds_for_the_rest_of_what_was_approved(desk: Desk) -> None:
    desk.write({"main.tf": FAILS_ONCE})
    first = await desk.run("terraform.plan")
    approved = change_set_of(desk, first)
    await desk.fail("terraform.apply", plan=first.outputs["plan"])
    second = await desk.run("terraform.plan")
    rest = change_set_of(desk, second)
    assert {change["action"] for change in rest["changes"]} == {"create", "replace"}
    lineage = second.outputs["plan"]["lineage"]
    assert uncovered(approved, rest, after_own_apply=True, own_lineage=lineage) == []
    assert uncovered(approved, rest, own_lineage=lineage) == ["terraform_data.bad was to create, and is now to replace"]

    other = change_set_of(desk, await desk.run("terraform.plan", vars={"size": 2}))
    assert "terraform_data.good was to create, and is now to update" in uncovered(
        approved, other, after_own_apply=True, own_lineage=lineage
    )
    desk.write({"main.tf": FAILS_ONCE.replace("test -e repaired", "rm -rf something-else")})
    changed = change_set_of(desk, await desk.run("terraform.plan"))
    assert uncovered(approved, changed, after_own_apply=True, own_lineage=lineage) == [
        "terraform_data.bad has another value at /provisioners"
    ]

    desk.write({"main.tf": FAILS_ONCE, "repaired": ""})
    last = await desk.run("terraform.plan")
    assert (await desk.run("terraform.apply", plan=last.outputs["plan"])).summary == "2 added, 1 destroyed"
