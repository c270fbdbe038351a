"""Terraform's `-json` events as lines a person reads."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from prefect_wfexec.steps.terraform.diagnostics import Diagnostic, from_event

Event = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Line:
    """One line for the log and the stream it belongs on."""

    text: str
    stream: Literal["stdout", "stderr"] = "stdout"


def parse_event(line: str) -> Event | None:
    """The event in a line of output, None when the line is something else (a provider's print, a dumped state)."""
    if not line.startswith("{"):
        return None
    try:
        data = json.loads(line)
    except (ValueError, RecursionError):
        return None
    is_event = isinstance(data, dict) and isinstance(data.get("@message"), str)
    return data if is_event else None


def diagnostic_of(event: Event) -> Diagnostic | None:
    """The diagnostic an event carries, if it is one."""
    data = event.get("diagnostic")
    return from_event(data) if event.get("type") == "diagnostic" and isinstance(data, dict) else None


def render(event: Event) -> list[Line]:
    """The lines for one event, errors on stderr; an unknown type gives its `@message`."""
    diagnostic = diagnostic_of(event)
    if diagnostic is not None:
        stream: Literal["stdout", "stderr"] = "stderr" if diagnostic.is_error else "stdout"
        return [Line(text, stream) for text in diagnostic.lines()]
    renderer = _RENDERERS.get(str(event.get("type")), _message)
    return [Line(part) for text in renderer(event) for part in text.splitlines()]


def _message(event: Event) -> list[str]:
    message = str(event["@message"]).strip("\n")
    # The last copy of a state that could be saved nowhere: it must not be lost.
    state = event.get("state")
    return [message] if state is None else [message, json.dumps(state)]


_REASONS = {
    "tainted": "its last creation did not finish",
    "requested": "asked for",
    "cannot_update": "it can't be changed in place",
    "replace_triggered_by": "something it is triggered by changes",
    "delete_because_no_resource_config": "no longer in the configuration",
    "delete_because_no_module": "its module is no longer in the configuration",
    "delete_because_wrong_repetition": "count or for_each was added or removed",
    "delete_because_count_index": "beyond count",
    "delete_because_each_key": "no longer in for_each",
    "read_because_config_unknown": "its configuration is known after apply",
    "read_because_dependency_pending": "it depends on a change",
}


def _planned_change(event: Event) -> list[str]:
    change = _mapping(event.get("change"))
    line = str(event["@message"])
    reason = change.get("reason")
    if isinstance(reason, str):
        line += f" ({_REASONS.get(reason, reason.replace('_', ' '))})"
    before = _mapping(change.get("previous_resource")).get("addr")
    return [f"{line}, moved from {before}" if before else line]


def _outputs(event: Event) -> list[str]:
    outputs = _mapping(event.get("outputs"))
    return ["Outputs:", *_output_lines(outputs)] if outputs else []


def _output_lines(outputs: Mapping[str, Any]) -> list[str]:
    return [f"  {name} = {_output(_mapping(output))}" for name, output in sorted(outputs.items())]


def _output(output: Mapping[str, Any]) -> str:
    if output.get("sensitive") is not False:
        return "(sensitive)"
    if "value" in output:
        return json.dumps(output["value"], ensure_ascii=False)
    action = str(output.get("action", "unknown"))
    return {"noop": "(no change)"}.get(action, f"({action})")


def _provision_progress(event: Event) -> list[str]:
    hook = _mapping(event.get("hook"))
    address = _mapping(hook.get("resource")).get("addr")
    output = hook.get("output")
    if not isinstance(output, str) or address is None:
        return _message(event)
    return [f"{address} ({hook.get('provisioner')}): {part}" for part in output.splitlines()]


_RENDERERS: Mapping[str, Callable[[Event], list[str]]] = {
    "planned_change": _planned_change,
    "resource_drift": _planned_change,
    "outputs": _outputs,
    "provision_progress": _provision_progress,
}


def counts_of(event: Event) -> tuple[str, dict[str, int]] | None:
    """The operation (`plan`, `apply`, `destroy`) and counts of a change summary, None for any other event."""
    changes = _mapping(event.get("changes"))
    if event.get("type") != "change_summary" or not changes:
        return None
    return str(changes.get("operation")), {
        "add": _number(changes.get("add")),
        "change": _number(changes.get("change")),
        "destroy": _number(changes.get("remove")),
    }


_DONE = {"create": "add", "update": "change", "delete": "destroy"}


def done_by(event: Event) -> str | None:
    """Which count an event adds to, for what was done before a failure: `add`, `change`, `destroy` or None."""
    if event.get("type") != "apply_complete":
        return None
    return _DONE.get(str(_mapping(event.get("hook")).get("action")))


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
