"""`reconcile`."""

import argparse
import asyncio

import httpx

from prefect_wfexec.cli.output import DONE, note, say, say_json
from prefect_wfexec.errors import UsageError, WfexecError
from prefect_wfexec.operations.connection import connected, reachable
from prefect_wfexec.operations.reconcile import Act
from prefect_wfexec.operations.reconcile import reconcile as set_right

WATCH_SECONDS = 30.0


async def reconcile(arguments: argparse.Namespace) -> int:
    """Set runs right once, or until it is interrupted."""
    if arguments.watch and arguments.json:
        raise UsageError("--watch never ends, and --json prints one document", hint="use one of them")
    async with reachable():
        while True:
            acts = await _once(may_fail=not arguments.watch)
            if arguments.json:
                say_json([act.as_json() for act in acts])
            for act in () if arguments.json else acts:
                say(f"{act.run}: {act.act}, because {act.reason}")
            if not arguments.watch:
                if not acts:
                    note("nothing had to be set right")
                return DONE
            await asyncio.sleep(WATCH_SECONDS)


async def _once(*, may_fail: bool) -> list[Act]:
    try:
        async with connected() as client:
            return await set_right(client)
    except (WfexecError, httpx.HTTPError) as error:
        if may_fail:
            raise
        note(f"tried again soon: {error}")
        return []
