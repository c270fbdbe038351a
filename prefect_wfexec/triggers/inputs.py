"""The inputs of a run that a trigger starts."""

from prefect_wfexec.definition.model import JSON, Trigger, Workflow
from prefect_wfexec.errors import WfexecError
from prefect_wfexec.triggers.event import Event


class NoInputs(WfexecError):
    """A trigger's `inputs` give no values that its workflow can be started with.

    Attributes:
        reason: Why, in words.
    """

    code = "trigger-inputs"

    def __init__(self, reason: str, hint: str | None = None) -> None:
        super().__init__(reason, hint=hint)
        self.reason = reason


def inputs_of(workflow: Workflow, trigger: Trigger, event: Event) -> dict[str, JSON]:
    """Every input's value: what the trigger's `inputs` give, and the defaults of the rest.

    Raises:
        NoInputs: an expression can't be evaluated, or a value does not fit its declaration.
    """
    raise NotImplementedError
