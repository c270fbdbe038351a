"""What people get wrong about a deployed run: parameters, blocks, a worker that lacks a tool."""

import contextlib
from pathlib import Path

import httpx
import pytest

from tests.support.deployed import Site, api_of
from tests.support.server import PrefectServer
from tests.support.wfexec import Wfexec

NEEDY = """
version: 1
name: needy
inputs:
  where: {type: string, enum: [here, there], default: here}
  count: {type: integer, default: 1}
environment: ENVIRONMENT
steps:
  - {id: plan, uses: terraform.plan, with: {dir: infra}}
"""


@pytest.fixture
def site(server: PrefectServer, tmp_path: Path) -> Site:
    site = Site(server, tmp_path, pool=f"pool-{tmp_path.name.replace('_', '-')}")
    site.workflow("needy", NEEDY.replace("environment: ENVIRONMENT\n", ""))
    site.workflow("homeless", NEEDY.replace("name: needy", "name: homeless").replace("ENVIRONMENT", "never-saved"))
    site.write("flows/infra/main.tf", 'resource "terraform_data" "a" {}\n')
    site.deploy()
    return site


async def test_each_is_told_in_words_and_nothing_runs(site: Site) -> None:
    wfexec = Wfexec(site.server.environment, site.folder)
    async with api_of(site.server) as api:
        started = []
        for wrong in ({"where": "nowhere"}, {"count": "many"}, {"unknown": 1}):
            pairs = [f"{name}={value}" for name, value in wrong.items()]
            assert wfexec.json("start", "needy/needy", "-i", *pairs, code=2)["error"]["message"]
            with contextlib.suppress(httpx.HTTPStatusError):  # what Prefect's server lets through ends at once
                started.append(await api.start("needy/needy", **wrong))
        with site.worker({"PREFECT_INTEGRATIONS_WFEXEC_TERRAFORM": "/nowhere/terraform"}):
            toolless = await api.start("needy/needy")
            homeless = await api.start("homeless/homeless")
            await api.until_named(toolless, "Failed")
            run = await api.until_named(homeless, "Failed")
            for wrong_run in started:
                ended = await api.until(wrong_run, lambda state: state["type"] in {"FAILED", "CRASHED", "COMPLETED"})
                assert ended["state"]["type"] in {"FAILED", "CRASHED"}
                assert await api.task_runs(wrong_run) == {}
    assert "no Target Environment (wfexec) block 'never-saved' is saved" in run["state"]["message"]
    error = wfexec.json("show", str(toolless))["steps"][0]["error"]
    assert error["type"] == "missing_tool"
    assert "/nowhere/terraform" in error["message"]
    assert [step["status"] for step in wfexec.json("show", str(homeless))["steps"]] == ["Pending"]
