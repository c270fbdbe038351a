"""Environments: one after the other, manual ones when somebody says so."""

import httpx
import pytest

from tests.support.server import PrefectServer
from tests.support.wfexec import Wfexec

DEPLOYS = """
    version: 1
    name: NAME
    phases:
      build:
        - {id: image, run: "echo ref=app:7 >> $WFEXEC_OUTPUT"}
      deploy:
        - id: release
          environments: [ENVIRONMENTS]
          run: |
            echo "$ENVIRONMENT" >> deployed
            test ! -e "broken-$ENVIRONMENT"
            echo "url=https://$ENVIRONMENT.example.com/$SIZE" >> $WFEXEC_OUTPUT
          env:
            ENVIRONMENT: "${{ environment.name }}"
            SIZE: "${{ environment.variables.size }}"
            IMAGE: "${{ steps.image.outputs.ref }}"
      post_deploy:
        - {id: tell, run: "echo $STATUS", env: {STATUS: "${{ steps.release.status }}"}}
    outputs: {urls: "${{ steps.release.outputs }}"}
"""


@pytest.fixture
def folder(wfexec: Wfexec, tmp_path, environments: None) -> Wfexec:
    return Wfexec(wfexec.environment, tmp_path)


def written(wfexec: Wfexec, name: str, environments: str):
    return wfexec.write(f"{name}.yaml", DEPLOYS.replace("NAME", name).replace("ENVIRONMENTS", environments))


def statuses(view: dict) -> dict[str, str]:
    return {step["id"]: step["status"] for step in view["steps"] if step["id"].startswith("release")}


def deployed(wfexec: Wfexec) -> list[str]:
    path = wfexec.folder / "deployed"
    return path.read_text().split() if path.exists() else []


@pytest.mark.shows("phase.deploy", "status.deployment-pending")
@pytest.mark.shows("status.deployment-pending", on="prefect")
def test_a_manual_environment_waits_until_somebody_triggers_it(folder: Wfexec, server: PrefectServer) -> None:
    going = folder.start("run", written(folder, "triggered", "test, live"), "--json")
    run = going.run
    going.until("wfexec approve wfr_")
    waiting = folder.json("show", run)
    assert waiting["status"] == "Deployment Pending"
    assert statuses(waiting) == {"release[test]": "Success", "release[live]": "Waiting"}
    assert deployed(folder) == ["test"]
    flow_run = httpx.get(f"{server.url}/flow_runs/{waiting['id']}").json()
    assert (flow_run["state"]["type"], flow_run["state"]["name"]) == ("PAUSED", "Deployment Pending")
    assert [row["step"] for row in folder.json("approvals") if row["run"] == run] == ["release[live]"]
    assert run in [row["name"] for row in folder.json("history", "--status", "deployment pending")]
    assert folder.json("approve", run, "--step", "release[live]")["outcome"] == "approved"
    done = going.end()
    assert done.code == 0, done.err
    view = done.json()
    assert deployed(folder) == ["test", "live"]
    assert {name: outputs["url"] for name, outputs in view["outputs"]["urls"].items()} == {
        "test": "https://test.example.com/1",
        "live": "https://live.example.com/9",
    }
    assert [(gate["step"], gate["status"]) for gate in view["gates"]] == [("release[live]", "approved")]


def test_a_rejection_stops_there_and_can_be_asked_again(folder: Wfexec) -> None:
    going = folder.start("run", written(folder, "rejected", "live, test"), "--json")
    going.until("wfexec approve wfr_")
    folder("reject", going.run, "--comment", "not today")
    ended = going.end()
    assert ended.code == 3
    view = ended.json()
    assert view["status"] == "Approval Rejected"
    assert statuses(view) == {"release[live]": "Failed", "release[test]": "Skipped"}
    assert next(step for step in view["steps"] if step["id"] == "release[test]")["reason"] == "'release[live]' failed"
    assert deployed(folder) == []

    again = folder.start("retry", view["name"], "--json")
    again.until("wfexec approve wfr_")
    folder.json("approve", view["name"])
    assert again.end().code == 0
    assert deployed(folder) == ["live", "test"]


def test_a_failure_stops_the_later_ones_and_a_retry_goes_on_from_there(folder: Wfexec) -> None:
    broken = folder.write("broken-stage", "")
    failed = folder.json("run", written(folder, "breaks", "test, stage, live"), code=1)
    assert statuses(failed) == {
        "release[test]": "Success",
        "release[stage]": "Failed",
        "release[live]": "Skipped",
    }
    broken.unlink()
    done = folder.json("retry", failed["name"], "--step", "release[stage]", "--yes")
    assert set(statuses(done).values()) == {"Success"}
    assert deployed(folder) == ["test", "stage", "stage", "live"]


def test_retrying_an_approved_deployment_that_failed_is_not_asked_again(folder: Wfexec) -> None:
    broken = folder.write("broken-live", "")
    going = folder.start("run", written(folder, "covered", "live"), "--json")
    going.until("wfexec approve wfr_")
    folder.json("approve", going.run)
    assert going.end().code == 1
    broken.unlink()
    done = folder.json("retry", going.run)
    assert done["status"] == "Succeeded"
    assert len(done["gates"]) == 1


def test_an_environment_with_approvers_takes_no_yes_in_advance(folder: Wfexec) -> None:
    path = written(folder, "governed", "vault")
    refused = folder.json("run", path, "--yes", code=2)
    assert refused["error"]["code"] == "yes-refused"
    going = folder.start("run", path, "--json")
    going.until("wfexec approve wfr_")
    view = folder.json("show", going.run)
    assert view["status"] == "Approval Pending"
    assert view["gates"][0]["approvers"] == ["ann@example.com"]
    assert folder("approve", going.run).code == 2
    assert folder("cancel", going.run).code == 0
    ended = going.end()
    assert ended.code == 4
    assert statuses(ended.json()) == {"release[vault]": "Cancelled"}
    assert deployed(folder) == []


def test_yes_triggers_what_is_only_to_be_triggered(folder: Wfexec) -> None:
    done = folder.json("run", written(folder, "yes", "test, live"), "--yes")
    assert set(statuses(done).values()) == {"Success"}


CLEANED = """
    version: 1
    name: cleaned
    phases:
      deploy:
        - id: release
          environments: [test, stage, live]
          run: "echo released"
          cleanup:
            uses: http.check
            with:
              url: "${{ run.api_url }}/${{ environment.name == 'stage' ? 'health' : 'nothing' }}"
              status: "${{ environment.variables.size == 2 ? 200 : 404 }}"
"""


def test_cancel_with_cleanup_at_the_gate_undoes_what_was_deployed(folder: Wfexec) -> None:
    going = folder.start("run", folder.write("cleaned.yaml", CLEANED), "--json")
    going.until("wfexec approve wfr_")
    assert folder("cancel", going.run, "--cleanup").code == 0
    ended = going.end()
    assert ended.code == 4, ended.err
    view = ended.json()
    assert view["status"] == "Terminated"
    assert statuses(view) == {
        "release[test]": "Success",
        "release[stage]": "Success",
        "release[live]": "Cancelled",
    }
    cleanup = folder.json("show", view["cleanup"]["run"])
    assert [(step["id"], step["status"]) for step in cleanup["steps"]] == [
        ("release[stage]", "Success"),
        ("release[test]", "Success"),
    ]
    assert [step["outputs"]["status_code"] for step in cleanup["steps"]] == [200, 404]


def test_several_faults_of_a_workflow_without_phases_close_it(folder: Wfexec) -> None:
    text = """
        version: 1
        name: no-phases
        inputs: {regions: {type: array, default: []}}
        environment: shut
        steps:
          - {id: one, run: "echo one", matrix: {region: "${{ inputs.regions }}"}}
    """
    failed = folder.json("run", folder.write("no-phases.yaml", text), code=1)
    assert failed["status"] == "Failed"
    assert failed["reason"].startswith("validation: step 'one': 'region' of the matrix is empty")
    assert "environment 'shut' is not active" in failed["reason"]
    assert [step["status"] for step in failed["steps"]] == ["Pending"]


def test_two_environments_with_different_locks_do_not_go_together(folder: Wfexec, api: PrefectServer) -> None:
    failed = folder.json("run", written(folder, "locked", "locked-a, locked-b"), code=1)
    message = failed["steps"][0]["error"]["message"]
    assert message.startswith("environment 'locked-a' has the lock 'a', and 'locked-b' has 'b'; give both the same")
