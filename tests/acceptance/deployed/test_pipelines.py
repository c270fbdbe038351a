"""A deployed pipeline waits for its deployment without a process, and goes on in another."""

from pathlib import Path

from prefect_wfexec.blocks import TargetEnvironment
from tests.support.deployed import Site, api_of
from tests.support.machines import Home
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


CARRIES = """
version: 1
name: carries-on
phases:
  source:
    - id: checkout
      artifacts: ["$WFEXEC_WORKSPACE/code/docs/readme"]
      run: |
        mkdir -p "$WFEXEC_WORKSPACE/code/docs"
        echo "read me" > "$WFEXEC_WORKSPACE/code/docs/readme"
        echo "path=$WFEXEC_WORKSPACE/code" >> $WFEXEC_OUTPUT
  post_build:
    - id: check
      matrix: {size: [small, large]}
      with: {dir: "${{ steps.checkout.outputs.path }}"}
      env: {SIZE: "${{ matrix.size }}"}
      run: echo "checked $SIZE" > "result-$SIZE.txt"
      artifacts: ["result-*.txt"]
  deploy:
    - id: release
      environments: [near, far]
      with: {dir: "${{ steps.checkout.outputs.path }}/docs"}
      env: {TO: "${{ environment.name }}", CHECKED: "${{ steps.check.status }}"}
      run: |
        cat readme ../result-*.txt
        for one in released-*.txt; do test ! -e "$one" || cat "$one"; done
        echo "released to $TO" > "released-$TO.txt"
      artifacts: ["released-*.txt"]
"""


async def test_another_machine_goes_on_with_what_was_approved_and_left_on_the_first(
    server: PrefectServer, api: PrefectServer, tmp_path: Path
) -> None:
    await TargetEnvironment().asave("near", overwrite=True)
    await TargetEnvironment(deployment="manual").asave("far", overwrite=True)
    site = Site(server, tmp_path / "site", pool=f"pool-{tmp_path.name.replace('_', '-')}")
    site.workflow("carries-on", CARRIES)
    site.deploy()
    first, second = Home(tmp_path / "first"), Home(tmp_path / "second")
    hold = {
        "PREFECT_INTEGRATIONS_WFEXEC_HOLD": "0s",
        "PREFECT_INTEGRATIONS_WFEXEC_SECRET_KEY": "a key of both machines",
    }
    wfexec = Wfexec({**server.environment, **hold}, site.folder)
    async with api_of(server) as client:
        with site.worker({**hold, **first.environment}):
            run_id = await client.start("carries-on/carries-on")
            await client.until(
                run_id,
                lambda state: state["name"] == "Deployment Pending" and state["state_details"]["pause_reschedule"],
            )
        first.forget()
        with site.worker({**hold, **second.environment}):
            wfexec("approve", str(run_id))
            run = await client.until(run_id, lambda state: state["type"] in {"COMPLETED", "FAILED", "CRASHED"})
    assert run["state"]["name"] == "Succeeded", site.worker_logs()
    view = wfexec.json("show", str(run_id))
    assert [(gate["step"], gate["status"]) for gate in view["gates"]] == [("release[far]", "approved")]
    assert {step["attempt"] for step in view["steps"]} == {1}
    log = wfexec("logs", str(run_id), "--step", "release[far]").out
    for words in ("read me", "checked small", "checked large", "released to near"):
        assert words in log, log
