"""A run suspended on one machine goes on on another: nothing of the first is left but what Prefect's API keeps."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.deployed import Site, api_of
from tests.support.machines import AS_NOBODY, NOBODY, Home, StateBackend
from tests.support.server import PrefectServer
from tests.support.web_server import WebServer
from tests.support.wfexec import Wfexec

DEFINITION = """
version: 1
name: moves
steps:
  - {id: plan, uses: terraform.plan, with: {dir: infra}}
  - id: approval
    uses: approval
    with: {subject: "${{ steps.plan.outputs.plan }}", message: "${{ steps.plan.outputs.summary }}"}
  - {id: apply, uses: terraform.apply, with: {plan: "${{ steps.plan.outputs.plan }}"}}
  - {id: who, run: 'echo "user=$(id -u)" >> $WFEXEC_OUTPUT; echo "home=$HOME" >> $WFEXEC_OUTPUT'}
outputs: {who: "${{ steps.who.outputs }}", ids: "${{ steps.apply.outputs.values }}"}
"""
CONFIGURATION = """
terraform {
  backend "http" {
    address        = "STATE_URL/state"
    lock_address   = "STATE_URL/state"
    unlock_address = "STATE_URL/state"
  }
}
resource "terraform_data" "one" { input = "as it was planned" }
output "id" { value = terraform_data.one.id }
"""


@pytest.fixture
def backend() -> Iterator[tuple[StateBackend, str]]:
    kept = StateBackend()
    with WebServer(kept.answer) as web:
        yield kept, web.url


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that every user may enter, unlike those pytest makes."""
    folder = Path(tempfile.mkdtemp(prefix="wfexec-machines-"))
    folder.chmod(0o755)
    yield folder
    with contextlib.suppress(OSError):
        shutil.rmtree(folder)


def another_user() -> Iterator[dict[str, str]]:
    """Environments in which another user may run Python with this project's packages, to be tried in turn."""
    yield {"PYTHON": sys.executable}
    # This Python may stand in a folder of its owner's; the system's own takes the same packages.
    paths = os.pathsep.join(path for path in sys.path if path)
    yield {"PYTHON": f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}", "PYTHONPATH": paths}


def usable_by_another_user() -> dict[str, str] | None:
    """The first environment that works; None where there is none, and the user stays the same."""
    script = (
        "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import prefect_wfexec.engine'], check=True)"
    )
    for environment in another_user():
        command = [*AS_NOBODY, environment["PYTHON"], "-c", script]
        with contextlib.suppress(OSError):
            if subprocess.run(command, env={**os.environ, **environment}, capture_output=True).returncode == 0:
                return environment
    return None


def git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=jane", "-c", "user.email=jane@example.com", "-c", "init.defaultBranch=main"]
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


async def test_a_suspended_run_goes_on_on_another_machine(server: PrefectServer, place: Path, backend) -> None:
    kept, url = backend
    repository = place / "repository"
    repository.mkdir()
    site = Site(server, repository, pool=f"pool-{place.name.lower().replace('_', '-')}")
    site.workflow("moves", DEFINITION)
    site.write("flows/infra/main.tf", CONFIGURATION.replace("STATE_URL", url))
    project = (repository / "prefect.yaml").read_text()
    clone = f"pull:\n  - prefect.deployments.steps.git_clone: {{repository: 'file://{repository}', branch: main}}"
    site.write("prefect.yaml", project.replace("pull: null", clone))
    git(repository, "init")
    git(repository, "add", "-A")
    git(repository, "commit", "-m", "first")
    site.deploy()
    subprocess.run(["chmod", "-R", "a+rX", str(repository)], check=True)
    git(repository, "config", "uploadpack.allowAnySHA1InWant", "true")

    first, second = Home(place / "first"), Home(place / "second", usable_by_another_user())
    common = {"PREFECT_INTEGRATIONS_WFEXEC_HOLD": "0s"}
    async with api_of(server) as api:
        with site.worker({**common, **first.environment}):
            run_id = await api.start("moves/moves")
            await api.until(
                run_id,
                lambda state: state["name"] == "Approval Pending" and state["state_details"]["pause_reschedule"],
            )
        first.forget()
        configuration = (repository / "flows" / "infra" / "main.tf").read_text()
        changed = (repository / "flows" / "moves_flow.yaml").read_text().replace("echo", "echo >&2 never; echo")
        site.write("flows/moves_flow.yaml", changed)
        site.write("flows/infra/main.tf", configuration.replace("as it was planned", "changed since, never planned"))
        git(repository, "commit", "-am", "second")
        subprocess.run(["chmod", "-R", "a+rX", str(repository)], check=True)
        with site.worker({**common, **second.environment}, second.command):
            await api.resume(run_id, decision="approve", approver="jane")
            run = await api.until(run_id, lambda state: state["type"] in {"COMPLETED", "FAILED", "CRASHED"})
            assert run["state"]["name"] == "Succeeded", site.worker_logs()
    view = Wfexec(server.environment, place).json("show", str(run_id))
    assert view["outputs"]["who"]["home"] == str(place / "second" / "home")
    if len(second.command) > 1:
        assert view["outputs"]["who"]["user"] == str(NOBODY)
    state = json.loads(kept.state)
    assert state["resources"][0]["instances"][0]["attributes"]["input"]["value"] == "as it was planned"
    assert kept.lock == b""
    assert [step["attempt"] for step in view["steps"]] == [1, 1, 1, 1]
    wfexec = Wfexec(server.environment, place)
    assert "never" not in wfexec("logs", str(run_id)).out
    assert "the definition has changed to" in json.dumps(wfexec.json("audit", str(run_id)))
