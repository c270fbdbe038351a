"""A run suspended at a gate goes on on another machine, with the files that earlier steps had made on the first."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.deployed.test_another_worker import usable_by_another_user
from tests.support.deployed import Site, api_of
from tests.support.machines import NOBODY, Home
from tests.support.server import PrefectServer
from tests.support.wfexec import Wfexec

DEFINITION = """
version: 1
name: carries
steps:
  - id: build
    artifacts: ["$WFEXEC_WORKSPACE/dist", notes.txt]
    run: |
      mkdir -p "$WFEXEC_WORKSPACE/dist"
      printf '#!/bin/sh\\necho "built by %s"\\n' "$(id -u)" > "$WFEXEC_WORKSPACE/dist/app"
      chmod +x "$WFEXEC_WORKSPACE/dist/app"
      echo "made here" > notes.txt
      echo "app=$WFEXEC_WORKSPACE/dist/app" >> "$WFEXEC_OUTPUT"
  - {id: approval, uses: approval, with: {message: Deploy?}}
  - id: deploy
    env: {APP: "${{ steps.build.outputs.app }}"}
    run: |
      echo "said=$("$APP")" >> "$WFEXEC_OUTPUT"
      echo "notes=$(cat notes.txt)" >> "$WFEXEC_OUTPUT"
      echo "user=$(id -u)" >> "$WFEXEC_OUTPUT"
      echo "home=$HOME" >> "$WFEXEC_OUTPUT"
outputs: {deploy: "${{ steps.deploy.outputs }}"}
"""


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that every user may enter, unlike those pytest makes."""
    folder = Path(tempfile.mkdtemp(prefix="wfexec-files-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


async def test_files_are_there_on_the_machine_that_goes_on(server: PrefectServer, place: Path) -> None:
    folder = place / "site"
    folder.mkdir()
    site = Site(server, folder, pool=f"pool-{place.name.lower().replace('_', '-')}")
    site.workflow("carries", DEFINITION)
    site.deploy()
    notes = folder / "flows" / "notes.txt"
    first, second = Home(place / "first"), Home(place / "second", usable_by_another_user())
    common = {"PREFECT_INTEGRATIONS_WFEXEC_HOLD": "0s"}
    async with api_of(server) as api:
        with site.worker({**common, **first.environment}):
            run_id = await api.start("carries/carries")
            await api.until(
                run_id,
                lambda state: state["name"] == "Approval Pending" and state["state_details"]["pause_reschedule"],
            )
        kept = place / "first" / "prefect" / "wfexec" / "workspaces" / str(run_id) / "files" / "dist" / "app"
        assert kept.exists()
        first.forget()
        # The second worker's copy of the definitions is as it was checked out.
        notes.unlink()
        for path in (folder, folder / "flows"):
            path.chmod(0o777)
        with site.worker({**common, **second.environment}, second.command):
            await api.resume(run_id, decision="approve", approver="jane")
            run = await api.until(run_id, lambda state: state["type"] in {"COMPLETED", "FAILED", "CRASHED"})
            assert run["state"]["name"] == "Succeeded", site.worker_logs()
    view = Wfexec(server.environment, place).json("show", str(run_id))
    given = view["outputs"]["deploy"]
    assert (given["said"], given["notes"]) == ("built by 0" if len(second.command) > 1 else given["said"], "made here")
    assert given["said"].startswith("built by ")
    assert given["home"] == str(place / "second" / "home")
    if len(second.command) > 1:
        assert given["user"] == str(NOBODY)
    assert [step["attempt"] for step in view["steps"]] == [1, 1, 1]
    assert view["steps"][0]["outputs"]["app"] == "workspace:/dist/app"
    workspaces = place / "second" / "prefect" / "wfexec" / "workspaces"
    assert list(workspaces.iterdir()) == [], "nothing of a run that succeeded is left"
