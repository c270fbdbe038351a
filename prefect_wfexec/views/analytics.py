"""How runs ended over time: counts by status for each day or month, and how long they and their approvals took.

No journal is read.
"""

import asyncio
import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal
from zoneinfo import ZoneInfo

from prefect_wfexec.errors import UsageError
from prefect_wfexec.status import RunStatus
from prefect_wfexec.views.execution import iso
from prefect_wfexec.views.history import all_rows, count_runs
from prefect_wfexec.views.history_filter import HistoryFilter

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient

MOST_DAYS = 366
MOST_MONTHS = 60
MOST_READ = 2000
"""Of more runs than these only the newest are read, and Prefect is asked how many there are."""
COUNTS_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Period:
    """What is looked at.

    Attributes:
        bucket: Whether runs are counted by day or by month.
        starts: When each bucket begins, and when the last one ends, in the time zone of who looks.
    """

    bucket: Literal["day", "month"]
    starts: tuple[datetime, ...]

    @property
    def begin(self) -> datetime:
        return self.starts[0]

    @property
    def end(self) -> datetime:
        return self.starts[-1]


def zone_named(name: str) -> ZoneInfo:
    """A time zone, e.g. Europe/Berlin.

    Raises:
        UsageError: there is none of this name.
    """
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise UsageError(f"there is no time zone '{name}'", hint="write it like Europe/Berlin") from None


def days_until(now: datetime, days: int, zone: tzinfo) -> Period:
    """The last so many days, today among them; days are those of a time zone, and may have 23 or 25 hours."""
    today = now.astimezone(zone).date()
    first = today - timedelta(days=days - 1)
    dates = [first + timedelta(days=number) for number in range(days + 1)]
    return Period("day", tuple(datetime(one.year, one.month, one.day, tzinfo=zone) for one in dates))


def months_until(now: datetime, months: int, zone: tzinfo) -> Period:
    """The last so many months, this one among them."""
    today = now.astimezone(zone)
    last = today.year * 12 + today.month - 1
    numbers = range(last - months + 1, last + 2)
    return Period("month", tuple(datetime(one // 12, one % 12 + 1, 1, tzinfo=zone) for one in numbers))


def analyse(rows: Iterable[Mapping[str, Any]], period: Period) -> dict[str, Any]:
    """Rows of the history, counted.

    Args:
        rows: Of the history; what was not triggered within the period is left out.
        period: What is looked at.
    """
    moments = [start.astimezone(UTC) for start in period.starts]
    counts: list[Counter[str]] = [Counter() for _ in moments[1:]]
    durations: list[float] = []
    waits: list[float] = []
    for row in rows:
        place = _place(moments, datetime.fromisoformat(row["triggered_at"]))
        if place is None:
            continue
        counts[place][row["status"]] += 1
        if RunStatus(row["status"]).is_final and row["duration_seconds"] is not None:
            durations.append(row["duration_seconds"])
        if row["approval_seconds"] is not None:
            waits.append(row["approval_seconds"])
    return _result(period, counts, durations, waits)


def _result(
    period: Period, counts: Sequence[Counter[str]], durations: Sequence[float], waits: Sequence[float]
) -> dict[str, Any]:
    totals = sum(counts, Counter())
    return {
        "from": iso(period.begin.astimezone(UTC)),
        "to": iso(period.end.astimezone(UTC)),
        "bucket": period.bucket,
        "buckets": [
            {"start": iso(begin.astimezone(UTC)), "end": iso(end.astimezone(UTC)), "counts": _ordered(found)}
            for (begin, end), found in zip(pairwise(period.starts), counts, strict=True)
        ],
        "totals": _ordered(totals),
        "total": totals.total(),
        "duration_seconds": {"p50": percentile(durations, 0.5), "p95": percentile(durations, 0.95)},
        "approval_seconds": {"p50": percentile(waits, 0.5), "p95": percentile(waits, 0.95)},
        "success_rate": _success_rate(totals),
    }


async def load_analytics(client: "PrefectClient", period: Period, workflow: str | None = None) -> dict[str, Any]:
    """The runs that were triggered within a period, counted.

    Of very many Prefect counts, and how long they and their approvals took is that of the newest of them.
    """
    end = period.end - timedelta(microseconds=1)
    wanted = HistoryFilter(workflow=workflow, since=period.begin, until=end)
    rows: list[dict[str, Any]] = []
    async for row in all_rows(client, wanted):
        rows.append(row)
        if len(rows) == MOST_READ:
            break
    read = analyse(rows, period)
    if len(rows) < MOST_READ:
        return read
    counts = await _counted(client, wanted, period)
    return _result(period, counts, (), ()) | {key: read[key] for key in ("duration_seconds", "approval_seconds")}


async def _counted(client: "PrefectClient", wanted: HistoryFilter, period: Period) -> list[Counter[str]]:
    """How many runs have which status, for each bucket."""
    several = asyncio.Semaphore(COUNTS_AT_ONCE)

    async def count(status: RunStatus, begin: datetime, end: datetime) -> int:
        async with several:
            until = end - timedelta(microseconds=1)
            return await count_runs(client, replace(wanted, status=status, since=begin, until=until))

    statuses = list(RunStatus)
    all_of_them = await asyncio.gather(*(count(status, period.begin, period.end) for status in statuses))
    there = [status for status, number in zip(statuses, all_of_them, strict=True) if number]
    spans = list(pairwise(period.starts))
    numbers = await asyncio.gather(*(count(status, *span) for span in spans for status in there))
    width = len(there)
    return [
        Counter({status.value: numbers[place * width + at] for at, status in enumerate(there)})
        for place in range(len(spans))
    ]


def percentile(values: Sequence[float], share: float) -> float | None:
    """The smallest value that this share of all is not above; None when there is none."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * share) - 1)]


def _place(moments: Sequence[datetime], at: datetime) -> int | None:
    place = bisect_right(moments, at) - 1
    return place if 0 <= place < len(moments) - 1 else None


def _ordered(counts: Mapping[str, int]) -> dict[str, int]:
    return {status.value: counts[status.value] for status in RunStatus if counts.get(status.value)}


def _success_rate(totals: Mapping[str, int]) -> float | None:
    """The share of runs that succeeded, of those that have ended."""
    ended = sum(totals.get(status.value, 0) for status in RunStatus if status.is_final)
    return round(totals.get(RunStatus.SUCCEEDED.value, 0) / ended, 4) if ended else None
