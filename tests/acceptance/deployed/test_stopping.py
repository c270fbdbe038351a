"""Cancelling deployed runs: in every state, by our command and by Prefect's, with what they made taken away."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import yaml

from tests.support.deployed import Api, Site, api_of, kill_flow
from tests.support.server import PrefectServer
from tests.support.wfexec import Wfexec

MAKES = """
version: 1
name: makes
on_cancel: ON_CANCEL
cleanup: {approval: APPROVAL, delay: 1s}
inputs: {size: {type: integer, default: 1}}
steps:
  - id: plan
    uses: terraform.plan
    with: {dir: "THE_FOLDER/infra", vars: {size: "${{ inputs.size }}"}}
  - {id: ask, uses: approval, if: inputs.size == 2}
  - id: apply
    uses: terraform.apply
    with: {plan: "${{ steps.plan.outputs.plan }}"}
    cleanup: {uses: terraform.destroy}
  - {id: work, run: "echo up; touch $PLACE/working; sleep 300", env: {PLACE: "THE_FOLDER"}}
"""
CONFIGURATION = """
variable "size" { type = number }
resource "terraform_data" "one" {
  input = var.size
  provisioner "local-exec" { command = "touch THE_FOLDER/applying; sleep SECONDS" }
}
resource "terraform_data" "two" {
  input      = "two"
  depends_on = [terraform_data.one]
}
"""

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def site(server: PrefectServer, tmp_path: Path) -> Iterator[Site]:
    yield Site(server, tmp_path, pool=f"pool-{tmp_path.name.replace('_', '-')}")


def deploy(site: Site, *, on_cancel: str = "stop", approval: str = "automatic", seconds: int = 0) -> Wfexec:
    text = MAKES.replace("ON_CANCEL", on_cancel).replace("APPROVAL", approval)
    site.workflow("makes", text.replace("THE_FOLDER", str(site.folder)))
    configuration = CONFIGURATION.replace("THE_FOLDER", str(site.folder)).replace("SECONDS", str(seconds))
    site.write("infra/main.tf", configuration)
    site.deploy()
    return Wfexec(site.server.environment, site.folder)


def left(site: Site) -> list[str]:
    """The resources that stand in the state."""
    import json

    path = site.folder / "infra/terraform.tfstate"
    return [one["name"] for one in json.loads(path.read_text())["resources"]] if path.exists() else []


async def until_there(api: Api, run_id: UUID, path: Path) -> None:
    await api.until(run_id, lambda _state: path.exists())


async def killed_while_applying(site: Site, api: Api) -> UUID:
    """A run whose worker and process are gone."""
    with site.worker() as worker:
        run_id = await api.start("makes/makes")
        await until_there(api, run_id, site.folder / "applying")
        worker.kill()
        kill_flow(run_id)
    return run_id


def expect_cleaned(wfexec: Wfexec, site: Site, run_id: UUID) -> dict[str, Any]:
    view = wfexec.json("show", str(run_id))
    assert (view["status"], view["cleanup"]["status"], view["cleanup"]["left"]) == ("Terminated", "Succeeded", [])
    assert left(site) == []
    assert not (site.folder / "infra/.terraform.tfstate.lock.info").exists()
    cleanup = wfexec.json("show", view["cleanup"]["run"])
    assert cleanup["trigger"]["id"] == str(run_id)
    assert [(step["id"], step["uses"], step["status"]) for step in cleanup["steps"]][-1] == (
        "apply",
        "terraform.destroy",
        "Success",
    )
    assert view["cleanup"]["run"] not in [row["name"] for row in wfexec.json("history")]
    assert wfexec.json("audit", str(run_id))["verified"]
    return view


@pytest.mark.parametrize("when", ["applying", "working"])
async def test_a_running_run_is_stopped_and_cleaned_up(site: Site, when: str) -> None:
    wfexec = deploy(site, seconds=6)
    async with api_of(site.server) as api:
        with site.worker():
            run_id = await api.start("makes/makes")
            await until_there(api, run_id, site.folder / when)
            wfexec.json("cancel", str(run_id), "--cleanup", "--reason", "the wrong day")
            await api.until_named(run_id, "Terminated")
    view = expect_cleaned(wfexec, site, run_id)
    assert view["reason"].startswith("cancelled: the wrong day; cleaned up by ")
    again = wfexec.json("cancel", str(run_id), "--cleanup", code=2)["error"]
    assert (again["code"], wfexec.json("retry", str(run_id), "--from", "plan", code=2)["error"]["code"]) == (
        "ended",
        "cleaned-up",
    )


@pytest.mark.shows("cancel.stop", "cancel.cleanup", "terminating.command", on="prefect")
@pytest.mark.parametrize("on_cancel", ["stop", "cleanup"])
async def test_prefects_cancel_does_what_the_definition_says(site: Site, on_cancel: str) -> None:
    wfexec = deploy(site, on_cancel=on_cancel)
    async with api_of(site.server) as api:
        with site.worker():
            run_id = await api.start("makes/makes")
            await until_there(api, run_id, site.folder / "working")
            await api.post(f"/flow_runs/{run_id}/set_state", {"state": {"type": "CANCELLING"}})
            await api.until(run_id, lambda _state: wfexec.json("show", str(run_id))["status"] == "Terminated")
    if on_cancel == "cleanup":
        expect_cleaned(wfexec, site, run_id)
    else:
        view = wfexec.json("show", str(run_id))
        assert (view["cleanup"], left(site)) == (None, ["one", "two"])
        assert [step["status"] for step in view["steps"]] == ["Success", "Skipped", "Success", "Cancelled"]


async def test_a_run_that_never_began_is_terminated_at_once(site: Site) -> None:
    wfexec = deploy(site)
    async with api_of(site.server) as api:
        run_id = await api.start("makes/makes")
        assert wfexec.json("cancel", str(run_id))["outcome"] == "ended"
        assert (await api.run(run_id))["state"]["name"] == "Terminated"
        assert wfexec.json("cancel", str(run_id), code=2)["error"]["code"] == "ended"
        with site.worker():
            other = await api.start("makes/makes")
            await until_there(api, other, site.folder / "working")
            assert (await api.run(run_id))["state"]["name"] == "Terminated"
            wfexec.json("cancel", str(other))
            await api.until_named(other, "Terminated")


async def test_a_suspended_run_is_ended_without_a_worker(site: Site) -> None:
    wfexec = deploy(site)
    async with api_of(site.server) as api:
        with site.worker({"PREFECT_INTEGRATIONS_WFEXEC_HOLD": "0s"}):
            run_id = await api.start("makes/makes", size=2)
            await api.until(
                run_id, lambda state: state["type"] == "PAUSED" and state["state_details"]["pause_reschedule"]
            )
        ended = wfexec.json("cancel", str(run_id), "--cleanup")
    assert (ended["outcome"], ended["status"]) == ("ended", "Terminated")
    assert ended["reason"].endswith("there was nothing to clean up")
    assert [gate["status"] for gate in ended["gates"]] == ["cancelled"]


async def test_a_run_whose_worker_is_dead_is_ended_and_another_worker_cleans_up(site: Site) -> None:
    wfexec = deploy(site, seconds=5)
    async with api_of(site.server) as api:
        run_id = await killed_while_applying(site, api)
        wfexec.json("cancel", str(run_id), "--cleanup")
        with site.worker():
            ended = await api.until(run_id, lambda state: state["type"] in {"CANCELLED", "FAILED"})
    assert ended["state"]["name"] == "Terminated"
    view = expect_cleaned(wfexec, site, run_id)
    assert view["steps"][2]["error"]["type"] == "outcome_unknown"


async def test_a_cleanup_that_was_killed_is_gone_on_with(site: Site) -> None:
    wfexec = deploy(site)
    slow = CONFIGURATION.replace("SECONDS", "0").replace(
        "  input = var.size\n",
        """  input = var.size
  provisioner "local-exec" {
    when    = destroy
    command = "touch THE_FOLDER/destroying; until test -e THE_FOLDER/go; do sleep 0.1; done"
  }
""",
    )
    site.write("infra/main.tf", slow.replace("THE_FOLDER", str(site.folder)))
    async with api_of(site.server) as api:
        with site.worker():
            run_id = await api.start("makes/makes")
            await until_there(api, run_id, site.folder / "working")
            wfexec.json("cancel", str(run_id), "--cleanup")
            await until_there(api, run_id, site.folder / "destroying")
            cleanup = UUID(wfexec.json("show", wfexec.json("show", str(run_id))["cleanup"]["run"])["id"])
            kill_flow(cleanup)
            await api.until_named(cleanup, "Crashed")
            site.write("go", "")
            assert wfexec.json("show", str(run_id))["status"] == "Terminating"
            acts = [act for act in wfexec.json("reconcile") if act["run"] == (await api.run(run_id))["name"]]
            assert [act["act"] for act in acts] == ["cleaned up"]
            await api.until_named(run_id, "Terminated")
    expect_cleaned(wfexec, site, run_id)


async def test_a_cleanup_that_has_to_be_approved_waits_and_a_no_leaves_everything(site: Site) -> None:
    wfexec = deploy(site, approval="required")
    async with api_of(site.server) as api:
        with site.worker({"PREFECT_INTEGRATIONS_WFEXEC_HOLD": "0s"}):
            run_id = await api.start("makes/makes")
            await until_there(api, run_id, site.folder / "working")
            wfexec.json("cancel", str(run_id), "--cleanup")
            while (cleanup := wfexec.json("show", str(run_id))["cleanup"]) is None:
                continue
            other = UUID(wfexec.json("show", cleanup["run"])["id"])
            await api.until_named(other, "Approval Pending")
            assert (wfexec.json("show", str(run_id))["status"], left(site)) == ("Terminating", ["one", "two"])
            wfexec.json("reject", str(other), "--comment", "we keep it")
            await api.until_named(run_id, "Termination Failed")
    view = wfexec.json("show", str(run_id))
    assert (view["cleanup"]["status"], left(site)) == ("Approval Rejected", ["one", "two"])
    assert "rejected by" in view["reason"]


async def test_reconcile_ends_what_prefect_cancelled_while_nobody_was_there(site: Site) -> None:
    wfexec = deploy(site, on_cancel="cleanup")
    async with api_of(site.server) as api:
        with site.worker({"PREFECT_INTEGRATIONS_WFEXEC_HOLD": "0s"}):
            run_id = await api.start("makes/makes", size=2)
            await api.until(
                run_id, lambda state: state["type"] == "PAUSED" and state["state_details"]["pause_reschedule"]
            )
        await api.post(f"/flow_runs/{run_id}/set_state", {"state": {"type": "CANCELLING"}})
        run = await api.run(run_id)
        acts = [act for act in wfexec.json("reconcile") if act["run"] == run["name"]]
    assert [act["act"] for act in acts] == ["stopped"]
    view = wfexec.json("show", str(run_id))
    assert (view["status"], view["steps"][0]["status"]) == ("Terminated", "Success")
    assert view["reason"] == "cancelled by a user of Prefect; there was nothing to clean up"


async def test_reconcile_has_a_worker_take_up_a_run_whose_process_is_gone(site: Site) -> None:
    wfexec = deploy(site, seconds=5)
    async with api_of(site.server) as api:
        run_id = await killed_while_applying(site, api)
        name = (await api.run(run_id))["name"]
        acts: list[dict[str, str]] = []
        while not acts:
            acts = [act for act in wfexec.json("reconcile") if act["run"] == name]
        assert [act["act"] for act in acts] == ["taken up"]
        with site.worker():
            await api.until_named(run_id, "Error")
    view = wfexec.json("show", str(run_id))
    assert [step["status"] for step in view["steps"]] == ["Success", "Skipped", "Failed", "Skipped"]
    assert view["steps"][2]["error"]["type"] == "outcome_unknown"


def deploy_reconcile(site: Site) -> None:
    """Add the deployment that the repository has for it, schedule and all."""
    shutil.copy(ROOT / "flows/reconcile_runs.py", site.folder / "flows/reconcile_runs.py")
    shipped = yaml.safe_load((ROOT / "prefect.yaml").read_text("utf-8"))["deployments"]
    (entry,) = [one for one in shipped if one["name"] == "reconcile"]
    deployed = yaml.safe_load((site.folder / "prefect.yaml").read_text("utf-8"))
    deployed["deployments"].append({**entry, "work_pool": {"name": site.pool}})
    site.write("prefect.yaml", yaml.safe_dump(deployed))
    site.deploy()


@pytest.mark.slow
async def test_a_new_worker_sets_things_right_by_the_schedule_alone(site: Site) -> None:
    wfexec = deploy(site, seconds=5)
    deploy_reconcile(site)
    async with api_of(site.server) as api:
        run_id = await killed_while_applying(site, api)
        with site.worker():
            await api.until_named(run_id, "Error")
    view = wfexec.json("show", str(run_id))
    assert view["steps"][2]["error"]["type"] == "outcome_unknown"
    facts = [fact for entry in wfexec.json("audit", str(run_id))["entries"] for fact in entry["facts"]]
    assert "reconciled" in [fact["kind"] for fact in facts]
