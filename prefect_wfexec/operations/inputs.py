"""The inputs somebody gives a run: known to its workflow, of the declared type, and safe to hand to Prefect."""

from collections.abc import Mapping

from prefect_wfexec.definition.check_inputs import problem_of
from prefect_wfexec.definition.diagnostics import shown
from prefect_wfexec.definition.model import JSON, Input, Workflow
from prefect_wfexec.errors import UsageError, join_names
from prefect_wfexec.runtime.outside import refuse_unsafe

LARGEST_INTEGER = 2**63 - 1


def all_inputs(workflow: Workflow, given: Mapping[str, JSON]) -> dict[str, JSON]:
    """The inputs of a new run: what was given, checked, and the defaults of the rest.

    Raises:
        UsageError: an input is unknown, missing, or of another type or choice than declared.
    """
    _require_known(workflow, given)
    missing = [one.name for one in workflow.inputs if one.required and one.name not in given]
    if missing:
        raise UsageError(
            f"workflow '{workflow.name}' needs the input {join_names(missing)}",
            hint=" ".join(f"-i {name}=…" for name in missing),
            code="missing-input",
        )
    return {one.name: _checked(one, given[one.name]) if one.name in given else one.default for one in workflow.inputs}


def changed_inputs(workflow: Workflow, given: Mapping[str, JSON]) -> dict[str, JSON]:
    """The inputs that were given, checked, and no others.

    Raises:
        UsageError: an input is unknown, or of another type or choice than declared.
    """
    _require_known(workflow, given)
    return {one.name: _checked(one, given[one.name]) for one in workflow.inputs if one.name in given}


def _require_known(workflow: Workflow, given: Mapping[str, JSON]) -> None:
    known = [one.name for one in workflow.inputs]
    unknown = [name for name in given if name not in known]
    if unknown:
        hint = f"it has {join_names(known)}" if known else "it has none"
        words = f"workflow '{workflow.name}' has no input {join_names(unknown)}"
        raise UsageError(words, hint=hint, code="unknown-input")


def _checked(declared: Input, value: JSON) -> JSON:
    try:
        refuse_unsafe(value)
    except UsageError as error:
        raise UsageError(f"input '{declared.name}': {error.message}", hint=error.hint, code=error.code) from None
    if _has_huge(value):
        raise UsageError(f"input '{declared.name}' has a number of more than 64 bits", code="bad-input")
    problem = problem_of(declared, value)
    if problem:
        raise UsageError(f"input '{declared.name}' is {shown(value)}; it {problem}", code="bad-input")
    return _as_declared(declared, value)


def _has_huge(value: JSON) -> bool:
    """Whether there is a whole number that Prefect's database would not take."""
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, int) and not -LARGEST_INTEGER - 1 <= item <= LARGEST_INTEGER:
            return True
        pending += item.values() if isinstance(item, dict) else item if isinstance(item, list) else ()
    return False


def _as_declared(declared: Input, value: JSON) -> JSON:
    try:
        if declared.type == "integer":
            return int(value)
        return float(value) if declared.type == "number" else value
    except OverflowError:
        raise UsageError(f"input '{declared.name}' is too large a number", code="bad-input") from None
