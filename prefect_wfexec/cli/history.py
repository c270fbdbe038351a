"""`history`."""

import argparse
import csv
import sys

from prefect_wfexec.cli.lists import moment, table
from prefect_wfexec.cli.output import DONE, note, say_json
from prefect_wfexec.engine.progress import duration_text
from prefect_wfexec.errors import UsageError
from prefect_wfexec.journal.facts import utc_now
from prefect_wfexec.operations.connection import connected, reachable
from prefect_wfexec.views.exports import csv_rows
from prefect_wfexec.views.history import History, load_history
from prefect_wfexec.views.history_filter import HistoryFilter


async def history(arguments: argparse.Namespace) -> int:
    """List runs."""
    if arguments.csv and arguments.json:
        raise UsageError("--csv and --json exclude each other", hint="use one of them")
    wanted = HistoryFilter.read(
        utc_now(),
        status=arguments.status,
        triggered_by=arguments.triggered_by,
        workflow=arguments.workflow,
        user=arguments.user,
        since=arguments.since,
        until=arguments.until,
        search=arguments.search,
        limit=arguments.limit,
        offset=arguments.offset,
        sort=arguments.sort,
    )
    async with reachable():
        async with connected() as client:
            found = await load_history(client, wanted)
    if arguments.json:
        say_json(found.rows)
    elif arguments.csv:
        csv.writer(sys.stdout, lineterminator="\n").writerows(csv_rows(found.rows))
    else:
        _print(found, wanted)
    return DONE


def _print(found: History, wanted: HistoryFilter) -> None:
    titles = ("Run ID", "Workflow", "Status", "Triggered By", "User", "Started", "Duration", "Report")
    table(
        titles,
        [
            (
                row["name"],
                row["workflow"],
                row["status"],
                row["triggered_by"],
                row["user"] or "-",
                moment(row["started"] or row["triggered_at"]),
                duration_text(row["duration_seconds"]) or "-",
                row["reports"] or "-",
            )
            for row in found.rows
        ],
    )
    if found.has_more:
        of = f" of {found.total}" if found.total is not None else ""
        first, last = wanted.offset + 1, wanted.offset + len(found.rows)
        note(f"runs {first} to {last}{of}; the next with --offset {last}")
