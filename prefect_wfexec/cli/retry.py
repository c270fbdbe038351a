"""`retry`, and `skip` of a step that failed in a run that has ended."""

import argparse
from typing import TYPE_CHECKING

from prefect_wfexec.cli.asking import confirm
from prefect_wfexec.cli.decide import skip_at_gate
from prefect_wfexec.cli.inputs import parse_changes
from prefect_wfexec.cli.output import DONE, note, say, say_json
from prefect_wfexec.cli.run import execute_and_report
from prefect_wfexec.cli.show import report_scheduled
from prefect_wfexec.cli.signatures import note_if_unchecked
from prefect_wfexec.engine.compiler import compile_workflow
from prefect_wfexec.engine.context import local_user
from prefect_wfexec.engine.reset import ResetKind, Wanted
from prefect_wfexec.journal.facts import Actor
from prefect_wfexec.operations.connection import connected, reachable
from prefect_wfexec.operations.retry import Prepared, dispatch, prepare, request_retry
from prefect_wfexec.operations.start import refuse_yes
from prefect_wfexec.views.find import find_run, read_journal

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient


async def retry(arguments: argparse.Namespace) -> int:
    """Take a run up again: what failed, or everything from a step on."""
    kind: ResetKind = "retry_from" if arguments.from_step else "retry"
    return await _take_up(arguments, Wanted(kind, arguments.from_step or arguments.step))


async def skip(arguments: argparse.Namespace) -> int:
    """Go on without a step that failed: the run waits for what becomes of it, or it has ended with it."""
    async with reachable():
        async with connected() as client:
            journal = await read_journal(client, await find_run(client, arguments.run))
    if journal.state.closed is None and journal.state.open_gate(arguments.step) is not None:
        arguments.comment = arguments.reason
        return await skip_at_gate(arguments)
    return await _take_up(arguments, Wanted("skip", arguments.step))


async def _take_up(arguments: argparse.Namespace, wanted: Wanted) -> int:
    async with reachable():
        async with connected() as client:
            prepared = await prepare(client, arguments.run, wanted, is_latest=arguments.latest)
            changes = parse_changes(prepared.workflow, arguments.inputs)
            if changes:
                changed = Wanted(wanted.kind, wanted.step, changes)
                prepared = await prepare(client, arguments.run, changed, is_latest=arguments.latest)
            if arguments.dry_run:
                note_if_unchecked(prepared.journal)
                _show_what_would_run(prepared, as_json=arguments.json)
                return DONE
            if not await _is_confirmed(prepared, arguments):
                note("nothing was changed")
                return DONE
            if arguments.yes:
                await refuse_yes(prepared.workflow, prepared.journal.state.opened.inputs)  # type: ignore[union-attr]
            await request_retry(prepared, Actor(local_user()), arguments.reason)
            return await _go_on(client, prepared, arguments)


async def _go_on(client: "PrefectClient", prepared: Prepared, arguments: argparse.Namespace) -> int:
    flow_run = await dispatch(client, prepared.flow_run)
    if not prepared.has_deployment:
        flow = compile_workflow(prepared.workflow)
        return await execute_and_report(client, flow, flow_run, arguments)
    return await report_scheduled(client, flow_run, arguments)


async def _is_confirmed(prepared: Prepared, arguments: argparse.Namespace) -> bool:
    if arguments.yes or arguments.json:
        return True
    for line in _lines(prepared):
        note(line)
    return await confirm("go on?")


def _show_what_would_run(prepared: Prepared, *, as_json: bool) -> None:
    if as_json:
        say_json(prepared.as_json())
        return
    for line in _lines(prepared):
        say(line)


def _lines(prepared: Prepared) -> list[str]:
    """What runs again, a line each, and what that means."""
    shown = prepared.as_json()
    skipped = prepared.wanted.step if prepared.wanted.kind == "skip" else None
    rows = [row for row in shown["reset"] if row["step"] != skipped]
    head = f"{prepared.flow_run.name}: " + (f"without '{skipped}', " if skipped else "")
    lines = [f"{head}these steps run again" if rows else f"{head}nothing runs again, it goes on where it was"]
    width = max((len(row["step"]) for row in rows), default=0)
    lines += [f"  {row['step']:<{width}}  {row['status']}: {row['reason']}" for row in rows]
    if shown["replan"]:
        lines.append("it is planned anew; no saved plan is applied twice")
    if shown["asks"]:
        lines.append(f"asks again, unless an earlier approval covers it: {', '.join(shown['asks'])}")
    if prepared.is_latest:
        lines.append("it goes on with the newest definition")
    return lines
