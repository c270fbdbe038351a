"""`show` and `outputs`."""

import argparse
import asyncio
import json

from prefect_wfexec.cli.output import DONE, exit_code_of_run, say, say_json
from prefect_wfexec.operations.connection import connected, reachable
from prefect_wfexec.views.execution import Execution
from prefect_wfexec.views.find import find_run, read_journal
from prefect_wfexec.views.load import load_execution
from prefect_wfexec.views.summary import summary_text

FOLLOW_SECONDS = 1.0


async def show(arguments: argparse.Namespace) -> int:
    """Print a run as it is, or follow it to its end."""
    async with reachable():
        execution = await _load(arguments.run, follow=arguments.follow, quiet=arguments.json)
    if arguments.json:
        say_json(execution.as_json())
    else:
        say(summary_text(execution).rstrip("\n"))
    return exit_code_of_run(execution.status) if arguments.follow else DONE


async def outputs(arguments: argparse.Namespace) -> int:
    """Print the workflow's outputs, or each step's when the workflow declares none."""
    async with reachable():
        execution = await _load(arguments.run)
    view = execution.as_json()
    declared = execution.workflow is not None and bool(execution.workflow.outputs)
    value = view["outputs"] if declared else {step["id"]: step["outputs"] for step in view["steps"] if step["outputs"]}
    if arguments.json:
        say_json(value)
    else:
        say(json.dumps(value, indent=2, ensure_ascii=False))
    return DONE


async def _load(run: str, *, follow: bool = False, quiet: bool = True) -> Execution:
    async with connected() as client:
        flow_run = await find_run(client, run)
        journal = await read_journal(client, flow_run)
        execution = await load_execution(client, flow_run, journal)
        shown = ""
        while follow and not execution.status.is_final:
            text = summary_text(execution)
            if not quiet and text != shown:
                say(shown := text)
            await asyncio.sleep(FOLLOW_SECONDS)
            await journal.catch_up()
            execution = await load_execution(client, await client.read_flow_run(flow_run.id), journal)
        return execution
