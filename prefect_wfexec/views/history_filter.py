"""What a list of runs is narrowed to, as a person writes it. Pure."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal, get_args

from prefect_wfexec.errors import UsageError
from prefect_wfexec.status import RunStatus, TriggerKind, run_status_named

Sort = Literal["newest", "oldest", "started", "name"]
SORTS: tuple[Sort, ...] = get_args(Sort)
_SPAN = re.compile(r"(\d+)([hdwm])")
_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1), "m": timedelta(minutes=1)}


@dataclass(frozen=True, slots=True)
class HistoryFilter:
    """What the list is narrowed to; None leaves a column alone."""

    status: RunStatus | None = None
    triggered_by: TriggerKind | None = None
    workflow: str | None = None
    user: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    search: str | None = None
    limit: int = 50
    offset: int = 0
    sort: Sort = "newest"

    @classmethod
    def read(
        cls,
        now: datetime,
        *,
        status: str | None = None,
        triggered_by: str | None = None,
        workflow: str | None = None,
        user: str | None = None,
        since: str | None = None,
        until: str | None = None,
        search: str | None = None,
        limit: int = 50,
        offset: int = 0,
        sort: str | None = None,
    ) -> "HistoryFilter":
        """What a person wrote; empty texts leave a column alone.

        Raises:
            UsageError: a word is none of its column.
        """
        return cls(
            status=parse_status(status) if status else None,
            triggered_by=parse_trigger(triggered_by) if triggered_by else None,
            workflow=workflow or None,
            user=user or None,
            since=parse_moment(since, now) if since else None,
            until=parse_moment(until, now, is_end=True) if until else None,
            search=search or None,
            limit=limit,
            offset=offset,
            sort=parse_sort(sort) if sort else "newest",
        )


def parse_moment(text: str, now: datetime, *, is_end: bool = False) -> datetime:
    """A moment: `24h`, `7d`, `30d` ago, or an ISO 8601 date or time; without a zone it is UTC.

    Args:
        text: What was written.
        now: The time.
        is_end: Whether a date alone stands for its end rather than its beginning.

    Raises:
        UsageError: it is neither.
    """
    try:
        span = _SPAN.fullmatch(text.strip())
        if span:
            return now - int(span[1]) * _UNITS[span[2]]
        moment = datetime.fromisoformat(text.strip())
        moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
        is_day = len(text.strip()) <= len("2030-01-31")
        return moment + timedelta(days=1, microseconds=-1) if is_day and is_end else moment
    except (ValueError, OverflowError):
        raise UsageError(f"'{text}' is no date", hint="write 24h, 7d, 30d or a date such as 2030-01-31") from None


def parse_status(text: str) -> RunStatus | None:
    """A status by any of its words; None for `All`.

    Raises:
        UsageError: there is no such status.
    """
    if text.strip().lower() == "all":
        return None
    status = run_status_named(text)
    if status is None:
        raise UsageError(f"there is no status '{text}'", hint=f"one of: {', '.join(RunStatus)}")
    return status


def parse_trigger(text: str) -> TriggerKind | None:
    """A kind of trigger, case ignored; None for `All`.

    Raises:
        UsageError: there is no such kind.
    """
    if text.strip().lower() == "all":
        return None
    for kind in TriggerKind:
        if kind.value.lower() == text.strip().lower():
            return kind
    raise UsageError(f"there is no trigger '{text}'", hint=f"one of: {', '.join(TriggerKind)}")


def parse_sort(text: str) -> Sort:
    """An order of the list, case ignored.

    Raises:
        UsageError: there is no such order.
    """
    for sort in SORTS:
        if sort == text.strip().lower():
            return sort
    raise UsageError(f"the list has no order '{text}'", hint=f"one of: {', '.join(SORTS)}")
