"""`prefect deploy` with the repository's own prefect.yaml, on a real server."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
from prefect.client.orchestration import get_client

from tests.support.server import PrefectServer

ROOT = Path(__file__).resolve().parents[2]


def prefect(server: PrefectServer, *arguments: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "prefect", *arguments],
        cwd=ROOT,
        env=server.environment,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr


@pytest.fixture
def deployed(api: PrefectServer) -> PrefectServer:
    prefect(api, "work-pool", "create", "workflows", "--type", "process", "--overwrite")
    prefect(api, "deploy", "--all", "--no-prompt")
    return api


async def test_the_deployment_holds_the_definition_and_the_inputs(deployed: PrefectServer) -> None:
    async with get_client() as client:
        deployment = await client.read_deployment_by_name("quickstart/quickstart")

    assert deployment.work_pool_name == "workflows"
    definition = (ROOT / "flows" / "quickstart.yaml").read_text("utf-8")
    properties = deployment.parameter_openapi_schema["properties"]
    assert list(properties) == ["environment", "wfexec_context"]
    assert properties["environment"]["enum"] == ["staging", "production"]
    assert properties["environment"]["default"] == "staging"
    assert properties["wfexec_context"]["x-wfexec"] == {
        "definition": definition,
        "digest": hashlib.sha256(definition.encode()).hexdigest(),
    }
    assert json.loads(properties["wfexec_context"]["default"]) == {}
