"""The author's own fields of a gate's form: their schema, and what was filled in. Pure."""

import math
from collections.abc import Mapping
from typing import Any

from prefect_wfexec.definition.model import JSON
from prefect_wfexec.errors import join_names
from prefect_wfexec.runtime.ansi import strip_ansi

LONGEST_TEXT_CHARACTERS = 4_000
_SCHEMA_TYPES = {"string": "string", "choice": "string", "integer": "integer", "number": "number", "boolean": "boolean"}
_WORDS = {"string": "text", "choice": "text", "integer": "a whole number", "number": "a number", "boolean": "yes or no"}

Specs = Mapping[str, Mapping[str, JSON]]


class FieldError(Exception):
    """What was filled in does not fit a field."""


def field_schemas(fields: Specs) -> dict[str, dict[str, Any]]:
    """The JSON Schema of each field, for Prefect's form."""
    found: dict[str, dict[str, Any]] = {}
    needed = required_fields(fields)
    for name, spec in fields.items():
        words = str(spec.get("description") or "").replace("<", "&lt;")
        schema: dict[str, Any] = {
            "title": str(spec.get("title") or name),
            "type": _SCHEMA_TYPES[str(spec.get("type") or "string")],
            # Prefect calls it optional, since a rejection does without.
            "description": f"{words} Needed to approve.".strip() if name in needed else words,
        }
        if spec.get("enum"):
            schema["enum"] = list(spec["enum"])
        if spec.get("default") is not None:
            schema["default"] = spec["default"]
        found[name] = schema
    return found


def required_fields(fields: Specs) -> list[str]:
    """The fields that an approval has to fill in, as they have no value of their own."""
    return [name for name, spec in fields.items() if spec.get("required", True) and spec.get("default") is None]


def checked_fields(fields: Specs, given: Mapping[str, JSON]) -> dict[str, JSON]:
    """What was filled in, with defaults where nothing was; null for what may be left out.

    Raises:
        FieldError: a value is missing, of another type, not among those there are, or for no field of the gate.
    """
    unknown = [name for name in given if name not in fields]
    if unknown:
        raise FieldError(f"the gate has no field '{strip_ansi(str(unknown[0]))[:100]}'")
    return {name: _checked(name, spec, given.get(name)) for name, spec in fields.items()}


def parse_field(spec: Mapping[str, JSON], text: str) -> JSON:
    """A value typed on a command line, as its field takes it; the text itself when it does not."""
    kind = spec.get("type") or "string"
    if kind == "boolean":
        return {"true": True, "yes": True, "false": False, "no": False}.get(text.strip().lower(), text)
    if kind in ("integer", "number"):
        try:
            return int(text) if kind == "integer" else float(text)
        except ValueError:
            return text
    return text


def _checked(name: str, spec: Mapping[str, JSON], value: JSON) -> JSON:
    if value is None or value == "":
        if spec.get("default") is not None:
            return spec["default"]
        if spec.get("required", True):
            raise FieldError(f"the field '{name}' is empty")
        return None
    kind = str(spec.get("type") or "string")
    if not _fits(kind, value):
        raise FieldError(f"the field '{name}' takes {_WORDS[kind]}")
    if spec.get("enum") and value not in spec["enum"]:
        raise FieldError(f"the field '{name}' takes {join_names([str(one) for one in spec['enum']], 'or')}")
    if isinstance(value, str):
        if len(value) > LONGEST_TEXT_CHARACTERS:
            raise FieldError(f"the field '{name}' holds more than {LONGEST_TEXT_CHARACTERS} characters")
        return strip_ansi(value).encode("utf-8", "replace").decode("utf-8")
    return value


def _fits(kind: str, value: JSON) -> bool:
    if isinstance(value, bool) or kind == "boolean":
        return isinstance(value, bool) and kind == "boolean"
    if kind == "integer":
        return isinstance(value, int)
    if kind == "number":
        return isinstance(value, int | float) and math.isfinite(value)
    return isinstance(value, str)
