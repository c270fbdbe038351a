"""Two machines, of which one can't see the other's processes: what lives there is left alone, what is gone taken up."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from tests.support.deployed import Api, Site, api_of, kill_flow
from tests.support.machines import on_host
from tests.support.server import PrefectServer
from tests.support.wfexec import Wfexec

DEFINITION = """
version: 1
name: far-away
inputs: {who: {type: string}}
steps:
  - {id: before, run: 'echo x >> "$PLACE/$WHO"', env: {PLACE: "THE_FOLDER", WHO: "${{ inputs.who }}"}}
  - {id: ask, uses: approval, if: inputs.who == 'waits'}
  - id: work
    run: 'touch "$PLACE/$WHO-works"; until [ -e "$PLACE/go" ]; do sleep 0.1; done; echo y >> "$PLACE/$WHO"'
    env: {PLACE: "THE_FOLDER", WHO: "${{ inputs.who }}"}
"""
WATCHED_SECONDS = 90.0
DEADLINE_SECONDS = 300.0


@pytest.fixture
def site(server: PrefectServer, tmp_path: Path) -> Iterator[Site]:
    site = Site(server, tmp_path, pool=f"pool-{tmp_path.name.replace('_', '-')}")
    site.workflow("far-away", DEFINITION.replace("THE_FOLDER", str(tmp_path)))
    site.deploy()
    yield site
    # No worker stops what outlives its worker here.
    (tmp_path / "go").touch()


async def until_busy(api: Api, run_id: UUID, site: Site, who: str) -> None:
    """Until the run waits in its process, or works."""
    if who == "waits":
        await api.until_named(run_id, "Approval Pending")
    else:
        await api.until(run_id, lambda _state: (site.folder / f"{who}-works").exists())


@pytest.mark.parametrize("victim", ["waits", pytest.param("works", marks=pytest.mark.slow)])
async def test_reconcile_elsewhere_takes_up_the_dead_and_leaves_the_living(
    site: Site, server: PrefectServer, tmp_path: Path, victim: str
) -> None:
    wfexec = Wfexec(server.environment, tmp_path)
    hold = {"PREFECT_INTEGRATIONS_WFEXEC_HOLD": "600s"}
    async with api_of(server) as api:
        with site.worker({**hold, **on_host("one")}) as worker:
            lives = await api.start("far-away/far-away", who="lives")
            dies = await api.start("far-away/far-away", who=victim)
            await until_busy(api, lives, site, "lives")
            await until_busy(api, dies, site, victim)
            worker.kill()
            kill_flow(dies)
        names = {run_id: (await api.run(run_id))["name"] for run_id in (lives, dies)}
        looking = wfexec.with_environment(**on_host("two")).start("reconcile", "--watch")
        began = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(DEADLINE_SECONDS):
                while f"{names[dies]}: taken up, because its process is gone" not in looking.out:
                    await asyncio.sleep(0.2)
            assert asyncio.get_running_loop().time() >= began + WATCHED_SECONDS
            assert names[lives] not in looking.out
        finally:
            looking.stop()
        with site.worker({**hold, **on_host("two")}):
            if victim == "waits":
                await api.until_named(dies, "Approval Pending")
                assert (await api.resume(dies, decision="approve", approver="jane"))["status"] == "ACCEPT"
            else:
                run = await api.until_named(dies, "Error")
                assert "died before it could say" in run["state"]["message"]
            (tmp_path / "go").touch()
            for run_id in (lives, dies) if victim == "waits" else (lives,):
                await api.until_named(run_id, "Succeeded")
    assert (tmp_path / "lives").read_text().split() == ["x", "y"]
    assert (tmp_path / victim).read_text().split() == (["x", "y"] if victim == "waits" else ["x"])
    assert (entered(wfexec, names[lives]), entered(wfexec, names[dies])) == (1, 2)


def entered(wfexec: Wfexec, run: str) -> int:
    """How many processes have executed a run."""
    audit = wfexec.json("audit", run)
    assert audit["verified"]
    return [fact["kind"] for entry in audit["entries"] for fact in entry["facts"]].count("entered")
