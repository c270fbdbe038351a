"""Whether a trigger takes an event."""

from collections.abc import Mapping, Sequence

from prefect_wfexec.definition.expressions import ExpressionError, evaluate_condition
from prefect_wfexec.definition.model import JSON, Trigger, Workflow
from prefect_wfexec.errors import join_names, one_line
from prefect_wfexec.triggers.context import trigger_scope
from prefect_wfexec.triggers.event import Event
from prefect_wfexec.triggers.globs import is_let_in

USUAL_ACTIONS: Mapping[str, tuple[str, ...]] = {
    "pull_request": ("opened", "synchronize", "reopened"),
    "merge_request": ("opened", "synchronize", "reopened"),
    "release": ("published",),
    "workflow_run": ("completed",),
    "pipeline": ("success", "failed", "canceled"),
}
"""What an event's name alone takes; any other action is named with it, e.g. `pull_request.closed`."""
_ABOUT_ANY_REF = frozenset({"push", "tag_push", "create", "delete", "pipeline"})
"""Events that may be about a branch or a tag: filters of the one kind leave out the other."""
_MOST_PATTERNS_SHOWN = 8


def why_not(trigger: Trigger, event: Event, workflow: Workflow | None = None) -> str | None:
    """Why an event does not start the workflow, in words; None when it does.

    Args:
        trigger: The trigger the delivery came to.
        event: What happened.
        workflow: The trigger's workflow, for an `if` that names it.
    """
    if event.idle:
        return event.idle
    return (
        _of_events(trigger.options.get("events"), event)
        or _of_ref(trigger, event)
        or _of_paths(trigger, event)
        or _of_condition(trigger, event, workflow)
    )


def _of_events(wanted: Sequence[str] | None, event: Event) -> str | None:
    if not wanted or any(_takes(name, event) for name in wanted):
        return None
    kind = event.name.partition(".")[0]
    usual = next((USUAL_ACTIONS[one] for one in wanted if one in USUAL_ACTIONS and one in _kinds(event)), None)
    if usual is not None:
        return f"the event is '{event.name}', and '{kind}' takes only {join_names(usual)}"
    return f"the event is '{event.name}', and the trigger takes {', '.join(wanted)}"


def _takes(wanted: str, event: Event) -> bool:
    if wanted in event.names:
        return True
    if wanted not in _kinds(event):
        return False
    usual = USUAL_ACTIONS.get(wanted)
    return usual is None or any(name.partition(".")[2] in usual for name in event.names if name.startswith(wanted))


def _kinds(event: Event) -> set[str]:
    return {name.partition(".")[0] for name in event.names}


def _of_ref(trigger: Trigger, event: Event) -> str | None:
    branches, tags = trigger.options.get("branches") or (), trigger.options.get("tags") or ()
    if not branches and not tags:
        return None
    is_either = bool(_kinds(event) & _ABOUT_ANY_REF)
    if event.tag is not None:
        return _of_one_ref("tag", event.tag, tags, "branches" if is_either else "")
    if event.branch is not None:
        return _of_one_ref("branch", event.branch, branches, "tags" if is_either else "")
    return "it is about neither a branch nor a tag" if is_either else None


def _of_one_ref(kind: str, name: str, patterns: Sequence[str], only: str) -> str | None:
    if not patterns:
        return f"it is about the {kind} '{name}', and the trigger takes only {only}" if only else None
    return None if is_let_in(name, patterns) else f"{kind} '{name}' did not match {_shown(patterns)}"


def _of_paths(trigger: Trigger, event: Event) -> str | None:
    patterns = trigger.options.get("paths") or ()
    if not patterns or event.tag is not None or event.paths is None:
        return None
    if any(is_let_in(path, patterns) for path in event.paths):
        return None
    return f"no changed file matched {_shown(patterns)}"


def _of_condition(trigger: Trigger, event: Event, workflow: Workflow | None) -> str | None:
    condition = trigger.options.get("if", True)
    if isinstance(condition, bool):
        return None if condition else "the condition 'if' is false"
    scope = {"trigger": trigger_scope(trigger, event), "workflow": workflow_scope(workflow)}
    try:
        holds = evaluate_condition(condition, scope)
    except ExpressionError as error:
        return f"the condition 'if' can't be evaluated: {one_line(error)}"
    return None if holds else f"the condition 'if' is false: {' '.join(condition.split())}"


def workflow_scope(workflow: Workflow | None) -> dict[str, JSON]:
    """What `workflow` is in a trigger's expressions."""
    if workflow is None:
        return {}
    names = ("name", "description", "version", "digest")
    return {name: getattr(workflow, name) for name in names}


def _shown(patterns: Sequence[str]) -> str:
    more = len(patterns) - _MOST_PATTERNS_SHOWN
    return ", ".join(patterns[:_MOST_PATTERNS_SHOWN]) + (f" and {more} more" if more > 0 else "")
