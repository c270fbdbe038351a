"""A person elsewhere: `python -m tests.benchmarks.deciding SIDE RUN COUNT` answers gates, and prints when it did.

Each decision comes at a moment that has nothing to do with how the waiting process polls.
"""

import asyncio
import random
import sys
import time
from uuid import UUID

WITHIN_SECONDS = {"ours": 1.5, "floor": 10.0}
LOOK_SECONDS = 0.05


async def decide_ours(run: str, count: int) -> None:
    """Approve gates as `wfexec approve` does."""
    from prefect_wfexec.engine.nudge import nudge
    from prefect_wfexec.journal.facts import Actor
    from prefect_wfexec.journal.state import Gate
    from prefect_wfexec.operations.connection import connected
    from prefect_wfexec.operations.decide import append_decision, decision_request
    from prefect_wfexec.views.find import find_run, read_journal

    async with connected() as client:
        flow_run = await find_run(client, run)
        for number in range(count):
            gate: Gate | None = None
            while gate is None:
                await asyncio.sleep(LOOK_SECONDS)
                journal = await read_journal(client, flow_run)
                gate = journal.state.open_gate(f"gate_{number:02d}")
            await asyncio.sleep(random.uniform(0, WITHIN_SECONDS["ours"]))
            print(time.time(), flush=True)
            await append_decision(journal, gate, decision_request(gate, "approve", Actor("bench"), ""))
            await nudge(client, flow_run.id)


async def decide_floor(run: str, count: int) -> None:
    """Resume a paused flow run."""
    from prefect.client.orchestration import get_client

    async with get_client() as client:
        answered = None
        for _ in range(count):
            while True:
                await asyncio.sleep(LOOK_SECONDS)
                state = (await client.read_flow_run(UUID(run))).state
                if state is not None and state.is_paused() and state.id != answered:
                    break
            answered = state.id
            await asyncio.sleep(random.uniform(0, WITHIN_SECONDS["floor"]))
            print(time.time(), flush=True)
            await client.resume_flow_run(UUID(run))


if __name__ == "__main__":
    asyncio.run({"ours": decide_ours, "floor": decide_floor}[sys.argv[1]](sys.argv[2], int(sys.argv[3])))
