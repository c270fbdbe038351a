"""The reserved flow parameter: a JSON text that says who or what started a run."""

import getpass
import json
from typing import TYPE_CHECKING, Any

from prefect_wfexec.errors import UsageError
from prefect_wfexec.runtime.outside import refuse_unsafe
from prefect_wfexec.settings import USER
from prefect_wfexec.status import TriggerKind
from prefect_wfexec.triggers.context import RunContext

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun

__all__ = ["LARGEST_CHARACTERS", "PARAMETER", "RunContext", "local_user", "manual_context", "read_context"]

PARAMETER = "wfexec_context"
LARGEST_CHARACTERS = 1024 * 1024


def local_user() -> str:
    """The person at this command line: the setting USER, else the login name."""
    name = USER.read()
    if name:
        return name
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"


def manual_context(user: str | None = None) -> RunContext:
    """A run started by hand."""
    name = user or local_user()
    return RunContext(TriggerKind.MANUAL, name, {"type": "manual", "id": None, "text": f"Manual ({name})"})


def read_context(text: str, flow_run: "FlowRun") -> RunContext:
    """The context in the reserved parameter, completed from what Prefect knows of the run.

    Raises:
        UsageError: the text is no context.
    """
    value = _parse(text)
    kind = value.get("triggered_by")
    if kind is None:
        return _from_flow_run(flow_run)
    trigger, user = value.get("trigger", {}), value.get("user")
    is_known = kind in tuple(TriggerKind)
    if not is_known or not isinstance(trigger, dict) or not isinstance(user, str | None):
        raise UsageError(f"the parameter {PARAMETER} has unexpected values", hint="leave it at its default")
    return RunContext(TriggerKind(kind), user, trigger)


def _parse(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text) if len(text) <= LARGEST_CHARACTERS else None
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise UsageError(f"the parameter {PARAMETER} is no JSON object", hint="leave it at its default")
    refuse_unsafe(value)
    return value


def _from_flow_run(flow_run: "FlowRun") -> RunContext:
    """A run made by Prefect's own UI, schedules and automations, or by calling the flow."""
    created_by = flow_run.created_by
    kind = (created_by.type or "").upper() if created_by else ""
    if kind == "SCHEDULE" or flow_run.auto_scheduled:
        name = created_by.display_value if created_by else None
        return RunContext(TriggerKind.SCHEDULE, None, {"type": "schedule", "id": None, "text": name or "Schedule"})
    if kind == "AUTOMATION":
        name = created_by.display_value if created_by else None
        return RunContext(TriggerKind.WEBHOOK, None, {"type": "automation", "id": None, "text": name or "Automation"})
    if flow_run.parent_task_run_id is not None:
        return RunContext(TriggerKind.WORKFLOW, None, {"type": "workflow", "id": None, "text": "Workflow"})
    if flow_run.deployment_id is not None:
        return RunContext(TriggerKind.MANUAL, None, {"type": "manual", "id": None, "text": "Manual"})
    return manual_context()
