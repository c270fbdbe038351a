"""`cancel`."""

import argparse

from prefect_wfexec.cli.output import DONE, columns, exit_code_of_run, say, say_json
from prefect_wfexec.cli.show import seen
from prefect_wfexec.engine.context import local_user
from prefect_wfexec.journal.facts import Actor
from prefect_wfexec.operations.cancel import cancel as stop
from prefect_wfexec.operations.connection import connected, reachable
from prefect_wfexec.status import RunStatus
from prefect_wfexec.views.failures import shown_json
from prefect_wfexec.views.find import find_run
from prefect_wfexec.views.summary import summary_text


async def cancel(arguments: argparse.Namespace) -> int:
    """Stop a run, in whatever state it is."""
    async with reachable():
        async with connected() as client:
            done = await stop(
                client, arguments.run, by=Actor(local_user()), reason=arguments.reason, cleans_up=arguments.cleanup
            )
            execution = await seen(client, await find_run(client, str(done.flow_run.id)), arguments)
    if arguments.json:
        say_json({**shown_json(execution), "outcome": done.outcome})
    elif arguments.follow:
        say(summary_text(execution, columns()).rstrip("\n"))
    elif execution.status.is_final:
        say(f"{done.flow_run.name}: {execution.status.value}")
    else:
        say(f"{done.flow_run.name} is asked to stop, and is given the time it needs; see `wfexec show`")
    has_failed = execution.status is RunStatus.TERMINATION_FAILED
    return exit_code_of_run(execution.status) if arguments.follow or has_failed else DONE
