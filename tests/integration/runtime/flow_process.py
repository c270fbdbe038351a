"""A flow process to be killed: runs one command under a supervisor, as the JSON on its command line says."""

import asyncio
import json
import sys
from pathlib import Path

from prefect_wfexec.runtime.command import Command, StopPolicy
from prefect_wfexec.runtime.supervisor import Supervisor


async def main(plan: dict) -> None:
    supervisor = Supervisor()
    command = Command(
        argv=tuple(plan["argv"]),
        cwd=Path(plan["folder"]),
        env={**plan["env"], "TEST_FOLDER": plan["folder"]},
        stop=StopPolicy(plan["interrupt_seconds"], plan["terminate_seconds"]),
        scratch=Path(plan["folder"], "scratch"),
        outcome_file=Path(plan["folder"], "outcomes", "one.json"),
        secrets=tuple(plan.get("secrets", ())),
        label="apply",
    )
    task = asyncio.create_task(supervisor.run(command, lambda stream, data: None))
    if "cancel_after" in plan:
        asyncio.get_running_loop().call_later(plan["cancel_after"], task.cancel)
    while supervisor.pid is None:
        await asyncio.sleep(0)
    print(supervisor.pid, flush=True)
    try:
        print(await task, flush=True)
    except asyncio.CancelledError:
        print("cancelled", flush=True)
    if plan.get("holds"):
        await asyncio.sleep(1000)
    await supervisor.close()


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
