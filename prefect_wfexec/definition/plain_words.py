"""What pydantic finds, in plain words: no URLs, no class names, no values."""

from collections.abc import Callable, Mapping
from typing import Any

from pydantic_core import ErrorDetails

_WANTED = {
    "string_type": "text",
    "string_sub_type": "text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing_size": "a smaller whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "set_type": "a list",
    "frozen_set_type": "a list",
    "dict_type": "an object",
    "mapping_type": "an object",
    "model_type": "an object",
    "model_attributes_type": "an object",
    "dataclass_type": "an object",
    "none_required": "null",
    "path_type": "a path",
    "url_type": "a URL",
    "url_parsing": "a URL",
}
_LIMITS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "literal_error": lambda ctx: f"this must be {ctx['expected']}",
    "enum": lambda ctx: f"this must be {ctx['expected']}",
    "greater_than": lambda ctx: f"this must be more than {_number(ctx['gt'])}",
    "greater_than_equal": lambda ctx: f"this must be {_number(ctx['ge'])} or more",
    "less_than": lambda ctx: f"this must be less than {_number(ctx['lt'])}",
    "less_than_equal": lambda ctx: f"this must be {_number(ctx['le'])} or less",
    "string_too_short": lambda ctx: _at_least(ctx["min_length"], "character"),
    "string_too_long": lambda ctx: f"this may have {ctx['max_length']} characters at most",
    "too_short": lambda ctx: _at_least(ctx["min_length"], "item"),
    "too_long": lambda ctx: f"this may have {ctx['max_length']} items at most",
    "string_pattern_mismatch": lambda ctx: f"this must match the pattern {ctx['pattern']}",
    "url_scheme": lambda ctx: f"this must be a URL that begins with {ctx['expected_schemes']}",
}


def in_plain_words(error: ErrorDetails) -> str:
    """One validation error as a sentence without its place, e.g. `this must be a whole number`."""
    kind = error["type"]
    context: Mapping[str, Any] = error.get("ctx") or {}
    if kind in _WANTED:
        return f"this must be {_WANTED[kind]}"
    if kind in _LIMITS:
        return _LIMITS[kind](context)
    if kind == "missing":
        return "this is missing"
    if kind == "extra_forbidden":
        return "this is not known"
    if kind in {"value_error", "assertion_error"} and "error" in context:
        return _lowered(str(context["error"]))
    return _lowered(error["msg"])


def is_free_text(error: ErrorDetails) -> bool:
    """Whether the sentence was written by a validator, which may have put the value into it."""
    return error["type"] not in _WANTED and error["type"] not in _LIMITS


def _lowered(text: str) -> str:
    text = " ".join(text.split()).rstrip(".") or "this is not accepted"
    return text[0].lower() + text[1:]


def _number(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _at_least(count: int, what: str) -> str:
    return "this is empty" if count == 1 else f"this must have {count} {what}s at least"
