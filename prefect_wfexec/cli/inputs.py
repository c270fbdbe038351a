"""`-i key=value`: inputs of a workflow, typed by its declarations."""

import json
from collections.abc import Sequence

from prefect_wfexec.definition.model import JSON, Input, Workflow
from prefect_wfexec.errors import UsageError
from prefect_wfexec.operations.inputs import all_inputs, changed_inputs

_BOOLEANS = {"true": True, "false": False}


def parse_inputs(workflow: Workflow, pairs: Sequence[str]) -> dict[str, JSON]:
    """The inputs of a run: what was given, typed and checked, and the defaults of the rest.

    Raises:
        UsageError: an input is unknown, missing, or of another type or choice than declared.
    """
    return all_inputs(workflow, _given(workflow, pairs))


def parse_changes(workflow: Workflow, pairs: Sequence[str]) -> dict[str, JSON]:
    """The inputs that were given, typed and checked, and no others.

    Raises:
        UsageError: an input is unknown, or of another type or choice than declared.
    """
    return changed_inputs(workflow, _given(workflow, pairs))


def _given(workflow: Workflow, pairs: Sequence[str]) -> dict[str, JSON]:
    declared = {one.name: one for one in workflow.inputs}
    given = dict(_split(pair) for pair in pairs)
    return {name: _typed(declared[name], text) if name in declared else text for name, text in given.items()}


def _split(pair: str) -> tuple[str, str]:
    name, separator, value = pair.partition("=")
    if not separator or not name:
        raise UsageError(f"'{pair}' is no input", hint="write -i name=value", code="bad-input")
    return name.strip(), value


def _typed(declared: Input, text: str) -> JSON:
    if declared.type == "string":
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return _BOOLEANS.get(text.lower(), text) if declared.type == "boolean" else text
