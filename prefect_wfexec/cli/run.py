"""`run`: execute a definition here, show how it goes, ask for decisions, and end with its exit code."""

import argparse
import asyncio
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prefect_wfexec.cli.inputs import parse_inputs
from prefect_wfexec.cli.interrupts import Interrupts
from prefect_wfexec.cli.output import columns, exit_code_of_run, note, say, say_json, stop_saying
from prefect_wfexec.cli.watching import make_watcher
from prefect_wfexec.definition.loader import load_definition
from prefect_wfexec.engine.context import local_user, manual_context
from prefect_wfexec.operations.connection import connected, reachable
from prefect_wfexec.operations.start import create_run, execute_here, refuse_yes
from prefect_wfexec.steps.registry import catalog
from prefect_wfexec.views.execution import Execution
from prefect_wfexec.views.failures import shown_json
from prefect_wfexec.views.find import read_journal
from prefect_wfexec.views.load import load_execution
from prefect_wfexec.views.summary import summary_text

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.objects import FlowRun
    from prefect.flows import Flow

LOOK_SECONDS = 1.0
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


async def run(arguments: argparse.Namespace) -> int:
    """Run a definition to its end."""
    workflow = load_definition(Path(arguments.path), catalog())
    inputs = parse_inputs(workflow, arguments.inputs)
    async with reachable():
        async with connected() as client:
            if arguments.yes:
                await refuse_yes(workflow, inputs)
            flow, flow_run = await create_run(client, workflow, inputs, manual_context())
            return await execute_and_report(client, flow, flow_run, arguments)


async def execute_and_report(
    client: "PrefectClient", flow: "Flow[..., Any]", flow_run: "FlowRun", arguments: argparse.Namespace
) -> int:
    """Run a flow run here, shown as it goes; the exit code it ends with."""
    announce = note if arguments.json else say
    announce(f"Run {flow_run.name}")
    watcher = make_watcher(user=local_user(), yes=arguments.yes, to_standard_error=arguments.json)
    with Interrupts(watcher, SIGNALS), watcher:
        ran_here = await execute_here(flow, flow_run, watcher.session)
    if not ran_here:
        note(f"another process has taken over {flow_run.name}; waiting for its end")
    return _report(await until_ended(client, flow_run), as_json=arguments.json)


async def until_ended(client: "PrefectClient", flow_run: "FlowRun") -> Execution:
    """The run once it has ended: at once when it ran here, later when another process took it over."""
    journal = await read_journal(client, flow_run)
    while True:
        execution = await load_execution(client, await client.read_flow_run(flow_run.id), journal)
        if execution.status.is_final:
            return execution
        await asyncio.sleep(LOOK_SECONDS)
        await journal.catch_up()


def _report(execution: Execution, *, as_json: bool) -> int:
    try:
        if as_json:
            say_json(shown_json(execution))
        else:
            say()
            say(summary_text(execution, columns()).rstrip("\n"))
    except OSError:
        # Nobody reads any more, and the run ended as it ended.
        stop_saying()
    return exit_code_of_run(execution.status)
