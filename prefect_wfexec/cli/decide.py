"""`approve` and `reject`."""

import argparse

from prefect_wfexec.cli.output import DONE, say, say_json
from prefect_wfexec.cli.signatures import note_if_unchecked
from prefect_wfexec.engine.context import local_user
from prefect_wfexec.errors import UsageError
from prefect_wfexec.operations.connection import connected, reachable
from prefect_wfexec.operations.decide import Decision
from prefect_wfexec.operations.decide import decide as ask
from prefect_wfexec.views.find import find_run, read_journal
from prefect_wfexec.views.load import lost_engine


async def approve(arguments: argparse.Namespace) -> int:
    """Approve an open gate."""
    return await _decide(arguments, "approve")


async def reject(arguments: argparse.Namespace) -> int:
    """Reject an open gate."""
    return await _decide(arguments, "reject")


async def skip_at_gate(arguments: argparse.Namespace) -> int:
    """Go on without a step that failed and waits for what becomes of it."""
    return await _decide(arguments, "skip")


async def _decide(arguments: argparse.Namespace, decision: Decision) -> int:
    user = local_user()
    fields = dict(_field(pair) for pair in arguments.field)
    async with reachable():
        async with connected() as client:
            # Before it is decided: what the gate shows may have been forged.
            note_if_unchecked(await read_journal(client, await find_run(client, arguments.run)))
            flow_run, gate, outcome = await ask(
                client,
                arguments.run,
                decision,
                by=user,
                step=arguments.step,
                comment=arguments.comment,
                code=arguments.code,
                fields=fields,
            )
            journal = await read_journal(client, flow_run)
    if arguments.json:
        say_json(
            {
                "run": flow_run.name,
                "step": gate.step,
                "generation": gate.generation,
                "decision": decision,
                "by": user,
                "subject_digest": gate.subject_digest,
                "outcome": outcome,
            }
        )
    else:
        say(f"{decision} of '{gate.step}' in {flow_run.name} by {user}: {_words(outcome, lost_engine(journal.state))}")
    return DONE


def _field(pair: str) -> tuple[str, str]:
    name, separator, value = pair.partition("=")
    if not separator or not name.strip():
        raise UsageError(f"'{pair}' is no field", hint="write --field name=value", code="bad-field")
    return name.strip(), value


def _words(outcome: str, lost: str) -> str:
    if outcome != "requested":
        return outcome
    return f"is on record, but {lost}" if lost else "is on record; the run counts it when its process next looks"
