"""`-i key=value`: inputs of a workflow, typed by its declarations."""

import json
from collections.abc import Sequence

from prefect_wfexec.definition.check_inputs import problem_of
from prefect_wfexec.definition.diagnostics import shown
from prefect_wfexec.definition.model import JSON, Input, Workflow
from prefect_wfexec.errors import UsageError, join_names
from prefect_wfexec.runtime.outside import refuse_unsafe

_BOOLEANS = {"true": True, "false": False}


def parse_inputs(workflow: Workflow, pairs: Sequence[str]) -> dict[str, JSON]:
    """The inputs of a run: what was given, typed and checked, and the defaults of the rest.

    Raises:
        UsageError: an input is unknown, missing, or of another type or choice than declared.
    """
    given, declared = _given(workflow, pairs), {one.name: one for one in workflow.inputs}
    missing = [name for name, one in declared.items() if one.required and name not in given]
    if missing:
        raise UsageError(
            f"workflow '{workflow.name}' needs the input {join_names(missing)}",
            hint=" ".join(f"-i {name}=…" for name in missing),
            code="missing-input",
        )
    return {name: _typed(one, given[name]) if name in given else one.default for name, one in declared.items()}


def parse_changes(workflow: Workflow, pairs: Sequence[str]) -> dict[str, JSON]:
    """The inputs that were given, typed and checked, and no others.

    Raises:
        UsageError: an input is unknown, or of another type or choice than declared.
    """
    given = _given(workflow, pairs)
    return {one.name: _typed(one, given[one.name]) for one in workflow.inputs if one.name in given}


def _given(workflow: Workflow, pairs: Sequence[str]) -> dict[str, str]:
    given = dict(_split(pair) for pair in pairs)
    known = [one.name for one in workflow.inputs]
    unknown = [name for name in given if name not in known]
    if unknown:
        hint = f"it has {join_names(known)}" if known else "it has none"
        words = f"workflow '{workflow.name}' has no input {join_names(unknown)}"
        raise UsageError(words, hint=hint, code="unknown-input")
    return given


def _split(pair: str) -> tuple[str, str]:
    name, separator, value = pair.partition("=")
    if not separator or not name:
        raise UsageError(f"'{pair}' is no input", hint="write -i name=value", code="bad-input")
    return name.strip(), value


def _typed(declared: Input, text: str) -> JSON:
    value = text if declared.type == "string" else _parse(declared, text)
    try:
        refuse_unsafe(value)
    except UsageError as error:
        raise UsageError(f"input '{declared.name}': {error.message}", hint=error.hint, code=error.code) from None
    problem = problem_of(declared, value)
    if problem:
        raise UsageError(f"input '{declared.name}' is {shown(text)}; it {problem}", code="bad-input")
    return _as_declared(declared, value)


def _parse(declared: Input, text: str) -> JSON:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return _BOOLEANS.get(text.lower(), text) if declared.type == "boolean" else text


def _as_declared(declared: Input, value: JSON) -> JSON:
    try:
        if declared.type == "integer":
            return int(value)
        return float(value) if declared.type == "number" else value
    except OverflowError:
        raise UsageError(f"input '{declared.name}' is too large a number", code="bad-input") from None
