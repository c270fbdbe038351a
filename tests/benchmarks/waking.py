"""From a decision until a suspended run goes on in a new process, under a worker that polls each second."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

import httpx

from tests.benchmarks.measuring import Measure
from tests.support.deployed import Api, Site
from tests.support.server import PrefectServer

WAKES = 3
GONE_SECONDS = 3.0
"""How long the process of a run that has just been suspended may take to be gone, and its slot to be free."""

_STEPS = """
  - {{id: gate_{number}, uses: approval, with: {{message: "Go on?"}}}}
  - {{id: after_{number}, run: 'date +%s.%N >> "$PLACE"', env: {{PLACE: "{place}"}}}}
"""
_FLOOR = """
import time
from pathlib import Path
from prefect import flow
from prefect.flow_runs import suspend_flow_run

PLACE = Path("{place}")

@flow(name="woken-floor")
def woken_floor():
    for number in range({wakes}):
        suspend_flow_run(timeout=3600, key=f"gate-{{number}}")
        if not PLACE.exists() or len(PLACE.read_text().splitlines()) <= number:
            with PLACE.open("a") as file:
                file.write(f"{{time.time()}}\\n")
"""


@dataclass(frozen=True)
class _Known:
    """A server that somebody else has started."""

    environment: dict[str, str]

    @property
    def url(self) -> str:
        return self.environment["PREFECT_API_URL"]


def woken(side: str, environment: Mapping[str, str], folder: Path) -> Measure:
    """Seconds from each decision until the code behind it runs."""
    root = Path(__file__).resolve().parents[2]
    known = _Known({**environment, "PYTHONPATH": str(root), "PREFECT_INTEGRATIONS_WFEXEC_HOLD": "0s"})
    server: PrefectServer = known  # type: ignore[assignment]  # all that is asked of it is there
    site = Site(server, folder, pool=f"bench-{uuid4().hex[:8]}")
    place = folder / "woke"
    if side == "ours":
        steps = "".join(_STEPS.format(number=number, place=place) for number in range(WAKES))
        site.workflow("woken", f"version: 1\nname: woken\nsteps:\n{steps}")
    else:
        site.workflow("woken-floor", "")
        site.write("flows/woken_floor_flow.py", _FLOOR.format(place=place, wakes=WAKES))
    site.deploy()
    with site.worker():
        values = asyncio.run(_decided(site, "woken" if side == "ours" else "woken-floor", place, side))
    return Measure(tuple(values), 0.0)


async def _decided(site: Site, name: str, place: Path, side: str) -> list[float]:
    async with httpx.AsyncClient(base_url=site.server.url, timeout=60, trust_env=False) as client:
        api = Api(client)
        run_id = await api.start(f"{name}/{name}")
        answered, values = "", []
        for number in range(WAKES):
            answered = await _suspended(api, run_id, answered)
            await asyncio.sleep(GONE_SECONDS)
            decided = time.time()
            answer = {"decision": "approve", "approver": "bench"} if side == "ours" else {}
            await api.resume(run_id, **answer)
            while not place.exists() or len(place.read_text().splitlines()) <= number:
                await asyncio.sleep(0.05)
            values.append(float(place.read_text().splitlines()[number]) - decided)
        await api.until(run_id, lambda state: state["type"] == "COMPLETED")
    place.unlink()
    return values


async def _suspended(api: Api, run_id: UUID, answered: str) -> str:
    """Wait until the run is suspended anew; the state's id."""
    run = await api.until(
        run_id,
        lambda state: (
            state["type"] == "PAUSED" and state["state_details"]["pause_reschedule"] and state["id"] != answered
        ),
    )
    return str(run["state"]["id"])
