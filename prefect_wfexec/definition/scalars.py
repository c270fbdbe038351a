"""Plain scalars by YAML 1.2's core schema: only `true` and `false` are booleans; `3:30`, `yes` and dates are text."""

import math
import re

from prefect_wfexec.definition.model import JSON

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEAN = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_NUMERIC_START = frozenset("+-.0123456789")
_DECIMAL = re.compile(r"[-+]?[0-9]+", re.ASCII)
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", re.ASCII)
_BASED = re.compile(r"0o([0-7]+)|0x([0-9a-fA-F]+)", re.ASCII)
_LOST_ZERO = re.compile(r"[-+]?0[0-9]+|[-+]?[0-9]+\.[0-9]*[1-9]0+|[-+]?[0-9]+\.0{2,}", re.ASCII)
_LARGEST = 2**63

YAML_1_1_TRUE = frozenset({"yes", "on", "y"})
YAML_1_1_FALSE = frozenset({"no", "off", "n"})


def resolve_plain(text: str) -> JSON:
    """The value of an unquoted scalar.

    Numbers that JSON or 64 bits can't hold (`.inf`, `.nan`, 30 digits) stay text.
    """
    if text in _BOOLEAN:
        return _BOOLEAN[text]
    if text in _NULL:
        return None
    if text[0] in _NUMERIC_START:
        return _number(text)
    return text


def loses_digits(text: str) -> bool:
    """Whether a number, written back, would differ: `0123` is 123, `3.10` is 3.1."""
    return _LOST_ZERO.fullmatch(text) is not None


def boolean_meant(value: object) -> bool | None:
    """The boolean a person means by `yes`, `off`, `"true"` and the like; None when none is meant."""
    if not isinstance(value, str):
        return None
    folded = value.strip().lower()
    if folded in YAML_1_1_TRUE or folded == "true":
        return True
    if folded in YAML_1_1_FALSE or folded == "false":
        return False
    return None


def _number(text: str) -> JSON:
    if len(text) > 40:
        return text
    if _DECIMAL.fullmatch(text):
        return _within_64_bits(int(text), text)
    if based := _BASED.fullmatch(text):
        octal, hexadecimal = based.groups()
        return _within_64_bits(int(octal, 8) if octal else int(hexadecimal, 16), text)
    if _FLOAT.fullmatch(text):
        value = float(text)
        return value if math.isfinite(value) else text
    return text


def _within_64_bits(value: int, text: str) -> int | str:
    return value if -_LARGEST <= value < _LARGEST else text
