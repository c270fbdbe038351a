"""Enter an existing flow run as a second process: `python -m tests.support.enter DEFINITION RUN`."""

import asyncio
import sys

from prefect.client.orchestration import get_client
from prefect.flow_engine import run_flow_async

from prefect_wfexec import load_workflow
from prefect_wfexec.views.find import find_run


async def enter(path: str, run: str) -> str:
    """Run the run to its end in this process; the name of the state it ends in."""
    flow = load_workflow(path)
    async with get_client() as client:
        flow_run = await find_run(client, run)
    state = await run_flow_async(flow, flow_run=flow_run, parameters=flow_run.parameters, return_type="state")
    return str(state.name)


if __name__ == "__main__":
    print(asyncio.run(enter(*sys.argv[1:])))
