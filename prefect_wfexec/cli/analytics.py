"""`analytics`."""

import argparse
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from prefect_wfexec.cli.output import DONE, note, say, say_json
from prefect_wfexec.engine.progress import duration_text
from prefect_wfexec.errors import UsageError
from prefect_wfexec.journal.facts import utc_now
from prefect_wfexec.operations.connection import connected, reachable
from prefect_wfexec.views.analytics import (
    MOST_DAYS,
    MOST_MONTHS,
    Period,
    days_until,
    load_analytics,
    months_until,
    zone_named,
)
from prefect_wfexec.views.charts import spark_lines, svg


async def analytics(arguments: argparse.Namespace) -> int:
    """Count runs by status for each of the last days or months."""
    zone = zone_named(arguments.timezone)
    period = _period(arguments, zone)
    async with reachable():
        async with connected() as client:
            found = await load_analytics(client, period, arguments.workflow)
    if arguments.plot:
        _write(Path(arguments.plot), svg(found, zone, _title(arguments)))
        note(f"drawn into {arguments.plot}")
    if arguments.json:
        say_json(found)
    else:
        _print(found, zone, _title(arguments))
    return DONE


def _period(arguments: argparse.Namespace, zone: ZoneInfo) -> Period:
    now = utc_now()
    if arguments.months is not None:
        if arguments.months > MOST_MONTHS:
            raise UsageError(f"{arguments.months} months are more than the {MOST_MONTHS} that are counted")
        return months_until(now, arguments.months, zone)
    days = arguments.days or 30
    if days > MOST_DAYS:
        raise UsageError(f"{days} days are more than the {MOST_DAYS} that are counted", hint="count --months")
    return days_until(now, days, zone)


def _title(arguments: argparse.Namespace) -> str:
    of = f" of {arguments.workflow}" if arguments.workflow else ""
    if arguments.months is not None:
        return f"Executions{of}, last {arguments.months} months"
    return f"Executions{of}, last {arguments.days or 30} days"


def _print(found: dict[str, Any], zone: ZoneInfo, title: str) -> None:
    say(f"{title}: {found['total']}")
    say()
    for line in spark_lines(found, zone):
        say(line)
    if found["total"]:
        say()
    if found["success_rate"] is not None:
        say(f"Success rate:   {found['success_rate']:.1%} of those that have ended")
    for words, key in (("Duration:     ", "duration_seconds"), ("Approval wait:", "approval_seconds")):
        half, most = found[key]["p50"], found[key]["p95"]
        if half is not None:
            say(f"{words}  p50 {duration_text(half)}, p95 {duration_text(most)}")


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path} can't be written: {error.strerror}", hint="name another file") from error
