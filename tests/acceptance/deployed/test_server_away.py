"""The server is killed while a deployed run works, and while it waits for a decision."""

import asyncio
from pathlib import Path

import pytest

from tests.support.deployed import Site, api_of
from tests.support.processes import wait_until
from tests.support.server import prefect_server
from tests.support.wfexec import Wfexec

DEFINITION = """
version: 1
name: outlives
steps:
  - {id: long, run: 'echo x >> "$PLACE/long"; until [ -e "$PLACE/go" ]; do sleep 0.1; done', env: {PLACE: "THE_FOLDER"}}
  - {id: ask_me, uses: approval, with: {message: "Go on?"}}
  - {id: after, run: 'echo x >> "$PLACE/after"', env: {PLACE: "THE_FOLDER"}}
"""


async def away(server, seconds: float) -> None:
    """Kill the server, and start it again after a while; the time is what is tested."""
    server.kill()
    await asyncio.sleep(seconds)
    await asyncio.to_thread(server.start)


@pytest.mark.parametrize("seconds", [5.0, pytest.param(40.0, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "hold", [pytest.param("600s", id="in its process"), pytest.param("0s", id="suspended", marks=pytest.mark.slow)]
)
async def test_nothing_is_lost_and_nothing_done_twice(tmp_path: Path, seconds: float, hold: str) -> None:
    with prefect_server() as server:
        site = Site(server, tmp_path)
        site.workflow("outlives", DEFINITION.replace("THE_FOLDER", str(tmp_path)))
        site.deploy()
        async with api_of(server) as api:
            with site.worker({"PREFECT_INTEGRATIONS_WFEXEC_HOLD": hold}):
                run_id = await api.start("outlives/outlives")
                await asyncio.to_thread(wait_until, (tmp_path / "long").exists, "the first step")
                server.kill()
                (tmp_path / "go").touch()
                await asyncio.sleep(seconds)
                await asyncio.to_thread(server.start)
                await api.until(
                    run_id,
                    lambda state: (
                        state["name"] == "Approval Pending"
                        and state["state_details"]["pause_reschedule"] is (hold == "0s")
                    ),
                )
                await away(server, seconds)
                answer = await api.resume(run_id, decision="approve", approver="jane")
                assert answer["status"] == "ACCEPT", answer
                await api.until_named(run_id, "Succeeded")
        view = Wfexec(server.environment, tmp_path).json("show", str(run_id))
        assert [step["status"] for step in view["steps"]] == ["Success"] * 3
        assert [step["attempt"] for step in view["steps"]] == [1, 1, 1]
        assert Wfexec(server.environment, tmp_path).json("audit", str(run_id))["verified"] is True
    for name in ("long", "after"):
        assert (tmp_path / name).read_text().split() == ["x"]
