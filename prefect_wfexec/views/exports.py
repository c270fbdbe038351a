"""Rows for a spreadsheet. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

COLUMNS = (
    "id",
    "name",
    "workflow",
    "status",
    "triggered_by",
    "user",
    "triggered_at",
    "started",
    "duration_seconds",
    "reports",
    "trigger",
    "approval_seconds",
)
_BEGINS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def csv_rows(rows: Iterable[Mapping[str, Any]], columns: tuple[str, ...] = COLUMNS) -> Iterator[list[str]]:
    """The titles, then a row each. A text that a spreadsheet would calculate is kept from that by an apostrophe."""
    yield list(columns)
    for row in rows:
        yield [_cell(row[column]) for column in columns]


def _cell(value: Any) -> str:
    if value is None:
        return ""
    text = str(value)
    return f"'{text}" if isinstance(value, str) and text.startswith(_BEGINS_A_FORMULA) else text
