"""JSON values on their way into CEL and back."""

import math
from collections.abc import Mapping
from datetime import datetime, timedelta

from prefect_wfexec.definition.functions import text_of
from prefect_wfexec.definition.model import JSON
from prefect_wfexec.definition.references import References
from prefect_wfexec.definition.templates import ExpressionError

MAX_DEPTH = 100
_INT64 = 2**63


def narrow(scope: Mapping[str, JSON], references: References) -> dict[str, JSON]:
    """The parts of the scope the expression names: a run of a thousand steps is not copied for each of them."""
    wanted: dict[str, dict[str, object] | None] = {}
    for one in references.all:
        if one.root in scope:
            _want(wanted, (one.root, *one.path))
    return {root: _pick(scope[root], below) for root, below in wanted.items()}


def _want(wanted: dict[str, dict[str, object] | None], path: tuple[str, ...]) -> None:
    current = wanted
    for name in path[:-1]:
        below = current.setdefault(name, {})
        if below is None:
            return
        current = below  # type: ignore[assignment]
    current[path[-1]] = None


def _pick(value: JSON, wanted: dict[str, object] | None) -> JSON:
    if wanted is None or not isinstance(value, Mapping):
        return value
    return {name: _pick(value[name], below) for name, below in wanted.items() if name in value}  # type: ignore[arg-type]


def for_cel(expression: str, value: JSON, depth: int = 0) -> JSON:
    """The value as CEL can hold it: whole numbers beyond 64 bits become decimal ones.

    Raises:
        ExpressionError: it is nested too deep.
    """
    if depth > MAX_DEPTH:
        raise _too_deep(expression)
    if isinstance(value, bool) or value is None or isinstance(value, str | float):
        return value
    if isinstance(value, int):
        return value if -_INT64 <= value < _INT64 else _as_float(expression, value)
    if isinstance(value, Mapping):
        return {str(key): for_cel(expression, item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [for_cel(expression, item, depth + 1) for item in value]
    raise ExpressionError(expression, f"a value of type {type(value).__name__} can't be used in it", kind="type")


def as_json(expression: str, value: object, depth: int = 0) -> JSON:
    """A result as JSON.

    Raises:
        ExpressionError: JSON has no word for it.
    """
    if depth > MAX_DEPTH:
        raise _too_deep(expression)
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return _finite(expression, value)
    if isinstance(value, Mapping):
        return _as_object(expression, value, depth)
    if isinstance(value, list | tuple):
        return [as_json(expression, item, depth + 1) for item in value]
    return _as_text(expression, value)


def _as_object(expression: str, value: Mapping[object, object], depth: int) -> JSON:
    result: dict[str, JSON] = {}
    for key, item in value.items():
        if not isinstance(key, str):
            raise ExpressionError(
                expression, "a key of its result is no text", hint="convert keys with string()", kind="type"
            )
        result[key] = as_json(expression, item, depth + 1)
    return result


def _as_text(expression: str, value: object) -> str:
    if isinstance(value, datetime | timedelta):
        return text_of(value)
    if isinstance(value, bytes):
        raise ExpressionError(expression, "it gives bytes", hint="convert them with string()", kind="type")
    raise ExpressionError(
        expression,
        "its result is no JSON value",
        hint="give text, a number, a boolean, a list or an object",
        kind="type",
    )


def _finite(expression: str, value: float) -> float:
    if math.isfinite(value):
        return value
    raise ExpressionError(
        expression, "its result is not a finite number", hint="check for a division by zero", kind="type"
    )


def _as_float(expression: str, value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        raise ExpressionError(expression, "a number in it is too large", kind="type") from None


def _too_deep(expression: str) -> ExpressionError:
    return ExpressionError(expression, f"a value in it is nested more than {MAX_DEPTH} deep", kind="type")
