"""`show` and `outputs`."""

import argparse
import asyncio
import json
from typing import TYPE_CHECKING

from prefect_wfexec.cli.output import DONE, columns, exit_code_of_run, say, say_json
from prefect_wfexec.cli.signatures import note_if_unchecked
from prefect_wfexec.cli.watching import make_watcher
from prefect_wfexec.operations.connection import connected, reachable
from prefect_wfexec.views.execution import Execution
from prefect_wfexec.views.failures import shown_json
from prefect_wfexec.views.find import caught_up, find_run, read_journal
from prefect_wfexec.views.load import load_execution
from prefect_wfexec.views.summary import summary_text

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.objects import FlowRun

FOLLOW_SECONDS = 1.0


async def show(arguments: argparse.Namespace) -> int:
    """Print a run as it is, or follow it to its end."""
    async with reachable():
        async with connected() as client:
            flow_run = await find_run(client, arguments.run)
            execution = await seen(client, flow_run, arguments)
    if arguments.json:
        say_json(shown_json(execution))
    else:
        say(summary_text(execution, columns()).rstrip("\n"))
    return exit_code_of_run(execution.status) if arguments.follow else DONE


async def outputs(arguments: argparse.Namespace) -> int:
    """Print the workflow's outputs, or each step's when the workflow declares none."""
    async with reachable():
        async with connected() as client:
            flow_run = await find_run(client, arguments.run)
            journal = await read_journal(client, flow_run)
            note_if_unchecked(journal)
            execution = await load_execution(client, flow_run, journal)
    value = execution.outputs_json()
    if arguments.json:
        say_json(value)
    else:
        say(json.dumps(value, indent=2, ensure_ascii=False))
    return DONE


async def seen(client: "PrefectClient", flow_run: "FlowRun", arguments: argparse.Namespace) -> Execution:
    """The run as it is, or, with --follow, as it is when it has ended."""
    if arguments.follow:
        return await _follow(client, flow_run, to_standard_error=arguments.json)
    journal = await read_journal(client, flow_run)
    note_if_unchecked(journal)
    return await load_execution(client, flow_run, journal)


async def report_scheduled(client: "PrefectClient", flow_run: "FlowRun", arguments: argparse.Namespace) -> int:
    """Say that a worker runs it, or, with --follow, how it went; the exit code."""
    execution = await seen(client, flow_run, arguments)
    if arguments.json:
        say_json(shown_json(execution))
    elif arguments.follow:
        say()
        say(summary_text(execution, columns()).rstrip("\n"))
    else:
        say(f"scheduled; see `wfexec show {flow_run.name} --follow`")
    return exit_code_of_run(execution.status) if arguments.follow else DONE


async def _follow(client: "PrefectClient", flow_run: "FlowRun", *, to_standard_error: bool) -> Execution:
    """Show each change as it comes, until the run has ended or nothing goes on with it."""
    journal = await read_journal(client, flow_run)
    told, is_noted = 0, False
    with make_watcher(user="", yes=False, to_standard_error=to_standard_error, may_ask=False) as watcher:
        while True:
            if journal.is_unchecked and not is_noted:
                watcher.pause()
                is_noted = note_if_unchecked(journal)
                watcher.resume()
            execution = await load_execution(client, await client.read_flow_run(flow_run.id), journal)
            if execution.workflow is not None:
                facts = [fact for entry in journal.entries[told:] for fact in entry.trusted_facts]
                told = len(journal.entries)
                watcher.session.on_facts(execution.workflow, journal.state, facts)
            if execution.status.is_final or execution.lost:
                return execution
            await asyncio.sleep(FOLLOW_SECONDS)
            journal = await caught_up(client, flow_run, journal)
