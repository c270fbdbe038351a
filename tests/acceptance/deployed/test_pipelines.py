"""A deployed pipeline waits for its deployment without a process, and goes on in another."""

from pathlib import Path

from prefect_wfexec.blocks import TargetEnvironment
from tests.support.deployed import Site, api_of
from tests.support.server import PrefectServer
from tests.support.wfexec import Wfexec

SHIPS = """
version: 1
name: ships
phases:
  build:
    - {id: image, run: "echo x >> COUNTED/built; echo ref=app:1 >> $WFEXEC_OUTPUT"}
  deploy:
    - id: release
      environments: [near, far]
      run: 'echo "$IMAGE $TO" >> COUNTED/released'
      env: {TO: "${{ environment.name }}", IMAGE: "${{ steps.image.outputs.ref }}"}
"""


async def test_a_suspended_deployment_is_triggered_and_nothing_runs_twice(
    server: PrefectServer, api: PrefectServer, tmp_path: Path
) -> None:
    await TargetEnvironment().asave("near", overwrite=True)
    await TargetEnvironment(deployment="manual").asave("far", overwrite=True)
    site = Site(server, tmp_path, pool=f"pool-{tmp_path.name.replace('_', '-')}")
    site.workflow("ships", SHIPS.replace("COUNTED", str(tmp_path)))
    site.deploy()
    wfexec = Wfexec(server.environment, site.folder)
    async with api_of(server) as client:
        with site.worker({"PREFECT_INTEGRATIONS_WFEXEC_HOLD": "0s"}):
            run_id = await client.start("ships/ships")
            run = await client.until(
                run_id,
                lambda state: state["name"] == "Deployment Pending" and state["state_details"]["pause_reschedule"],
            )
            keys = run["state"]["state_details"]["run_input_keyset"]
            schema = await client.get(f"/flow_runs/{run_id}/input/{keys['schema']}")
            assert "Deploy to **far**?" in schema["properties"]["decision"]["description"]
            assert wfexec.json("show", str(run_id))["status"] == "Deployment Pending"
            accepted = await client.resume(run_id, decision="approve", approver="jane")
            assert accepted["status"] == "ACCEPT", accepted
            await client.until_named(run_id, "Succeeded")
            tasks = await client.task_runs(run_id)
    assert (tmp_path / "built").read_text() == "x\n"
    assert (tmp_path / "released").read_text() == "app:1 near\napp:1 far\n"
    assert sorted(tasks) == ["image", "release[far]", "release[near]", "validation"]
