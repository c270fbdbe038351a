"""Twenty people at one gate at the same moment: it has one outcome, and nobody decides twice."""

import asyncio
import os
import random
from collections import Counter
from pathlib import Path

import pytest

from prefect_wfexec.errors import UsageError
from prefect_wfexec.operations.connection import connected
from prefect_wfexec.operations.decide import Decision, decide
from tests.support.server import PrefectServer
from tests.support.wfexec import Wfexec, user_environment

PEOPLE = 20
SAMPLE, FULL = 1, 200
ASKS = """
    version: 1
    name: crowded
    steps:
      - {id: ask, uses: approval, with: {quorum: QUORUM}}
      - {id: after, run: echo x >> after}
"""


async def race(wfexec: Wfexec, seed: int) -> None:
    draw = random.Random(seed)
    quorum, share = draw.choice([1, 2, 5]), draw.choice([0.0, 0.1, 0.5, 1.0])
    (wfexec.folder / "after").unlink(missing_ok=True)
    path = wfexec.write("crowded.yaml", ASKS.replace("QUORUM", str(quorum)))
    going = wfexec.start("run", path, "--json")
    run = await asyncio.to_thread(lambda: going.until("wfexec approve") and going.run)

    async def give(number: int) -> str:
        decision: Decision = "reject" if draw.random() < share else "approve"
        async with connected() as client:
            try:
                _, _, outcome = await decide(client, run, decision, by=f"person {number % (PEOPLE - 3)}")
            except UsageError as error:
                return f"refused: {error.code}"
            return outcome

    told = Counter(await asyncio.gather(*(give(number) for number in range(PEOPLE))))
    ended = await asyncio.to_thread(going.end)
    view = ended.json()
    (gate,) = view["gates"]
    approvals = [one["by"] for one in gate["decisions"] if one["decision"] == "approve"]
    rejections = [one["by"] for one in gate["decisions"] if one["decision"] == "reject"]
    assert len(set(approvals)) == len(approvals), (seed, told)
    assert len(rejections) == (gate["status"] == "rejected"), (seed, told)
    assert len(approvals) == quorum if gate["status"] == "approved" else len(approvals) < quorum, (seed, told)
    ran = (wfexec.folder / "after").read_text().split() if (wfexec.folder / "after").exists() else []
    assert (ran, ended.code) == ((["x"], 0) if gate["status"] == "approved" else ([], 3)), (seed, told)
    assert wfexec.json("audit", run)["verified"]


@pytest.fixture
def wfexec(server: PrefectServer, tmp_path: Path) -> Wfexec:
    return Wfexec(user_environment(server.environment, "jane"), tmp_path)


async def test_a_crowd_at_one_gate(wfexec: Wfexec, api: PrefectServer) -> None:
    for _ in range(SAMPLE):
        seed = int.from_bytes(os.urandom(3))
        print(f"seed {seed}")
        await race(wfexec, seed)


@pytest.mark.slow
@pytest.mark.timeout(7200)
async def test_two_hundred_crowds(wfexec: Wfexec, api: PrefectServer) -> None:
    for seed in range(FULL):
        await race(wfexec, seed)
