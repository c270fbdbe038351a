"""The functions expressions may call: CEL's own, and those of its library that can't run away with memory.

`string()` takes every value here: CEL's own takes neither booleans, null, lists nor objects.
"""

import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from prefect_wfexec.definition.cel_library import cel
from prefect_wfexec.definition.references import MACROS

NATIVE = frozenset(
    {
        "bytes",
        "contains",
        "double",
        "duration",
        "dyn",
        "endsWith",
        "getDate",
        "getDayOfMonth",
        "getDayOfWeek",
        "getDayOfYear",
        "getFullYear",
        "getHours",
        "getMilliseconds",
        "getMinutes",
        "getMonth",
        "getSeconds",
        "has",
        "int",
        "matches",
        "size",
        "startsWith",
        "timestamp",
        "type",
        "uint",
    }
)
LIBRARY = frozenset(
    {
        "base64.decode",
        "base64.encode",
        "bool",
        "charAt",
        "distinct",
        "indexOf",
        "join",
        "lastIndexOf",
        "lowerAscii",
        "math.abs",
        "math.ceil",
        "math.floor",
        "math.greatest",
        "math.least",
        "math.round",
        "math.trunc",
        "max",
        "min",
        "replace",
        "reverse",
        "sets.contains",
        "sets.equivalent",
        "sets.intersects",
        "slice",
        "sort",
        "split",
        "string",
        "substring",
        "sum",
        "trim",
        "upperAscii",
    }
)
ALL = NATIVE | LIBRARY | MACROS


# the library logs the failure of a function with its text, which may hold a secret value
logging.getLogger("cel").setLevel(logging.CRITICAL)


@cache
def library_function(name: str) -> Callable[..., Any]:
    """The function behind a name of `LIBRARY`; what it raises holds no value."""
    function = text_of if name == "string" else cel.stdlib.STDLIB_FUNCTIONS[name]

    def call(*arguments: Any) -> Any:
        try:
            return function(*arguments)
        except Exception:  # noqa: BLE001 - whatever it is, its text may hold a value
            raise ValueError("not a value it can work with") from None

    return call


def text_of(value: Any) -> str:
    """Any value as text: what `string()` gives."""
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, timedelta):
        seconds = value.total_seconds()
        return f"{int(seconds) if seconds == int(seconds) else seconds}s"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return json.dumps(value, ensure_ascii=False, sort_keys=True)
