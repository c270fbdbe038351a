"""A matrix: instances side by side, each with its own task run, attempts and retry."""

from pathlib import Path
from uuid import UUID

import httpx
import pytest

from prefect_wfexec.engine.task_run_ids import task_run_id
from tests.support.server import PrefectServer
from tests.support.wfexec import Wfexec

MATRIX = """
    version: 1
    name: regions
    inputs:
      regions: {type: array, default: [eu, us]}
    steps:
      - id: check
        matrix: {region: "${{ inputs.regions }}", size: [1, 2]}
        run: |
          echo "$REGION $SIZE" >> ran
          test ! -e "broken-$REGION"
          echo "answer=$REGION" >> $WFEXEC_OUTPUT
        env: {REGION: "${{ matrix.region }}", SIZE: "${{ matrix.size }}"}
      - {id: after, run: "echo $ANSWER", env: {ANSWER: "${{ steps.check.outputs['eu,1'].answer }}"}}
    outputs: {checks: "${{ steps.check.outputs }}"}
"""


@pytest.fixture
def folder(wfexec: Wfexec, tmp_path: Path) -> Wfexec:
    runner = Wfexec(wfexec.environment, tmp_path)
    runner.write("regions.yaml", MATRIX)
    return runner


def attempts(view: dict) -> dict[str, tuple[str, int]]:
    return {step["id"]: (step["status"], step["attempt"]) for step in view["steps"]}


def test_one_instance_fails_the_others_go_on_and_it_alone_runs_again(folder: Wfexec, server: PrefectServer) -> None:
    broken = folder.write("broken-us", "")
    failed = folder.json("run", "regions.yaml", code=1)
    assert attempts(failed) == {
        "check[eu,1]": ("Success", 1),
        "check[eu,2]": ("Success", 1),
        "check[us,1]": ("Failed", 1),
        "check[us,2]": ("Failed", 1),
        "after": ("Skipped", 0),
    }
    found = httpx.get(f"{server.url}/task_runs/{task_run_id(UUID(failed['id']), 'check[us,1]')}").json()
    assert (found["name"], found["state"]["name"]) == ("check[us,1]", "Failed")
    broken.unlink()
    half = folder.json("retry", failed["name"], "--step", "check[us,1]", code=1)
    assert attempts(half)["check[us,1]"] == ("Success", 2)
    assert attempts(half)["check[us,2]"] == ("Failed", 1)
    done = folder.json("retry", failed["name"], "--step", "check")
    assert attempts(done) == {
        "check[eu,1]": ("Success", 1),
        "check[eu,2]": ("Success", 1),
        "check[us,1]": ("Success", 2),
        "check[us,2]": ("Success", 2),
        "after": ("Success", 1),
    }
    assert {key: one["answer"] for key, one in done["outputs"]["checks"].items()} == {
        "eu,1": "eu",
        "eu,2": "eu",
        "us,1": "us",
        "us,2": "us",
    }
    from_there = folder.json("retry", failed["name"], "--from", "check", "--dry-run")
    assert [row["step"] for row in from_there["reset"]] == [*failed_ids(failed), "after"]
    assert "check[us,2] | " not in folder("logs", failed["name"], "--step", "check[us,1]").out


def failed_ids(view: dict) -> list[str]:
    return [step["id"] for step in view["steps"] if step["id"].startswith("check")]


def test_the_values_come_from_an_input_and_stay_for_the_run(folder: Wfexec) -> None:
    folder.write("broken-eu", "")
    failed = folder.json("run", "regions.yaml", "-i", 'regions=["eu"]', code=1)
    assert failed_ids(failed) == ["check[eu,1]", "check[eu,2]"]
    refused = folder.json("retry", failed["name"], "-i", 'regions=["us"]', code=2)
    assert refused["error"]["code"] == "matrix-changed"


def test_values_that_make_no_instances_are_refused_before_anything_runs(folder: Wfexec) -> None:
    failed = folder.json("run", "regions.yaml", "-i", 'regions=["eu", "eu"]', code=1)
    assert "stands twice" in failed["reason"]
    assert {step["status"] for step in failed["steps"]} == {"Pending"}
    assert not (folder.folder / "ran").exists()
    assert "stands twice" in folder("show", failed["name"]).out
