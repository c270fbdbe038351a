"""`approvals`, `locks` and `audit`."""

import argparse
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from prefect_wfexec.cli.output import DONE, FAILED, note, say, say_json
from prefect_wfexec.cli.signatures import UNCHECKED
from prefect_wfexec.engine.context import local_user
from prefect_wfexec.errors import UsageError
from prefect_wfexec.operations.connection import connected, reachable
from prefect_wfexec.operations.locks import release_lock
from prefect_wfexec.views.approvals import load_approvals
from prefect_wfexec.views.audit import audit as audit_view
from prefect_wfexec.views.audit import read_unchecked
from prefect_wfexec.views.find import find_run
from prefect_wfexec.views.locks import load_locks


async def approvals(arguments: argparse.Namespace) -> int:
    """List what waits for a decision."""
    async with reachable():
        async with connected() as client:
            inbox = await load_approvals(client)
    for passed in inbox.passed_over:
        note(str(passed))
    if inbox.unchecked:
        note(f"{UNCHECKED} ({', '.join(inbox.unchecked)})")
    if arguments.json:
        say_json(inbox.rows)
        return DONE
    titles = ("Run ID", "Workflow", "Step", "Opened", "Expires", "Needs", "Waits for", "Message")
    table(
        titles,
        [
            (
                row["run"],
                row["workflow"],
                row["step"],
                moment(row["opened"]),
                moment(row["expires"]),
                row["needs"],
                ", ".join(row["waits_for"]) or "anybody",
                row["message"] or "-",
            )
            for row in inbox.rows
        ],
    )
    return DONE


async def locks(arguments: argparse.Namespace) -> int:
    """List locks, or take one from the run that holds it."""
    if arguments.release is not None:
        return await _release(arguments)
    if arguments.reason is not None:
        raise UsageError("--reason is for --release", hint="write --release KEY --reason T")
    async with reachable():
        async with connected() as client:
            rows = await load_locks(client)
    if arguments.json:
        say_json(rows)
        return DONE
    titles = ("Key", "Holder", "Since", "Number", "Waiting")
    table(
        titles,
        [
            (
                row["key"],
                row["holder"] or "-",
                moment(row["since"]),
                row["number"] or "-",
                ", ".join(row["queue"]) or "-",
            )
            for row in rows
        ],
    )
    return DONE


async def _release(arguments: argparse.Namespace) -> int:
    if not (arguments.reason or "").strip():
        raise UsageError("a lock is taken away for a reason only", hint="say why with --reason", code="no-reason")
    async with reachable():
        async with connected() as client:
            released = await release_lock(client, arguments.release, by=local_user(), reason=arguments.reason)
    if arguments.json:
        say_json(released.as_json())
    else:
        say(f"lock '{released.key}' was taken from {released.run}, which is not stopped: `wfexec show {released.run}`")
    return DONE


async def audit(arguments: argparse.Namespace) -> int:
    """Print the journal and what checking it says; fails when the chain does not hold."""
    async with reachable():
        async with connected() as client:
            view = audit_view(await read_unchecked(client, await find_run(client, arguments.run)))
    if arguments.json:
        say_json(view)
    else:
        for entry in view["entries"]:
            for fact in entry["facts"]:
                who = fact["actor"]["name"]
                say(f"{entry['number']:>5}  {fact['time']}  {fact['kind']:<16} {who:<12} {_brief(fact)}")
        words = "verified" if view["verified"] else "NOT VERIFIED"
        keyed = "signatures checked" if view["keyed"] else "signatures not checked: this process has no key"
        say(f"{words}; {keyed}; head {view['head']}")
        for fault in view["faults"]:
            note(fault)
    return DONE if view["verified"] else FAILED


def _brief(fact: dict[str, Any]) -> str:
    data = fact["data"]
    keys = ("step", "attempt", "status", "decision", "outcome", "what", "reason", "comment", "workflow")
    return " ".join(f"{key}={data[key]}" for key in keys if data.get(key))


def moment(text: str | None) -> str:
    """A time to the second, which is what a person reads in a list."""
    return datetime.fromisoformat(text).strftime("%Y-%m-%dT%H:%M:%SZ") if text else "-"


def table(titles: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    texts = [[" ".join(str(cell).split()) for cell in row] for row in [titles, *rows]]
    widths = [max(len(row[column]) for row in texts) for column in range(len(titles))]
    for row in texts:
        say("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
