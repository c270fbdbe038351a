"""The inputs of a run that a trigger starts."""

from collections.abc import Mapping

from prefect_wfexec.definition.check_inputs import problem_of
from prefect_wfexec.definition.expressions import ExpressionError, as_text, render
from prefect_wfexec.definition.model import JSON, Input, Trigger, Workflow
from prefect_wfexec.errors import UsageError, WfexecError, join_names
from prefect_wfexec.runtime.outside import refuse_unsafe
from prefect_wfexec.triggers.context import RunContext
from prefect_wfexec.triggers.matching import workflow_scope

_BOOLEANS = {"true": True, "false": False}
_LARGEST_INTEGER = 2**63 - 1


class NoInputs(WfexecError):
    """A trigger's `inputs` give no values that its workflow can be started with.

    Attributes:
        reason: Why, in words.
    """

    code = "trigger-inputs"

    def __init__(self, reason: str, hint: str | None = None) -> None:
        super().__init__(reason, hint=hint)
        self.reason = reason


def inputs_of(workflow: Workflow, trigger: Trigger, context: RunContext) -> dict[str, JSON]:
    """Every input's value: what the trigger's `inputs` give, and the defaults of the rest.

    Text becomes a number or a boolean, and these become text, where the input is declared so. A null stands for the
    default.

    Raises:
        NoInputs: an expression can't be evaluated, or a value does not fit its declaration.
    """
    given: Mapping[str, JSON] = trigger.options.get("inputs") or {}
    declared = {one.name: one for one in workflow.inputs}
    unknown = [name for name in given if name not in declared]
    if unknown:
        raise NoInputs(f"workflow '{workflow.name}' has no input {join_names(unknown)}")
    scope = {"trigger": context.trigger, "workflow": workflow_scope(workflow)}
    return {name: _value(one, given.get(name), scope) for name, one in declared.items()}


def _value(declared: Input, template: JSON, scope: Mapping[str, JSON]) -> JSON:
    try:
        value = _as_declared(declared, render(template, scope))
        refuse_unsafe(value)
    except (ExpressionError, UsageError) as error:
        raise NoInputs(f"input '{declared.name}': {error.message}", error.hint) from None
    if value is None:
        if declared.required:
            raise NoInputs(f"input '{declared.name}' is required, and the trigger gives no value for it")
        return declared.default
    problem = problem_of(declared, value)
    if not problem and isinstance(value, int) and abs(value) > _LARGEST_INTEGER:
        problem = "is too large a number"
    if problem:
        raise NoInputs(f"input '{declared.name}' {problem}")
    return value


def _as_declared(declared: Input, value: JSON) -> JSON:
    if declared.type == "string" and isinstance(value, bool | int | float):
        return as_text(value)
    if declared.type == "boolean" and isinstance(value, str):
        return _BOOLEANS.get(value.strip().lower(), value)
    if declared.type in {"integer", "number"} and isinstance(value, int | float | str) and not isinstance(value, bool):
        return _as_number(declared, value)
    return value


def _as_number(declared: Input, value: float | str) -> JSON:
    """The number a text or another number stands for; what stands for none is left for the check that follows."""
    try:
        number = float(value)
        if declared.type == "number" or not number.is_integer() or "_" in str(value):
            return number if declared.type == "number" else value
        return int(value)
    except (ValueError, OverflowError):
        return value
