"""Lengths of time as people write them: `30s`, `10m`, `4h`, `2d`, `1h30m`; a plain number is seconds."""

import re
from typing import Annotated

from pydantic import BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from prefect_wfexec.errors import UsageError

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_PART = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)(ms|s|m|h|d|w)", re.ASCII)
_WHOLE = re.compile(r"(?:\d{1,9}(?:\.\d{1,6})?(?:ms|s|m|h|d|w))+", re.ASCII)
_NUMBER = re.compile(r"\d{1,9}(?:\.\d{1,6})?", re.ASCII)
_CLOCK = re.compile(r"(\d{1,3}):([0-5]\d)(?::([0-5]\d))?", re.ASCII)
_ORDER = ("w", "d", "h", "m", "s", "ms")

MAX_SECONDS = 366 * 86400.0
PATTERN = r"^([0-9]+(\.[0-9]+)?(ms|s|m|h|d|w))+$|^[0-9]+(\.[0-9]+)?$"
EXAMPLE = "write it like 30s, 10m, 4h, 2d or 1h30m"


class DurationError(UsageError):
    """A text that is no length of time."""

    code = "bad-duration"


def parse_duration(value: object) -> float:
    """The length in seconds.

    Args:
        value: A text such as `1h30m`, or a number of seconds.

    Raises:
        DurationError: it is no length of time, negative, or longer than 366 days.
    """
    seconds = _seconds(value)
    if seconds < 0:
        raise DurationError("a duration can't be negative", hint=EXAMPLE)
    if not seconds <= MAX_SECONDS:
        raise DurationError("a duration can't be longer than 366 days", hint=EXAMPLE)
    return seconds


def _seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise DurationError("a duration is a text or a number of seconds", hint=EXAMPLE)
    if isinstance(value, int | float):
        # a whole number of any length: a float of it may overflow
        return float(value) if -MAX_SECONDS <= value <= MAX_SECONDS else MAX_SECONDS + 1
    text = "".join(value.split()) if len(value) <= 100 else value[:101]
    if _NUMBER.fullmatch(text):
        return float(text)
    if not _WHOLE.fullmatch(text):
        raise DurationError("this is no duration", hint=_mend(text))
    parts = [(float(number), unit) for number, unit in _PART.findall(text)]
    places = [_ORDER.index(unit) for _, unit in parts]
    if places != sorted(set(places)):
        raise DurationError("each unit may stand once, the largest first", hint=EXAMPLE)
    return sum(number * _UNITS[unit] for number, unit in parts)


def _mend(text: str) -> str:
    clock = _CLOCK.fullmatch(text)
    if clock is None:
        return EXAMPLE
    first, second, third = clock.groups()
    if third is not None:
        return f"write {int(first)}h{int(second)}m{int(third)}s"
    return f"write {int(first)}h{int(second)}m or {int(first)}m{int(second)}s"


def _for_pydantic(value: object) -> float:
    try:
        return parse_duration(value)
    except DurationError as error:
        raise PydanticCustomError(
            "duration", "{reason}; {mend}", {"reason": error.message, "mend": error.hint or EXAMPLE}
        ) from None


Duration = Annotated[
    float,
    BeforeValidator(_for_pydantic),
    Field(ge=0),
    WithJsonSchema({"anyOf": [{"type": "number", "minimum": 0}, {"type": "string", "pattern": PATTERN}]}),
]
"""A field written as a length of time; the model holds seconds."""


def format_duration(seconds: float) -> str:
    """Seconds as a person writes them, e.g. `1h30m`; parts of a second are kept only below one second."""
    if seconds < 1:
        return f"{round(seconds * 1000)}ms" if seconds > 0 else "0s"
    rest = round(seconds)
    text = ""
    for unit in ("d", "h", "m", "s"):
        count, rest = divmod(rest, int(_UNITS[unit]))
        text += f"{count}{unit}" if count else ""
    return text
