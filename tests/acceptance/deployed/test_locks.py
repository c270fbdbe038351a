"""Locks of deployed runs, whose processes come and go."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.deployed import Api, Site, api_of
from tests.support.server import PrefectServer
from tests.support.wfexec import Wfexec

ASKS = """
version: 1
name: asks
concurrency: {key: "deployed/THE_FOLDER"}
steps:
  - {id: ask_me, uses: approval}
  - {id: work, run: "echo asked >> THE_FOLDER/lines"}
"""
WORKS = """
version: 1
name: NAME
concurrency: {key: "deployed/THE_FOLDER", on_conflict: MODE}
steps:
  - {id: work, run: "echo NAME >> THE_FOLDER/lines"}
"""


@pytest.fixture
def site(server: PrefectServer, tmp_path: Path) -> Iterator[Site]:
    site = Site(server, tmp_path, pool=f"pool-{tmp_path.name.replace('_', '-')}")
    site.workflow("asks", ASKS.replace("THE_FOLDER", str(tmp_path)))
    for name, mode in (("queues", "queue"), ("cancels", "cancel_running")):
        text = WORKS.replace("THE_FOLDER", str(tmp_path)).replace("NAME", name).replace("MODE", mode)
        site.workflow(name, text)
    site.deploy()
    yield site


def lines(site: Site) -> list[str]:
    path = site.folder / "lines"
    return path.read_text().splitlines() if path.exists() else []


async def suspended(api: Api) -> str:
    """A run that holds the lock, and has no process."""
    run_id = await api.start("asks/asks")
    await api.until(
        run_id,
        lambda state: state["name"] == "Approval Pending" and state["state_details"]["pause_reschedule"],
    )
    return run_id


def is_waiting(state: dict) -> bool:
    return state["type"] == "RUNNING" and state["name"] == "Pending"


async def test_a_suspended_run_keeps_its_lock(site: Site) -> None:
    async with api_of(site.server) as api:
        with site.worker({"PREFECT_INTEGRATIONS_WFEXEC_HOLD": "0s"}):
            holder = await suspended(api)
            waiting = await api.start("queues/queues")
            await api.until(waiting, is_waiting)
            shown = Wfexec(site.server.environment, site.folder).json("show", str(waiting))
            assert shown["status"] == "Pending" and "waits for lock" in shown["reason"]
            assert (await api.resume(holder, decision="approve", approver="jane"))["status"] == "ACCEPT"
            await api.until_named(holder, "Succeeded")
            await api.until_named(waiting, "Succeeded")
    assert lines(site) == ["asked", "queues"]


async def test_a_suspended_run_is_woken_to_be_cancelled(site: Site) -> None:
    async with api_of(site.server) as api:
        with site.worker({"PREFECT_INTEGRATIONS_WFEXEC_HOLD": "0s"}):
            holder = await suspended(api)
            newcomer = await api.start("cancels/cancels")
            ended = await api.until_named(holder, "Terminated")
            assert "wants its lock" in ended["state"]["message"]
            await api.until_named(newcomer, "Succeeded")
    assert lines(site) == ["cancels"]


async def test_a_suspended_run_that_is_cancelled_in_prefect_loses_its_lock(site: Site) -> None:
    async with api_of(site.server) as api:
        with site.worker({"PREFECT_INTEGRATIONS_WFEXEC_HOLD": "0s"}):
            holder = await suspended(api)
            waiting = await api.start("queues/queues")
            await api.until(waiting, is_waiting)
            cancelling = {"type": "CANCELLING", "name": "Cancelling"}
            await api.post(f"/flow_runs/{holder}/set_state", {"state": cancelling, "force": False})
            await api.until(holder, lambda state: state["type"] == "CANCELLED")
            await api.until_named(waiting, "Succeeded")
    assert lines(site) == ["queues"]
