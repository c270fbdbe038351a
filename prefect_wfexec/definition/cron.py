"""Five-field cron expressions: minute, hour, day of month, month, day of week."""

import re
from dataclasses import dataclass

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_LENGTHS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_SHORTCUTS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_ITEM = re.compile(r"(\*|[A-Za-z0-9]+)(?:-([A-Za-z0-9]+))?(?:/([0-9]{1,4}))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    first: int
    last: int
    names: tuple[str, ...] = ()
    names_start: int = 0


_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of the month", 1, 31),
    _Field("month", 1, 12, _MONTHS, 1),
    _Field("day of the week", 0, 7, _DAYS, 0),
)


def problem_of_cron(cron: str) -> tuple[str, str]:
    """What is wrong with a cron expression and the mend; two empty texts when nothing is."""
    text = cron.strip()
    if text.lower() in _SHORTCUTS:
        return "it is a shortcut", f'write "{_SHORTCUTS[text.lower()]}"'
    fields = text.split()
    if len(fields) != 5:
        return (
            f"it has {len(fields)} field{'' if len(fields) == 1 else 's'}, not 5",
            'write minute, hour, day of month, month, day of week, e.g. "0 2 * * *"',
        )
    values = []
    for field, written in zip(_FIELDS, fields, strict=True):
        allowed = _values(field, written)
        if isinstance(allowed, str):
            return f"the {field.name} '{written[:20]}' {allowed}", f"it goes from {field.first} to {field.last}"
        values.append(allowed)
    days, months = values[2], values[3]
    if fields[4] == "*" and not any(day <= _LENGTHS[month - 1] for day in days for month in months):
        return "there is no such day in any of its months", "choose another day of the month"
    return "", ""


def _values(field: _Field, written: str) -> set[int] | str:
    """The numbers a field allows, or what is wrong with it."""
    allowed: set[int] = set()
    for item in written.split(",")[:64]:
        found = _ITEM.fullmatch(item)
        if found is None:
            return "can't be read"
        start, end, step = found.groups()
        bounds = _bounds(field, start, end, is_stepped=step is not None)
        if bounds is None:
            return "is out of range"
        if bounds[0] > bounds[1]:
            return "runs backwards"
        if step is not None and int(step) == 0:
            return "has a step of 0"
        allowed.update(range(bounds[0], bounds[1] + 1, int(step or 1)))
    return allowed


def _bounds(field: _Field, start: str, end: str | None, *, is_stepped: bool) -> tuple[int, int] | None:
    if start == "*":
        return (field.first, field.last) if end is None else None
    first = _number(field, start)
    last = _number(field, end) if end is not None else (field.last if is_stepped else first)
    if first is None or last is None:
        return None
    return first, last


def _number(field: _Field, text: str) -> int | None:
    if text.isdigit():
        value = int(text) if len(text) < 5 else -1
        return value if field.first <= value <= field.last else None
    folded = text.lower()
    return field.names.index(folded) + field.names_start if folded in field.names else None
