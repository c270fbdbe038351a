"""Whether a trigger takes an event."""

from prefect_wfexec.definition.model import Trigger, Workflow
from prefect_wfexec.triggers.event import Event


def why_not(trigger: Trigger, event: Event, workflow: Workflow | None = None) -> str | None:
    """Why an event does not start the workflow, in words; None when it does.

    Args:
        trigger: The trigger the delivery came to.
        event: What happened.
        workflow: The trigger's workflow, for an `if` that names it.
    """
    raise NotImplementedError
