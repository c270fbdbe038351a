"""`reconcile`."""

import argparse
import os

import httpx

from prefect_wfexec.cli.output import DONE, note, say, say_json
from prefect_wfexec.engine.liveness import LOOK_SECONDS
from prefect_wfexec.errors import UsageError, WfexecError
from prefect_wfexec.operations.connection import connected, reachable
from prefect_wfexec.operations.reconcile import Reconciler
from prefect_wfexec.operations.reconcile.jobs import Act
from prefect_wfexec.views.live import PassedOver

WATCH_SECONDS = 30.0


async def reconcile(arguments: argparse.Namespace) -> int:
    """Set runs right once, or until it is interrupted."""
    if arguments.watch and arguments.json:
        raise UsageError("--watch never ends, and --json prints one document", hint="use one of them")
    reconciler, all_acts, told = Reconciler(), list[Act](), set[PassedOver]()
    async with reachable():
        while True:
            acts, passed_over = await _once(reconciler, may_fail=not arguments.watch)
            for passed in set(passed_over) - told:
                note(str(passed))
            told.update(passed_over)
            all_acts += acts
            for act in () if arguments.json else acts:
                say(f"{act.run}: {act.act}, because {act.reason}")
            is_left_alone = arguments.parent is not None and os.getppid() != arguments.parent
            if is_left_alone or not (arguments.watch or reconciler.is_waiting):
                break
            await reconciler.wait(WATCH_SECONDS if arguments.watch else LOOK_SECONDS)
    if arguments.json:
        say_json([act.as_json() for act in all_acts])
    if not all_acts and not told:
        note("nothing had to be set right")
    return DONE


async def _once(reconciler: Reconciler, *, may_fail: bool) -> tuple[list[Act], list[PassedOver]]:
    try:
        async with connected() as client:
            return await reconciler.look(client)
    except (WfexecError, httpx.HTTPError) as error:
        if may_fail:
            raise
        reconciler.forget()
        note(f"tried again soon: {error}")
        return [], []
