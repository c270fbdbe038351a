"""`reconcile`."""

import argparse
import asyncio

import httpx

from prefect_wfexec.cli.output import DONE, note, say, say_json
from prefect_wfexec.errors import UsageError, WfexecError
from prefect_wfexec.operations.connection import connected, reachable
from prefect_wfexec.operations.reconcile import Act
from prefect_wfexec.operations.reconcile import reconcile as set_right
from prefect_wfexec.views.live import PassedOver

WATCH_SECONDS = 30.0


async def reconcile(arguments: argparse.Namespace) -> int:
    """Set runs right once, or until it is interrupted."""
    if arguments.watch and arguments.json:
        raise UsageError("--watch never ends, and --json prints one document", hint="use one of them")
    told: set[PassedOver] = set()
    async with reachable():
        while True:
            acts, passed_over = await _once(may_fail=not arguments.watch)
            for passed in passed_over:
                if passed not in told:
                    note(str(passed))
            told.update(passed_over)
            if arguments.json:
                say_json([act.as_json() for act in acts])
            for act in () if arguments.json else acts:
                say(f"{act.run}: {act.act}, because {act.reason}")
            if not arguments.watch:
                if not acts and not passed_over:
                    note("nothing had to be set right")
                return DONE
            await asyncio.sleep(WATCH_SECONDS)


async def _once(*, may_fail: bool) -> tuple[list[Act], list[PassedOver]]:
    try:
        async with connected() as client:
            return await set_right(client)
    except (WfexecError, httpx.HTTPError) as error:
        if may_fail:
            raise
        note(f"tried again soon: {error}")
        return [], []
