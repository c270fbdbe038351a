"""`-i key=value`: inputs of a workflow, typed by its declarations."""

import json
import re
from collections.abc import Sequence

from prefect_wfexec.definition.model import JSON, Input, Workflow
from prefect_wfexec.engine.context import refuse_prefect_keys
from prefect_wfexec.errors import UsageError, join_names

_BOOLEANS = {"true": True, "false": False}


def parse_inputs(workflow: Workflow, pairs: Sequence[str]) -> dict[str, JSON]:
    """The inputs of a run: what was given, typed and checked, and the defaults of the rest.

    Raises:
        UsageError: an input is unknown, missing, or of another type or choice than declared.
    """
    given = dict(_split(pair) for pair in pairs)
    declared = {one.name: one for one in workflow.inputs}
    unknown = [name for name in given if name not in declared]
    if unknown:
        known = f"it has {join_names(list(declared))}" if declared else "it has none"
        words = f"workflow '{workflow.name}' has no input {join_names(unknown)}"
        raise UsageError(words, hint=known, code="unknown-input")
    missing = [name for name, one in declared.items() if one.required and name not in given]
    if missing:
        raise UsageError(
            f"workflow '{workflow.name}' needs the input {join_names(missing)}",
            hint=" ".join(f"-i {name}=…" for name in missing),
            code="missing-input",
        )
    return {name: _typed(one, given[name]) if name in given else one.default for name, one in declared.items()}


def _split(pair: str) -> tuple[str, str]:
    name, separator, value = pair.partition("=")
    if not separator or not name:
        raise UsageError(f"'{pair}' is no input", hint="write -i name=value", code="bad-input")
    return name.strip(), value


def _typed(declared: Input, text: str) -> JSON:
    value = _parse(declared, text)
    if declared.enum and value not in declared.enum:
        choices = join_names([str(choice) for choice in declared.enum])
        raise UsageError(f"input '{declared.name}' is {text!r}, none of {choices}", code="bad-input")
    if declared.pattern and isinstance(value, str) and not re.search(declared.pattern, value):
        raise UsageError(f"input '{declared.name}' does not match the pattern {declared.pattern}", code="bad-input")
    refuse_prefect_keys(value)
    return value


def _parse(declared: Input, text: str) -> JSON:
    if declared.type == "string":
        return text
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = _BOOLEANS.get(text.lower(), text) if declared.type == "boolean" else text
    is_right = {
        "integer": isinstance(value, int) and not isinstance(value, bool),
        "number": isinstance(value, int | float) and not isinstance(value, bool),
        "boolean": isinstance(value, bool),
        "array": isinstance(value, list),
        "object": isinstance(value, dict),
    }[declared.type]
    if not is_right:
        raise UsageError(f"input '{declared.name}' is {text!r}, not of type {declared.type}", code="bad-input")
    return float(value) if declared.type == "number" else value
