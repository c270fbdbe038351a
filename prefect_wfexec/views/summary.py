"""The execution summary: what is printed at the end of a run. Pure text."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from prefect_wfexec.engine.failure_text import failure_lines, wrapped
from prefect_wfexec.engine.progress import RULE, duration_text, progress_lines
from prefect_wfexec.runtime.ansi import strip_ansi
from prefect_wfexec.status import RunStatus, StepStatus
from prefect_wfexec.views.execution import Execution, iso
from prefect_wfexec.views.failures import failures_of


def summary_text(execution: Execution, width: int | None = None) -> str:
    """The whole summary: header, steps, terraform's and the workflow's outputs, error details.

    Args:
        execution: The run.
        width: The columns of the terminal it is for; None when it is for none.
    """
    parts = [_header(execution), _steps(execution)]
    parts += list(_approvals(execution))
    parts += list(_terraform(execution))
    parts += list(_outputs(execution))
    parts += list(_errors(execution, width))
    return strip_ansi("\n\n".join(part for part in parts if part)) + "\n"


def status_text(status: RunStatus) -> str:
    """The status as the summary says it: `Completed ✓` for Succeeded."""
    word = "Completed" if status is RunStatus.SUCCEEDED else status.value
    return f"{word} {status.icon}".rstrip()


def _header(execution: Execution) -> str:
    view = execution.as_json()
    duration = duration_text(execution.duration_seconds) or "-"
    total = {"Total Duration": f"{duration} (including retry)"} if _is_retried(execution) else {"Duration": duration}
    rows = {
        "Workflow": view["workflow"],
        "Run ID": view["name"],
        "Status": status_text(execution.status),
        **total,
        "Triggered": view["trigger"]["text"] or view["triggered_by"],
    }
    if execution.reason:
        rows["Reason"] = execution.reason
    width = max(len(name) for name in rows) + 1
    lines = (f"{name + ':':<{width}} {' '.join(str(value).split())}" for name, value in rows.items())
    return "\n".join(["Execution Summary", *lines])


def _is_retried(execution: Execution) -> bool:
    return any(step.attempt > 1 for step in execution.state.steps.values())


def _steps(execution: Execution) -> str:
    if execution.workflow is None:
        return ""
    title = "Step Progress (Retried)" if _is_retried(execution) else "Step Progress"
    until = execution.ended or execution.now
    return "\n".join([title, RULE, *progress_lines(execution.workflow, execution.state, until)])


def _approvals(execution: Execution) -> Iterator[str]:
    """What waits for whom, and which messages about it were not sent."""
    lines = []
    for gate in execution.state.gates:
        if gate.is_open and execution.state.closed is None:
            people = f" by {', '.join(gate.approvers)}" if gate.approvers else ""
            until = f", open until {iso(gate.expires)}" if gate.expires else ""
            lines.append(f"{gate.step}: {len(gate.approvals)} of {gate.quorum} approved, to be decided{people}{until}")
            lines += [f"  new since it was approved before: {line}" for line in gate.news]
        sent = [notice for notice in gate.notices.values() if notice.error]
        lines += [f"{gate.step}: no message to {notice.key.split(':')[2]}: {notice.error}" for notice in sent]
    if lines:
        yield "\n".join(["Approvals", *lines])


def _terraform(execution: Execution) -> Iterator[str]:
    if execution.workflow is None:
        return
    for step in execution.workflow.steps:
        current = execution.state.step(step.id)
        if step.uses not in {"terraform.apply", "terraform.destroy"} or current.status is not StepStatus.SUCCESS:
            continue
        counts = current.outputs.get("counts") or {}
        word = "Apply" if step.uses == "terraform.apply" else "Destroy"
        changed = ", ".join(
            f"{counts.get(key, 0)} {said}"
            for key, said in (("add", "added"), ("change", "changed"), ("destroy", "destroyed"))
        )
        lines = ["Terraform Output", f"{word} complete! Resources: {changed}."]
        values = current.outputs.get("values") or {}
        if isinstance(values, Mapping) and values:
            lines += ["Outputs:", *(f"{name} = {_value(value)}" for name, value in values.items())]
        yield "\n".join(lines)


def _outputs(execution: Execution) -> Iterator[str]:
    closed = execution.state.closed
    if closed is not None and closed.outputs:
        yield "Outputs\n" + json.dumps(closed.outputs, indent=2, ensure_ascii=False)


def _errors(execution: Execution, width: int | None) -> Iterator[str]:
    """The run's own error first: it is not what a step did wrong."""
    found = failures_of(execution)
    if found.error is not None:
        error = found.error
        lines = ["This is an error of the run, not a failure of a step", f"What failed: {error.what}"]
        lines += [f"Message: {error.said}"] if error.said else []
        lines += [f"What to do: {error.advice}", *(f"→ {line}" for line in error.at_work)]
        yield "\n".join(part for line in lines for part in wrapped(line, width))
    yield "\n".join(failure_lines(found.cards, found.actions, execution.header.name, width)).rstrip("\n")


def _value(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
