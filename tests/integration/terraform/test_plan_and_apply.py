"""Plan, apply and destroy real configurations; `terraform_data` needs no provider and no network."""

import asyncio
import json
import shutil
from pathlib import Path

from tests.integration.terraform.support import Desk

BASIC = """
variable "size" {
  type    = number
  default = 1
}
variable "trigger" {
  default = "one"
}
resource "terraform_data" "server" {
  input            = { size = var.size }
  triggers_replace = var.trigger
}
resource "terraform_data" "zone" {
  for_each = toset(["a b", "c/d"])
  input    = each.key
}
resource "terraform_data" "late" {
  count = 1
  input = terraform_data.server.id
}
output "size" {
  value = terraform_data.server.output.size
}
output "zones" {
  value = [for zone in terraform_data.zone : zone.output]
}
"""


async def test_life_of_a_configuration(desk: Desk) -> None:
    desk.write({"infra/main.tf": BASIC})
    planned = await desk.run("terraform.plan", dir="infra")
    assert planned.outputs["has_changes"] is True
    assert planned.outputs["counts"] == {"add": 4, "change": 0, "destroy": 0}
    assert planned.summary == planned.outputs["summary"] == "4 to add"
    assert {"address": 'terraform_data.zone["a b"]', "action": "create"} in planned.outputs["resources"]
    assert 'resource "terraform_data" "server"' in planned.outputs["text"]

    applied = await desk.run("terraform.apply", plan=planned.outputs["plan"])
    assert applied.outputs["counts"] == {"add": 4, "change": 0, "destroy": 0}
    assert applied.summary == "4 added"
    assert applied.outputs["values"] == {"size": 1, "zones": ["a b", "c/d"]}
    sha256, lineage = desk.claims
    assert sha256 == planned.outputs["plan"]["plan"]["sha256"]
    assert lineage.startswith("lineage:")

    again = await desk.run("terraform.plan", dir="infra")
    assert again.outputs["has_changes"] is False
    assert again.summary == "No changes"
    assert again.outputs["resources"] == []
    nothing = await desk.run("terraform.apply", plan=again.outputs["plan"])
    assert nothing.summary == "No changes"

    updated = await desk.run("terraform.plan", dir="infra", vars={"size": 2})
    assert updated.outputs["resources"] == [{"address": "terraform_data.server", "action": "update"}]
    assert updated.summary == "1 to change"
    assert (await desk.run("terraform.apply", plan=updated.outputs["plan"])).summary == "1 changed"

    replaced = await desk.run("terraform.plan", dir="infra", vars={"size": 2, "trigger": "two"})
    assert {"address": "terraform_data.server", "action": "replace"} in replaced.outputs["resources"]
    assert replaced.outputs["counts"] == {"add": 1, "change": 1, "destroy": 1}
    assert (
        await desk.run("terraform.apply", plan=replaced.outputs["plan"])
    ).summary == "1 added, 1 changed, 1 destroyed"

    read = await desk.run("terraform.output", dir="infra")
    assert read.outputs["values"] == {"size": 2, "zones": ["a b", "c/d"]}
    destroyed = await desk.run("terraform.destroy", dir="infra", vars={"size": 2})
    assert destroyed.outputs == {
        "counts": {"add": 0, "change": 0, "destroy": 4},
        "summary": "4 destroyed",
        "values": {},
        "left": [],
    }
    assert (await desk.run("terraform.destroy", dir="infra")).summary == "No changes"
    assert (await desk.run("terraform.output", dir="infra")).outputs["values"] == {}


async def test_log_reads_like_terraform(desk: Desk) -> None:
    desk.write({"main.tf": BASIC})
    await desk.plan_and_apply()
    text = desk.log.text("stdout")
    assert '"@message"' not in text
    assert 'terraform_data.zone["a b"]: Plan to create' in text
    assert "Apply complete! Resources: 4 added, 0 changed, 0 destroyed." in text
    assert '  zones = ["a b", "c/d"]' in text
    assert "$ terraform plan -out=plan.tfplan -json" in desk.log.text("system")
    assert desk.log.text("stderr") == ""


async def test_only_outputs_change(desk: Desk) -> None:
    desk.write({"main.tf": 'output "name" { value = "first" }'})
    planned = await desk.run("terraform.plan")
    assert planned.outputs["has_changes"] is True
    assert planned.outputs["counts"] == {"add": 0, "change": 0, "destroy": 0}
    assert planned.summary == "1 output to change"
    applied = await desk.run("terraform.apply", plan=planned.outputs["plan"])
    assert applied.outputs["values"] == {"name": "first"}
    assert applied.summary == "No changes"


async def test_modules_are_installed_when_they_appear(desk: Desk) -> None:
    module = (
        'variable "name" {}\nresource "terraform_data" "it" { input = var.name }\noutput "name" { value = var.name }'
    )
    desk.write({"infra/main.tf": 'resource "terraform_data" "root" {}'})
    await desk.plan_and_apply(dir="infra")
    desk.write(
        {
            "infra/modules/one/main.tf": module,
            "infra/more.tf": 'module "one" {\n  for_each = toset(["x.y"])\n  source = "./modules/one"\n'
            "  name = each.key\n}",
        }
    )
    planned = await desk.run("terraform.plan", dir="infra")
    assert planned.outputs["resources"] == [{"address": 'module.one["x.y"].terraform_data.it', "action": "create"}]
    desk.write({"infra/third.tf": 'module "two" {\n  source = "./modules/one"\n  name = "z"\n}'})
    grown = await desk.run("terraform.plan", dir="infra")
    assert grown.outputs["counts"]["add"] == 2
    assert "Module not installed" not in desk.log.text("stderr")


async def test_plan_is_applied_by_a_process_that_never_initialised(desk: Desk, tmp_path: Path) -> None:
    desk.write(
        {
            "infra/main.tf": 'terraform {\n  backend "local" {}\n}\nmodule "m" { source = "./m" }\n'
            'output "workspace" { value = module.m.workspace }',
            "infra/m/main.tf": 'resource "terraform_data" "w" { input = terraform.workspace }\n'
            'output "workspace" { value = terraform_data.w.output }',
        }
    )
    state = tmp_path / "kept elsewhere.tfstate"
    planned = await desk.run("terraform.plan", dir="infra", backend_config={"path": str(state)})
    reference = planned.outputs["plan"]
    assert reference["dir"] == "infra"
    assert str(state) not in json.dumps(reference)
    desk.folder = desk.folder.rename(desk.folder.with_name("moved"))
    shutil.rmtree(desk.folder / "infra/.terraform")
    fresh = desk.another_process()
    applied = await fresh.run("terraform.apply", plan=json.loads(json.dumps(reference)))
    assert applied.outputs["values"] == {"workspace": "default"}
    assert state.exists()
    read = await fresh.run("terraform.output", dir="infra")
    assert read.outputs["values"] == {"workspace": "default"}


async def test_two_backends_in_one_folder_do_not_meet(desk: Desk, tmp_path: Path) -> None:
    desk.write({"main.tf": 'terraform {\n  backend "local" {}\n}\nresource "terraform_data" "x" {}'})
    paths = [tmp_path / "one.tfstate", tmp_path / "two.tfstate"]
    first, second = await asyncio.gather(
        *(desk.run("terraform.plan", backend_config={"path": str(path)}) for path in paths)
    )
    await desk.run("terraform.apply", plan=first.outputs["plan"])
    assert paths[0].exists() and not paths[1].exists()
    assert (await desk.run("terraform.apply", plan=second.outputs["plan"])).summary == "1 added"


async def test_workspaces_are_made_and_kept_apart(desk: Desk) -> None:
    desk.write(
        {
            "main.tf": 'resource "terraform_data" "x" { input = terraform.workspace }\n'
            'output "w" { value = terraform_data.x.output }'
        }
    )
    for workspace in ("staging", "production"):
        applied = await desk.plan_and_apply(workspace=workspace)
        assert applied.outputs["values"] == {"w": workspace}
    assert (await desk.run("terraform.output", workspace="staging")).outputs["values"] == {"w": "staging"}
    assert (await desk.run("terraform.output")).outputs["values"] == {}
    assert (await desk.run("terraform.destroy", workspace="staging")).summary == "1 destroyed"
    assert (await desk.run("terraform.output", workspace="production")).outputs["values"] == {"w": "production"}


async def test_vars_win_over_var_files(desk: Desk) -> None:
    desk.write(
        {
            "infra/main.tf": 'variable "a" {}\nvariable "b" {}\nvariable "c" { type = map(list(number)) }\n'
            'output "all" { value = [var.a, var.b, var.c] }',
            "infra/near dir.tfvars": 'a = "file"\nb = "file"',
            "beside.tfvars": 'a = "beside"',
        }
    )
    applied = await desk.plan_and_apply(
        dir="infra",
        var_files=["near dir.tfvars", "beside.tfvars"],
        vars={"b": '-given ${x} "é\n', "c": {"k": [1, 2.5]}},
    )
    assert applied.outputs["values"]["all"] == ["beside", '-given ${x} "é\n', {"k": [1, 2.5]}]
    assert not any("given" in word for argv in desk.runner.commands for word in argv)


async def test_targets(desk: Desk) -> None:
    desk.write({"main.tf": BASIC})
    planned = await desk.run("terraform.plan", targets=['terraform_data.zone["a b"]'])
    assert planned.outputs["resources"] == [{"address": 'terraform_data.zone["a b"]', "action": "create"}]


async def test_outer_arguments_do_not_reach_terraform(desk: Desk) -> None:
    desk.env["TF_CLI_ARGS_plan"] = "-destroy"
    desk.env["TF_CLI_ARGS"] = "-nonsense"
    desk.env["TF_CLI_CONFIG_FILE"] = str(desk.folder / "missing.rc")
    desk.write({"main.tf": BASIC})
    planned = await desk.run("terraform.plan")
    assert planned.summary == "4 to add"
    assert "CLI configuration" not in desk.log.text()


async def test_import_move_and_forget(desk: Desk) -> None:
    desk.write(
        {
            "main.tf": 'resource "terraform_data" "kept" { input = 1 }\nresource "terraform_data" "old" { input = 2 }\n'
            'resource "terraform_data" "left" { input = 3 }'
        }
    )
    await desk.plan_and_apply()
    desk.write(
        {
            "main.tf": 'resource "terraform_data" "kept" { input = 1 }\nresource "terraform_data" "new" { input = 2 }\n'
            'resource "terraform_data" "found" {}\n'
            "moved {\n  from = terraform_data.old\n  to = terraform_data.new\n}\n"
            "removed {\n  from = terraform_data.left\n  lifecycle {\n    destroy = false\n  }\n}\n"
            'import {\n  to = terraform_data.found\n  id = "an-id-of-old"\n}\n'
        }
    )
    planned = await desk.run("terraform.plan")
    assert planned.outputs["resources"] == [
        {"address": "terraform_data.found", "action": "import"},
        {"address": "terraform_data.left", "action": "forget"},
        {"address": "terraform_data.new", "action": "move"},
    ]
    assert planned.summary == "1 to import"
    assert planned.outputs["has_changes"] is True
    await desk.run("terraform.apply", plan=planned.outputs["plan"])
    assert (await desk.run("terraform.plan")).summary == "No changes"


async def test_data_that_is_read_at_apply(desk: Desk) -> None:
    desk.write(
        {
            "one/main.tf": 'output "name" {\n  value = "from one"\n}\noutput "hidden" {\n  value = "kept secret"\n'
            "  sensitive = true\n}",
            "two/main.tf": 'resource "terraform_data" "path" { input = "../one/terraform.tfstate" }\n'
            'data "terraform_remote_state" "one" {\n  backend = "local"\n'
            "  config = { path = terraform_data.path.output }\n}\n"
            'output "name" { value = data.terraform_remote_state.one.outputs.name }',
        }
    )
    await desk.plan_and_apply(dir="one")
    planned = await desk.run("terraform.plan", dir="two")
    assert {"address": "data.terraform_remote_state.one", "action": "read"} in planned.outputs["resources"]
    assert planned.summary == "1 to add"
    applied = await desk.run("terraform.apply", plan=planned.outputs["plan"])
    assert applied.outputs["values"] == {"name": "from one"}


async def test_equal_plans_have_equal_digests(desk: Desk) -> None:
    desk.write({"main.tf": BASIC})
    plans = [
        await desk.run("terraform.plan"),
        await desk.run("terraform.plan", vars={"size": 1}),
        await desk.run("terraform.plan", vars={"size": 2}),
    ]
    first, again, other = [planned.outputs["digest"] for planned in plans]
    assert first == again != other
    await desk.run("terraform.apply", plan=plans[0].outputs["plan"])
    one, two = [await desk.run("terraform.plan", vars={"trigger": "x"}) for _ in range(2)]
    assert one.outputs["digest"] == two.outputs["digest"]
    assert one.outputs["plan"]["lineage"]
    desk.write({"main.tf": BASIC + 'output "more" { value = 1 }'})
    assert (await desk.run("terraform.plan", vars={"trigger": "x"})).outputs["digest"] != one.outputs["digest"]


async def test_steps_beside_each_other_in_one_folder(desk: Desk) -> None:
    desk.write({"infra/main.tf": BASIC + 'module "m" { source = "./m" }', "infra/m/main.tf": ""})
    names = ["one", "two", "three"]
    planned = await asyncio.gather(*(desk.run("terraform.plan", dir="infra", workspace=name) for name in names))
    assert [plan.summary for plan in planned] == ["4 to add"] * 3
    assert sum("init" in argv for argv in desk.runner.commands) == 1
    applied = await asyncio.gather(*(desk.run("terraform.apply", plan=plan.outputs["plan"]) for plan in planned))
    assert [result.summary for result in applied] == ["4 added"] * 3
