"""Cancelling in the middle of an apply when the flow is served: no worker, one process that starts the runs."""

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import httpx
import pytest

from tests.acceptance.deployed.test_stopping import CONFIGURATION, MAKES, expect_cleaned, left, until_there
from tests.support.deployed import DEADLINE_SECONDS, Api, Site, api_of
from tests.support.processes import processes_with, wait_until, working_in
from tests.support.server import PrefectServer
from tests.support.wfexec import Wfexec

SERVES = """
from pathlib import Path
from prefect_wfexec import load_workflow
makes = load_workflow(Path(__file__).with_name("makes.yaml"))
if __name__ == "__main__":
    makes.serve(name="served")
"""
SLOW_SECONDS = 30


@contextlib.contextmanager
def serving(server: PrefectServer, folder: Path, *, on_cancel: str) -> Iterator[Site]:
    """A folder whose workflow is served, polled each second."""
    site = Site(server, folder)
    text = MAKES.replace("ON_CANCEL", on_cancel).replace("APPROVAL", "automatic")
    site.write("makes.yaml", text.replace("THE_FOLDER", str(folder)))
    configuration = CONFIGURATION.replace("THE_FOLDER", str(folder)).replace("SECONDS", str(SLOW_SECONDS))
    site.write("infra/main.tf", configuration)
    script = site.write("serves.py", SERVES)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, str(script)],
            cwd=folder,
            env={**server.environment, "PREFECT_RUNNER_POLL_FREQUENCY": "1"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield site
    finally:
        process.terminate()
        process.wait(60)


async def started(api: Api) -> UUID:
    """A run of the served flow, once it is there to be started."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while True:
            with contextlib.suppress(httpx.HTTPStatusError):
                return await api.start("makes/served")
            await asyncio.sleep(0.2)


def expect_nothing_running(site: Site, run_id: UUID) -> None:
    """Neither the run's process nor anything it started is left, while what served it goes on."""
    wait_until(lambda: not working_in(site.folder / "infra"), "the end of every terraform")
    wait_until(lambda: not processes_with(f"PREFECT__FLOW_RUN_ID={run_id}"), "the end of the run's processes")


async def test_our_cancel_stops_the_apply_and_leaves_a_state_that_can_be_read(
    server: PrefectServer, tmp_path: Path
) -> None:
    with serving(server, tmp_path, on_cancel="stop") as site:
        wfexec = Wfexec(server.environment, tmp_path)
        async with api_of(server) as api:
            run_id = await started(api)
            await until_there(api, run_id, tmp_path / "applying")
            assert wfexec.json("cancel", str(run_id), "--reason", "the wrong day")["outcome"] == "requested"
            await api.until_named(run_id, "Terminated")
        expect_nothing_running(site, run_id)
    view = wfexec.json("show", str(run_id))
    assert (view["status"], view["reason"], view["cleanup"]) == ("Terminated", "cancelled: the wrong day", None)
    assert [step["status"] for step in view["steps"]] == ["Success", "Skipped", "Cancelled", "Cancelled"]
    assert left(site) == ["one"]
    assert not (tmp_path / "infra/.terraform.tfstate.lock.info").exists()
    assert wfexec("logs", str(run_id), "--step", "apply").out.count("Gracefully shutting down") == 1
    assert wfexec.json("audit", str(run_id))["verified"]


@pytest.mark.parametrize("whose", ["ours", "prefects"])
async def test_a_cancel_takes_away_what_the_apply_had_made(server: PrefectServer, tmp_path: Path, whose: str) -> None:
    with serving(server, tmp_path, on_cancel="stop" if whose == "ours" else "cleanup") as site:
        wfexec = Wfexec(server.environment, tmp_path)
        async with api_of(server) as api:
            run_id = await started(api)
            await until_there(api, run_id, tmp_path / "applying")
            if whose == "ours":
                wfexec.json("cancel", str(run_id), "--cleanup")
            else:
                await api.post(f"/flow_runs/{run_id}/set_state", {"state": {"type": "CANCELLING"}})
            await api.until(run_id, lambda _state: wfexec.json("show", str(run_id))["status"] == "Terminated")
            expect_nothing_running(site, run_id)
            view = expect_cleaned(wfexec, site, run_id)
            cleanup = UUID(wfexec.json("show", view["cleanup"]["run"])["id"])
            expect_nothing_running(site, cleanup)
            assert (await api.run(run_id))["state"]["name"] == "Terminated"
    assert [step["status"] for step in view["steps"]] == ["Success", "Skipped", "Cancelled", "Cancelled"]
