"""What starts workflows without a request: the clock, another workflow, and a push to a repository of one's own."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.acceptance.gateway.conftest import SECRET, TRIGGERED, save_secrets
from tests.support.deployed import Site
from tests.support.gateway import Gateway, gateway, until
from tests.support.server import PrefectServer
from tests.support.wfexec import Wfexec

TIMED = """
version: 1
name: timed
inputs: {{size: {{type: integer, default: 1}}}}
triggers:
  - {{id: nightly, type: schedule, cron: "{cron}", timezone: Europe/Berlin, inputs: {{size: 5}}}}
  - {{id: hourly_check, type: schedule, interval: 1h}}
steps:
  - {{id: say, run: echo done}}
"""
FIRST = """
version: 1
name: first
inputs: {how: {type: string, default: well}}
steps:
  - {id: work, run: 'test "$HOW" = well', env: {HOW: "${{ inputs.how }}"}}
"""
SECOND = """
version: 1
name: second
inputs: {after: {type: string, default: none}}
triggers:
  - {id: after, type: workflow, workflow: first, on: [Failed], inputs: {after: "${{ trigger.run.name }}"}}
steps:
  - {id: say, run: 'echo "$AFTER"', env: {AFTER: "${{ inputs.after }}"}}
"""
HOOK = """#!{python}
import hashlib, hmac, json, subprocess, sys, urllib.request
for line in sys.stdin:
    before, after, ref = line.split()
    def git(*words):
        return subprocess.run(["git", *words], capture_output=True, text=True, check=True).stdout.strip()
    changed = git("show", "--name-only", "--format=", after).splitlines()
    who = git("show", "-s", "--format=%an", after)
    commit = {{"id": after, "message": git("show", "-s", "--format=%B", after), "added": changed, "modified": [],
              "removed": [], "author": {{"name": who}}}}
    body = json.dumps({{"ref": ref, "before": before, "after": after, "deleted": False, "created": False,
                       "forced": False, "commits": [commit], "head_commit": commit, "pusher": {{"name": who}},
                       "repository": {{"full_name": "acme/infra"}}, "sender": {{"login": who}}}}).encode()
    signature = "sha256=" + hmac.new({secret!r}.encode(), body, hashlib.sha256).hexdigest()
    headers = {{"content-type": "application/json", "x-github-event": "push", "x-hub-signature-256": signature}}
    request = urllib.request.Request({url!r}, body, headers)
    print(urllib.request.urlopen(request, timeout=60).read().decode(), file=sys.stderr)
"""


@pytest.fixture(scope="module")
def site(server: PrefectServer, tmp_path_factory: pytest.TempPathFactory) -> Site:
    made = Site(server, tmp_path_factory.mktemp("untold"), pool="untold")
    save_secrets(made)
    made.workflow("timed", TIMED.format(cron="0 2 * * *"))
    made.workflow("first", FIRST)
    made.workflow("second", SECOND)
    made.workflow("pushed", TRIGGERED.format(name="pushed"))
    made.deploy()
    return made


@pytest.fixture(scope="module")
def serving(site: Site) -> Iterator[Gateway]:
    with gateway(site.server.environment, site.folder) as started:
        yield started


@pytest.fixture(scope="module")
def worker(site: Site) -> Iterator[None]:
    with site.worker():
        yield


def deployment_of(site: Site, name: str) -> dict[str, Any]:
    return dict(httpx.get(f"{site.server.url}/deployments/name/{name}/{name}", timeout=60).raise_for_status().json())


def schedules_of(site: Site) -> dict[str, dict[str, Any]]:
    return {one["slug"]: one for one in deployment_of(site, "timed")["schedules"]}


def runs_of(site: Site, deployment: str) -> list[dict[str, Any]]:
    asked = {"deployments": {"id": {"any_": [deployment]}}, "sort": "EXPECTED_START_TIME_DESC"}
    return list(httpx.post(f"{site.server.url}/flow_runs/filter", json=asked, timeout=60).raise_for_status().json())


@pytest.mark.usefixtures("serving")
def test_schedules_follow_the_definition(site: Site) -> None:
    found = until(lambda: len(schedules_of(site)) == 2 and schedules_of(site))
    nightly, hourly = found["wfexec-nightly"], found["wfexec-hourly--check"]
    assert (nightly["schedule"]["cron"], nightly["schedule"]["timezone"]) == ("0 2 * * *", "Europe/Berlin")
    assert (nightly["parameters"]["size"], hourly["parameters"]["size"]) == (5, 1)
    assert hourly["schedule"]["interval"] == 3600.0
    wfexec = Wfexec(site.server.environment, site.folder)
    deployment = deployment_of(site, "timed")["id"]
    planned = until(lambda: runs_of(site, deployment))
    assert wfexec.json("show", planned[0]["id"])["triggered_by"] == "Schedule"
    assert wfexec.json("history", "--workflow", "timed") == [], "runs that are not due yet are no history"
    address = f"{site.server.url}/deployments/{deployment}/schedules/{nightly['id']}"
    httpx.patch(address, json={"active": False}, timeout=60).raise_for_status()
    other = {"schedule": {"cron": "5 5 * * *"}, "active": True, "slug": "by-hand"}
    httpx.post(f"{site.server.url}/deployments/{deployment}/schedules", json=[other], timeout=60).raise_for_status()
    changed = TIMED.format(cron="0 3 * * *").replace("  - {id: hourly_check, type: schedule, interval: 1h}\n", "")
    site.write("flows/timed_flow.yaml", changed)
    ended = wfexec("execute", "flows/timed_flow.yaml")
    assert ended.code == 0, ended.err
    found = until(lambda: "wfexec-hourly--check" not in schedules_of(site) and schedules_of(site))
    found = until(
        lambda: schedules_of(site)["wfexec-nightly"]["schedule"]["cron"] == "0 3 * * *" and schedules_of(site)
    )
    assert (found["wfexec-nightly"]["active"], found["by-hand"]["schedule"]["cron"]) == (False, "5 5 * * *")


@pytest.mark.usefixtures("worker")
def test_a_workflow_starts_after_another(site: Site, serving: Gateway) -> None:
    wfexec = Wfexec(site.server.environment, site.folder)
    well = wfexec.json("start", "first", "--follow")["name"]
    badly = wfexec.json("start", "first", "-i", "how=badly", "--follow", code=1)["name"]
    [row] = until(lambda: [one for one in serving.deliveries() if one["workflow"] == "second" and one["run"]])
    assert (row["outcome"], row["text"]) == ("started", f"first Failed ({badly})")
    view = until(lambda: (v := wfexec.json("show", row["run"]))["status"] == "Succeeded" and v)
    assert (view["triggered_by"], view["inputs"]) == ("Workflow", {"after": badly})
    assert well != badly
    # It ends again: that is another end.
    wfexec("retry", badly, "--yes", "--follow")
    until(lambda: len([one for one in serving.deliveries() if one["workflow"] == "second"]) == 2)


@pytest.mark.usefixtures("worker")
def test_a_push_to_a_repository_with_a_hook(site: Site, serving: Gateway, tmp_path: Path) -> None:
    def git(*words: str, at: Path) -> str:
        identity = {"GIT_AUTHOR_NAME": "Jane", "GIT_AUTHOR_EMAIL": "jane@example.com"}
        identity |= {"GIT_COMMITTER_NAME": "Jane", "GIT_COMMITTER_EMAIL": "jane@example.com"}
        command = ["git", "-c", "init.defaultBranch=main", *words]
        ended = subprocess.run(command, cwd=at, env={**os.environ, **identity}, capture_output=True, text=True)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout.strip()

    remote, work = tmp_path / "infra.git", tmp_path / "work"
    git("init", "--bare", str(remote), at=tmp_path)
    hook = remote / "hooks/post-receive"
    url = f"{serving.url}/hooks/pushed/push"
    hook.write_text(HOOK.format(python=sys.executable, secret=SECRET, url=url))
    hook.chmod(0o755)
    git("clone", str(remote), str(work), at=tmp_path)
    (work / "main.tf").write_text("# nothing yet\n")
    git("add", ".", at=work)
    git("commit", "-m", "begin", at=work)
    git("push", "origin", "HEAD:main", at=work)
    git("push", "origin", "HEAD:topic", at=work)
    commit = git("rev-parse", "HEAD", at=work)
    rows = until(
        lambda: len(found := [one for one in serving.deliveries() if one["workflow"] == "pushed"]) == 2 and found
    )
    outcomes = until(
        lambda: (
            {one["outcome"] for one in serving.deliveries() if one["workflow"] == "pushed"} == {"started", "ignored"}
            and {one["outcome"]: one for one in serving.deliveries() if one["workflow"] == "pushed"}
        )
    )
    assert len(rows) == 2
    assert "'topic'" in outcomes["ignored"]["reason"]
    wfexec = Wfexec(site.server.environment, site.folder)
    run = outcomes["started"]["run"]
    view = until(lambda: (v := wfexec.json("show", run))["status"] == "Succeeded" and v)
    assert (view["trigger"]["text"], view["inputs"]["commit"]) == (f"Git Push (main @ {commit[:7]})", commit)
