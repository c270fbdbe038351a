"""The server is killed while a deployed run works, while it waits for a decision, and while it is cleaned up after."""

import asyncio
import json
from pathlib import Path

import pytest

from tests.support.deployed import Site, api_of
from tests.support.processes import wait_until
from tests.support.server import prefect_server
from tests.support.wfexec import Wfexec

DEFINITION = """
version: 1
name: outlives
steps:
  - {id: long, run: 'echo x >> "$PLACE/long"; until [ -e "$PLACE/go" ]; do sleep 0.1; done', env: {PLACE: "THE_FOLDER"}}
  - {id: ask_me, uses: approval, with: {message: "Go on?"}}
  - {id: after, run: 'echo x >> "$PLACE/after"', env: {PLACE: "THE_FOLDER"}}
"""

CLEANED = """
version: 1
name: cleaned
steps:
  - {id: plan, uses: terraform.plan, with: {dir: "THE_FOLDER/infra"}}
  - id: apply
    uses: terraform.apply
    with: {plan: "${{ steps.plan.outputs.plan }}"}
    cleanup: {uses: terraform.destroy}
  - {id: work, run: "touch $PLACE/working; sleep 300", env: {PLACE: "THE_FOLDER"}}
"""
CONFIGURATION = """
resource "terraform_data" "one" {}
resource "terraform_data" "two" {
  depends_on = [terraform_data.one]
  provisioner "local-exec" {
    when    = destroy
    command = "echo x >> THE_FOLDER/destroying; until [ -e THE_FOLDER/go ]; do sleep 0.1; done"
  }
}
"""


async def away(server, seconds: float) -> None:
    """Kill the server, and start it again after a while; the time is what is tested."""
    server.kill()
    await asyncio.sleep(seconds)
    await asyncio.to_thread(server.start)


@pytest.mark.parametrize("seconds", [5.0, pytest.param(40.0, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "hold", [pytest.param("600s", id="in its process"), pytest.param("0s", id="suspended", marks=pytest.mark.slow)]
)
async def test_nothing_is_lost_and_nothing_done_twice(tmp_path: Path, seconds: float, hold: str) -> None:
    with prefect_server() as server:
        site = Site(server, tmp_path)
        site.workflow("outlives", DEFINITION.replace("THE_FOLDER", str(tmp_path)))
        site.deploy()
        async with api_of(server) as api:
            with site.worker({"PREFECT_INTEGRATIONS_WFEXEC_HOLD": hold}):
                run_id = await api.start("outlives/outlives")
                await asyncio.to_thread(wait_until, (tmp_path / "long").exists, "the first step")
                server.kill()
                (tmp_path / "go").touch()
                await asyncio.sleep(seconds)
                await asyncio.to_thread(server.start)
                await api.until(
                    run_id,
                    lambda state: (
                        state["name"] == "Approval Pending"
                        and state["state_details"]["pause_reschedule"] is (hold == "0s")
                    ),
                )
                await away(server, seconds)
                answer = await api.resume(run_id, decision="approve", approver="jane")
                assert answer["status"] == "ACCEPT", answer
                await api.until_named(run_id, "Succeeded")
        view = Wfexec(server.environment, tmp_path).json("show", str(run_id))
        assert [step["status"] for step in view["steps"]] == ["Success"] * 3
        assert [step["attempt"] for step in view["steps"]] == [1, 1, 1]
        assert Wfexec(server.environment, tmp_path).json("audit", str(run_id))["verified"] is True
    for name in ("long", "after"):
        assert (tmp_path / name).read_text().split() == ["x"]


@pytest.mark.parametrize("seconds", [5.0, pytest.param(40.0, marks=pytest.mark.slow)])
async def test_a_cleanup_ends_once_and_takes_everything_away(tmp_path: Path, seconds: float) -> None:
    with prefect_server() as server:
        site = Site(server, tmp_path)
        site.workflow("cleaned", CLEANED.replace("THE_FOLDER", str(tmp_path)))
        site.write("infra/main.tf", CONFIGURATION.replace("THE_FOLDER", str(tmp_path)))
        site.deploy()
        wfexec = Wfexec(server.environment, tmp_path)
        async with api_of(server) as api:
            with site.worker():
                run_id = await api.start("cleaned/cleaned")
                await asyncio.to_thread(wait_until, (tmp_path / "working").exists, "the last step")
                wfexec.json("cancel", str(run_id), "--cleanup")
                await asyncio.to_thread(wait_until, (tmp_path / "destroying").exists, "the cleanup")
                server.kill()
                (tmp_path / "go").touch()
                await asyncio.sleep(seconds)
                await asyncio.to_thread(server.start)
                await api.until(run_id, lambda state: state["type"] in {"CANCELLED", "FAILED", "CRASHED", "COMPLETED"})
        view, audit = wfexec.json("show", str(run_id)), wfexec.json("audit", str(run_id))
        assert view["status"] == "Terminated", site.worker_logs()
        assert (view["cleanup"]["status"], view["cleanup"]["left"]) == ("Succeeded", [])
        kinds = [fact["kind"] for entry in audit["entries"] for fact in entry["facts"]]
        assert (kinds.count("cleanup_started"), kinds.count("cleanup_finished"), kinds.count("closed")) == (1, 1, 1)
        cleanup = wfexec.json("show", view["cleanup"]["run"])
        assert [(step["status"], step["attempt"]) for step in cleanup["steps"]] == [("Success", 1)]
        assert audit["verified"] and wfexec.json("audit", view["cleanup"]["run"])["verified"]
    assert json.loads((tmp_path / "infra/terraform.tfstate").read_text())["resources"] == []
    assert (tmp_path / "destroying").read_text().split() == ["x"]
