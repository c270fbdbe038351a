"""The repository as a team deploys it: its prefect.yaml, its flows, its blocks, a worker."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.deployed import Api, Site, api_of
from tests.support.server import PrefectServer
from tests.support.slack_stub import SlackStub
from tests.support.wfexec import Wfexec

ROOT = Path(__file__).resolve().parents[3]
LEFT_OUT = shutil.ignore_patterns("terraform.tfstate*", ".terraform*", "__pycache__")


@pytest.fixture
def site(server: PrefectServer, tmp_path: Path) -> Iterator[Site]:
    for name in ("flows", "blocks"):
        shutil.copytree(
            ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("terraform.tfstate*", ".terraform*")
        )
    site = Site(server, tmp_path, pool=f"pool-{tmp_path.name.replace('_', '-')}")
    text = (ROOT / "prefect.yaml").read_text("utf-8")
    assert "name: workflows" in text
    site.write("prefect.yaml", text.replace("name: workflows", f"name: {site.pool}"))
    site.deploy()
    yield site


def save_blocks(site: Site, slack: SlackStub) -> None:
    environment = {**site.server.environment, "SLACK_BOT_TOKEN": slack.token, "SLACK_API_URL": slack.base_url}
    for script in ("target_environments.py", "slack_bot.py"):
        subprocess.run([sys.executable, f"blocks/{script}"], cwd=site.folder, env=environment, check=True)


async def approve(api: Api, run_id: str) -> None:
    await api.until_named(run_id, "Approval Pending")
    answer = await api.resume(run_id, decision="approve", approver="jane@example.com")
    assert answer["status"] == "ACCEPT", answer


async def test_production_deploy_from_its_blocks_to_its_message(site: Site) -> None:
    wfexec = Wfexec(site.server.environment, site.folder)
    async with api_of(site.server) as api:
        with SlackStub() as slack, site.worker():
            missing = wfexec.json("start", "production-deploy", "-i", "environment=staging")
            run = await api.until_named(missing["id"], "Failed")
            assert "environment 'staging'" in run["state"]["message"] and "block" in run["state"]["message"]

            save_blocks(site, slack)
            started = wfexec.json("start", "production-deploy/production-deploy", "-i", "environment=staging")
            assert (started["status"], started["triggered_by"]) == ("Pending", "Manual")
            assert started["name"].startswith("wfr_")
            await approve(api, started["id"])
            ended = wfexec.json("show", started["id"], "--follow")
            assert ended["status"] == "Succeeded"
            assert ended["outputs"]["plan"] == {"add": 4, "change": 0, "destroy": 0}
            assert ended["outputs"]["apply"]["vpc_id"].startswith("vpc-")
            assert [step["status"] for step in ended["steps"]] == ["Success"] * 5
            assert ended["steps"][1]["summary"] == "Approved by jane@example.com"
            assert slack.messages[-1]["text"] == f"production-deploy to staging: Succeeded ({started['name']})"

            await api.retry(missing["id"])
            await api.until_named(missing["id"], "Succeeded")
            again = wfexec.json("show", missing["id"])
            assert again["status"] == "Succeeded"
            assert [step["status"] for step in again["steps"]] == [
                "Success",
                "Skipped",
                "Success",
                "Success",
                "Success",
            ]


@pytest.mark.shows("executing.now", "executing.saved")
async def test_execute_saves_what_changed_and_starts_it(site: Site) -> None:
    wfexec = Wfexec(site.server.environment, site.folder)
    path = site.folder / "flows" / "quickstart.yaml"
    before = await deployed_digest(site)
    refused = wfexec("execute", path, "-i", "environment=moon")
    assert refused.code == 2 and "staging" in refused.err
    path.write_text(path.read_text().replace("expires: 4h", "expires: 5h"))
    started = wfexec.json("execute", path, "-i", "environment=production")
    assert started["inputs"]["environment"] == "production"
    assert await deployed_digest(site) != before
    path.write_text(path.read_text().replace("uses: http.check", "uses: http.chekc"))
    refused = wfexec("execute", path)
    assert refused.code == 2 and "did you mean 'http.check'" in refused.out + refused.err
    unknown = wfexec("start", "nothing/here", "--json")
    assert unknown.code == 2 and unknown.json()["error"]["code"] == "no-deployment"


async def deployed_digest(site: Site) -> str:
    async with api_of(site.server) as api:
        found = await api.get("/deployments/name/quickstart/quickstart")
        return str(found["parameter_openapi_schema"]["properties"]["wfexec_context"]["x-wfexec"]["digest"])


def test_a_definition_that_does_not_compile_says_why_when_it_is_deployed(site: Site) -> None:
    site.write("flows/broken.yaml", "version: 1\nname: broken\nsteps:\n  - {id: a, runn: x}\n")
    module = (site.folder / "flows" / "production_deploy.py").read_text().replace("production_deploy", "broken")
    site.write("flows/broken.py", module)
    text = (site.folder / "prefect.yaml").read_text()
    extra = "  - name: broken\n    entrypoint: flows/broken.py:broken\n    work_pool: *work_pool\n"
    site.write("prefect.yaml", text + extra)
    ended = site.prefect("deploy", "--name", "broken", "--no-prompt")
    assert ended.returncode != 0
    assert "flows/broken.yaml:4:" in ended.stderr and "did you mean 'run'?" in ended.stderr
