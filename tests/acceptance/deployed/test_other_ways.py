"""A workflow is a flow like any other: served, called from another flow, or run as a script."""

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from tests.support.deployed import DEADLINE_SECONDS, Api, api_of
from tests.support.server import PrefectServer
from tests.support.wfexec import Wfexec

ASKS = """
version: 1
name: asks-elsewhere
inputs:
  place: {type: string, default: here}
steps:
  - {id: before, run: "echo x >> before"}
  - {id: ask_me, uses: approval, with: {message: "Shall we go ${{ inputs.place }}?"}}
  - {id: after, run: "echo x >> after"}
outputs: {by: "${{ steps.ask_me.outputs.by }}"}
"""
LOADED = """
import asyncio
from pathlib import Path
from prefect import flow
from prefect_wfexec import load_workflow
asks = load_workflow(Path(__file__).with_name("asks.yaml"))
"""
WAYS = {
    "served": 'if __name__ == "__main__":\n    asks.serve(name="served")\n',
    "called": """
@flow
async def parent():
    print("child:", await asks(place="there", return_state=True))
if __name__ == "__main__":
    asyncio.run(parent())
""",
    "script": "if __name__ == '__main__':\n    asyncio.run(asks())\n",
}


@contextlib.contextmanager
def going(server: PrefectServer, folder: Path, way: str, **environment: str) -> Iterator["subprocess.Popen[bytes]"]:
    (folder / "asks.yaml").write_text(ASKS)
    script = folder / f"{way}.py"
    script.write_text(LOADED + WAYS[way])
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, str(script)],
            cwd=folder,
            env={**server.environment, **environment},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(60)


async def newest_run(api: Api, known: set[str]) -> UUID:
    body = {"flows": {"name": {"any_": ["asks-elsewhere"]}}, "sort": "START_TIME_DESC"}
    async with asyncio.timeout(DEADLINE_SECONDS):
        while True:
            found = [run["id"] for run in await api.post("/flow_runs/filter", body) if run["id"] not in known]
            if found:
                return UUID(found[0])
            await asyncio.sleep(0.2)


async def known_runs(api: Api) -> set[str]:
    body = {"flows": {"name": {"any_": ["asks-elsewhere"]}}}
    return {run["id"] for run in await api.post("/flow_runs/filter", body)}


async def approve(api: Api, run_id: UUID) -> None:
    await api.until_named(run_id, "Approval Pending")
    answer = await api.resume(run_id, decision="approve", approver="jane")
    assert answer["status"] == "ACCEPT", answer
    await api.until_named(run_id, "Succeeded")


@pytest.mark.parametrize("way", ["called", "script"])
async def test_a_gate_of_a_run_without_a_worker_waits_in_its_process(
    server: PrefectServer, tmp_path: Path, way: str
) -> None:
    async with api_of(server) as api:
        known = await known_runs(api)
        with going(server, tmp_path, way, PREFECT_INTEGRATIONS_WFEXEC_HOLD="0s") as process:
            run_id = await newest_run(api, known)
            await approve(api, run_id)
            assert await asyncio.to_thread(process.wait, DEADLINE_SECONDS) == 0, (tmp_path / "log").read_text()
    for name in ("before", "after"):
        assert (tmp_path / name).read_text().split() == ["x"]
    view = Wfexec(server.environment, tmp_path).json("show", str(run_id))
    assert view["triggered_by"] == ("Workflow" if way == "called" else "Manual")
    assert view["inputs"]["place"] == ("there" if way == "called" else "here")


async def test_served_it_suspends_and_is_taken_up_again(server: PrefectServer, tmp_path: Path) -> None:
    environment = {"PREFECT_INTEGRATIONS_WFEXEC_HOLD": "0s", "PREFECT_RUNNER_POLL_FREQUENCY": "1"}
    async with api_of(server) as api:
        with going(server, tmp_path, "served", **environment):
            async with asyncio.timeout(DEADLINE_SECONDS):
                while True:
                    with contextlib.suppress(Exception):
                        run_id = await api.start("asks-elsewhere/served")
                        break
                    await asyncio.sleep(0.2)
            await api.until(
                run_id,
                lambda state: state["name"] == "Approval Pending" and state["state_details"]["pause_reschedule"],
            )
            await approve(api, run_id)
    for name in ("before", "after"):
        assert (tmp_path / name).read_text().split() == ["x"]
