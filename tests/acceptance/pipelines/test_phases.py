"""Phases: Validation first, each phase after the one before, and everything a person sees of them."""

from uuid import UUID

import httpx
import pytest

from prefect_wfexec.engine.task_run_ids import task_run_id
from tests.support.server import PrefectServer
from tests.support.shapes import assert_execution
from tests.support.wfexec import Wfexec

PIPELINE = """
    version: 1
    name: ship
    phases:
      source:
        - {id: checkout, run: "echo sha=abc123 >> $WFEXEC_OUTPUT; echo cloned"}
      build:
        - {id: image, run: "test -e built; echo built $SHA", env: {SHA: "${{ steps.checkout.outputs.sha }}"}}
        - {id: docs, needs: [], run: "echo documented"}
      post_deploy:
        - {id: tell, when: always, run: "echo told"}
"""
FAULTY = """
    version: 1
    name: faulty
    phases:
      build:
        - {id: image, run: make, env: {TOKEN: "${{ secrets.no_such_token }}"}}
        - {id: never, if: "1 == 2", uses: slack.message, with: {channel: "#a", text: t, block: not-looked-at}}
      deploy:
        - {id: release, run: ./release.sh, environments: [nowhere, shut]}
      post_deploy:
        - {id: tell, when: always, uses: slack.message, with: {channel: "#a", text: told, block: not-saved}}
        - {id: mistaken, when: failure, uses: slack.message, with: {channel: "#a", text: told, block: a-secret}}
"""


def statuses(view: dict) -> dict[str, str]:
    return {step["id"]: step["status"] for step in view["steps"]}


def test_a_failed_phase_stops_the_next_and_a_retry_repeats_nothing_that_went_well(
    wfexec: Wfexec, server: PrefectServer
) -> None:
    path = wfexec.write("ship.yaml", PIPELINE)
    failed = wfexec.json("run", path, code=1)
    assert_execution(failed)
    assert [(step["id"], step["phase"], step["status"]) for step in failed["steps"]] == [
        ("validation", "validation", "Success"),
        ("checkout", "source", "Success"),
        ("image", "build", "Failed"),
        ("docs", "build", "Success"),
        ("tell", "post_deploy", "Success"),
    ]
    run = failed["name"]
    shown = wfexec("show", run).out
    assert "Validation ✓" in shown and "Build ✗" in shown and "Post-Deploy ✓" in shown

    log = wfexec("logs", run).out
    assert log.index("── Source ──") < log.index("cloned") < log.index("── Build ──") < log.index("documented")
    only = wfexec("logs", run, "--phase", "source").out
    assert "cloned" in only and "documented" not in only
    refused = wfexec("logs", run, "--phase", "deploy")
    assert refused.code == 2 and "no step is in a phase 'deploy'" in refused.err

    wfexec.write("built", "")
    dry = wfexec.json("retry", run, "--dry-run")
    assert [row["step"] for row in dry["reset"]] == ["validation", "image", "tell"]
    done = wfexec.json("retry", run)
    assert {step["id"]: (step["status"], step["attempt"]) for step in done["steps"]} == {
        "validation": ("Success", 2),
        "checkout": ("Success", 1),
        "image": ("Success", 2),
        "docs": ("Success", 1),
        "tell": ("Success", 2),
    }
    found = httpx.get(f"{server.url}/task_runs/{task_run_id(UUID(done['id']), 'validation')}").json()
    assert (found["name"], found["state"]["name"]) == ("validation", "Success")
    page = httpx.post(
        f"{server.url}/artifacts/filter",
        json={"artifacts": {"key": {"any_": [f"{run.replace('_', '-')}-progress"]}}},
    ).json()
    assert "Build ✓" in page[-1]["data"]


@pytest.mark.shows("executing.active", "executing.validated", "phase.validation")
async def test_validation_tells_every_fault_and_nothing_else_starts(
    wfexec: Wfexec, environments: None, server: PrefectServer
) -> None:
    from prefect.blocks.system import Secret

    await Secret(value="x").asave("a-secret", overwrite=True)
    view = wfexec.json("run", wfexec.write("faulty.yaml", FAULTY), code=1)
    assert view["status"] == "Failed"
    assert statuses(view) == {
        "validation": "Failed",
        "image": "Skipped",
        "never": "Skipped",
        "release[nowhere]": "Skipped",
        "release[shut]": "Skipped",
        "tell": "Skipped",
        "mistaken": "Skipped",
    }
    assert {step["reason"] for step in view["steps"][1:]} == {"'validation' failed"}
    error = view["steps"][0]["error"]
    assert error["type"] == "invalid"
    first, *faults = error["message"].splitlines()
    assert first == "5 faults stand in the way:"
    for words in (
        "environment 'nowhere': no Target Environment",
        "environment 'shut' is not active; set Active",
        "step 'image': no Secret block 'no-such-token' is saved; add one",
        "step 'tell': no Slack Bot (wfexec) block 'not-saved' is saved; add one",
        "step 'mistaken': the saved block 'a-secret' is a 'Secret', and a Slack Bot (wfexec) is needed",
    ):
        assert any(words in fault for fault in faults), (words, faults)
    assert "not-looked-at" not in error["message"]
    errors = wfexec("logs", view["name"], "--step", "validation", "--stream", "errors").out
    assert len(errors.splitlines()) == 5


async def test_a_pipeline_is_validated_again_when_it_is_retried(wfexec: Wfexec, environments: None) -> None:
    from prefect_wfexec.blocks import TargetEnvironment

    text = """
        version: 1
        name: opens-later
        phases:
          build: [{id: image, run: echo built}]
          deploy: [{id: release, run: "echo released", environments: [opens-later]}]
    """
    await TargetEnvironment(active=False).asave("opens-later", overwrite=True)
    failed = wfexec.json("run", wfexec.write("later.yaml", text), code=1)
    assert failed["steps"][0]["error"]["message"].startswith("environment 'opens-later' is not active")
    await TargetEnvironment().asave("opens-later", overwrite=True)
    done = wfexec.json("retry", failed["name"])
    assert set(statuses(done).values()) == {"Success"}


@pytest.mark.parametrize("lock", ["", "concurrency: {key: pipelines/lock}"])
def test_validation_comes_before_the_lock(wfexec: Wfexec, lock: str) -> None:
    text = f"""
        version: 1
        name: locks-late
        {lock}
        phases:
          build: [{{id: image, run: "echo built", env: {{X: "${{{{ secrets.no_such_token }}}}"}}}}]
    """
    failed = wfexec.json("run", wfexec.write("lock.yaml", text), code=1)
    assert statuses(failed) == {"validation": "Failed", "image": "Skipped"}
    audit = wfexec.json("audit", failed["name"])
    kinds = {fact["kind"] for entry in audit["entries"] for fact in entry["facts"]}
    assert "lock_requested" not in kinds and "lock_acquired" not in kinds
    assert audit["verified"]
