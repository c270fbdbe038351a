"""`wfexec doctor` on real servers: what it sees, what it advises, and how it ends."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolCreate, WorkPoolUpdate

from prefect_wfexec import load_workflow
from prefect_wfexec.blocks import SlackBot
from tests.support.postgres import find_program, postgres
from tests.support.processes import wait_until
from tests.support.server import PrefectServer, prefect_server
from tests.support.wfexec import Wfexec

SMALL = """
    version: 1
    name: small
    steps: [{id: one, run: "echo one"}]
"""
GATED = {"PREFECT_SERVER_API_AUTH_STRING": "jane:correct", "PREFECT_SERVER_LOGS_STREAM_OUT_ENABLED": "true"}
POOL = "doctors-pool"


def found(wfexec: Wfexec, code: int = 0) -> dict[str, dict[str, str]]:
    findings = wfexec.json("doctor", code=code)
    assert all(list(finding) == ["name", "level", "message", "mend"] for finding in findings)
    named = {finding["name"]: finding for finding in findings}
    assert len(named) == len(findings)
    return named


def test_a_fit_machine(wfexec: Wfexec) -> None:
    wfexec.write("small.yaml", SMALL)
    assert wfexec("run", "small.yaml").code == 0
    named = found(wfexec)
    fit = ("python", "prefect", "fastapi", "sqlalchemy", "api", "auth", "database", "key", "heartbeat", "log streaming")
    assert {name: named[name]["level"] for name in fit} == dict.fromkeys(fit, "ok")
    assert "SQLite" in named["database"]["message"] and "PostgreSQL" in named["database"]["mend"]
    assert "180 s" in named["heartbeat"]["message"]
    assert "PREFECT_FLOWS_HEARTBEAT_FREQUENCY=30" in named["heartbeat"]["mend"]
    assert "wfexec-key" in named["key"]["message"]
    assert "PREFECT_SERVER_LOGS_STREAM_PUBLISHING_ENABLED=true" in named["log streaming"]["mend"]
    assert any(name.startswith("PREFECT_INTEGRATIONS_WFEXEC_") for name in named)
    lines = wfexec("doctor").out.splitlines()
    assert "✓ database: SQLite" in "\n".join(lines)


def test_what_is_set_is_seen(wfexec: Wfexec) -> None:
    other = wfexec.with_environment(
        PREFECT_FLOWS_HEARTBEAT_FREQUENCY="30",
        PREFECT_INTEGRATIONS_WFEXEC_SECRET_KEY="short",
        PREFECT_INTEGRATIONS_WFEXEC_TERRAFORM="/nowhere/terraform",
    )
    named = found(other, code=1)
    assert named["heartbeat"]["mend"] == ""
    assert named["key"]["level"] == named["terraform"]["level"] == "error"
    assert "short" not in {finding["message"] for finding in named.values()}
    strong = wfexec.with_environment(PREFECT_INTEGRATIONS_WFEXEC_SECRET_KEY="a secret of some length")
    named = found(strong)
    assert named["key"]["message"] == "from PREFECT_INTEGRATIONS_WFEXEC_SECRET_KEY"
    assert "a secret" not in str(named)


def test_without_an_api_the_machine_is_still_looked_at(wfexec: Wfexec) -> None:
    away = wfexec.with_environment(PREFECT_API_URL="http://127.0.0.1:9/api")
    named = found(away, code=5)
    assert named["prefect"]["level"] == named["python"]["level"] == "ok"
    assert named["api"]["level"] == "error" and "PREFECT_API_URL" in named["api"]["mend"]
    assert "✗ api" in away("doctor").out.splitlines()[-1]


def test_the_embedded_server_is_known(wfexec: Wfexec, tmp_path: Path) -> None:
    alone = wfexec.with_environment(PREFECT_API_URL=None, PREFECT_HOME=str(tmp_path))
    assert found(alone)["database"]["message"].startswith("SQLite")


@pytest.fixture(scope="module")
def gated() -> Iterator[PrefectServer]:
    with prefect_server(GATED) as started:
        yield started


def test_a_server_that_asks_for_credentials(wfexec: Wfexec, gated: PrefectServer) -> None:
    stranger = wfexec.with_environment(PREFECT_API_URL=gated.url)
    refused = found(stranger, code=5)
    assert "401" in refused["api"]["message"] and "PREFECT_API_AUTH_STRING" in refused["api"]["mend"]
    jane = stranger.with_environment(PREFECT_API_AUTH_STRING=GATED["PREFECT_SERVER_API_AUTH_STRING"])
    named = found(jane)
    assert (named["auth"]["message"], named["auth"]["mend"]) == ("the API asks for credentials", "")
    assert "does not say" in named["database"]["message"]
    assert named["log streaming"]["level"] == "warning"
    assert named["log streaming"]["mend"].startswith("set PREFECT_SERVER_LOGS_STREAM_PUBLISHING_ENABLED=true on")
    assert "none yet" in named["key"]["message"]
    assert named["block slack-bot-wfexec"]["mend"] or "none is saved" in named["block slack-bot-wfexec"]["message"]
    assert "prefect work-pool create" in named["work pools"]["mend"]
    assert "prefect deploy" in named["deployments"]["mend"]


async def test_blocks_that_are_saved_are_named(wfexec: Wfexec, api: PrefectServer) -> None:
    await SlackBot(token="xoxb-not-shown").asave("doctors-bot", overwrite=True)
    named = found(wfexec)
    assert "doctors-bot" in named["block slack-bot-wfexec"]["message"]
    assert "xoxb" not in str(named)


async def test_deployments_pools_and_workers(wfexec: Wfexec, api: PrefectServer, tmp_path: Path) -> None:
    flow = load_workflow(wfexec.write("doctors.yaml", SMALL.replace("small", "doctors-flow")))
    async with get_client() as client:
        await client.create_work_pool(WorkPoolCreate(name=POOL, type="process"))
        flow_id = await client.create_flow(flow)
        schema = flow.parameters.model_dump()
        await client.create_deployment(flow_id, "nightly", work_pool_name=POOL, parameter_openapi_schema=schema)
        await client.create_deployment(flow_id, "loose", parameter_openapi_schema=schema)
        await client.create_deployment(flow_id, "foreign", work_pool_name=POOL)

        named = found(wfexec)
        assert named["deployment doctors-flow/nightly"]["level"] == "warning"
        assert named["deployment doctors-flow/nightly"]["mend"] == f"prefect worker start --pool {POOL}"
        assert named[f"work pool {POOL}"]["level"] == "warning"
        assert "process, 0 workers online" in named[f"work pool {POOL}"]["message"]
        assert "no work pool" in named["deployment doctors-flow/loose"]["message"]
        assert "deployment doctors-flow/foreign" not in named

        with (tmp_path / "worker.log").open("wb") as log:
            command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", POOL, "--name", "doctors-worker"]
            worker = subprocess.Popen(command, env=api.environment, cwd=tmp_path, stdout=log, stderr=log)
        try:
            workers = f"{api.url}/work_pools/{POOL}/workers/filter"
            wait_until(lambda: httpx.post(workers, json={}, timeout=60).json(), "a worker")
            named = found(wfexec)
            assert named["deployment doctors-flow/nightly"]["level"] == "ok"
            assert named[f"work pool {POOL}"]["message"] == "process, 1 worker online"
            await client.update_work_pool(POOL, WorkPoolUpdate(is_paused=True))
            named = found(wfexec)
            assert "paused" in named["deployment doctors-flow/nightly"]["message"]
            assert named[f"work pool {POOL}"]["mend"] == f"prefect work-pool resume {POOL}"
        finally:
            worker.terminate()
            worker.wait(60)


@pytest.mark.slow
@pytest.mark.skipif(find_program("initdb") is None, reason="needs PostgreSQL")
def test_postgresql_is_told_from_sqlite(wfexec: Wfexec) -> None:
    with postgres() as address, prefect_server({"PREFECT_SERVER_DATABASE_CONNECTION_URL": address}) as server:
        there = wfexec.with_environment(PREFECT_API_URL=server.url, PREFECT_HOME=str(server.home))
        assert "does not say" in found(there)["database"]["message"]
        there.write("small.yaml", SMALL)
        assert there("run", "small.yaml").code == 0
        assert found(there)["database"] == {"name": "database", "level": "ok", "message": "PostgreSQL", "mend": ""}
