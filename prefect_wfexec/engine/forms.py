"""The form by which a gate is decided in Prefect's UI: what it shows, and what somebody filled in. Pure.

Anybody who reaches Prefect's API can fill in a form, or set a run's state without one. So a form is worth no more than
a request: its answer is checked, and what opens the gate is the decision in the journal.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from prefect_wfexec.definition.model import JSON, Workflow
from prefect_wfexec.journal.state import ExecutionState, Gate
from prefect_wfexec.runtime.ansi import strip_ansi

LONGEST_PLAN_LINES = 200
LONGEST_PLAN_CHARACTERS = 20_000


@dataclass(frozen=True, slots=True)
class Form:
    """What Prefect shows of a gate, and where it is kept among the run's inputs.

    Attributes:
        base: What the keys of its inputs begin with; a form that was answered never comes back under the same.
        step: The gate's step.
        generation: The gate's generation.
        schema: The fields, as a JSON Schema.
        description: Markdown above the fields.
    """

    base: str
    step: str
    generation: int
    schema: Mapping[str, JSON]
    description: str

    @property
    def keyset(self) -> dict[str, str]:
        """The keys of its inputs, as Prefect wants them in a paused state."""
        return {part: f"{self.base}-{part}" for part in ("description", "response", "schema")}

    @property
    def inputs(self) -> dict[str, str]:
        """The inputs that make the form, by key."""
        keys = self.keyset
        return {keys["schema"]: json.dumps(self.schema), keys["description"]: json.dumps(self.description)}


@dataclass(frozen=True, slots=True)
class Answer:
    """What somebody filled in; nothing of it is checked yet."""

    form: str
    step: str
    generation: int
    values: Mapping[str, JSON]


def current_form(workflow: Workflow, state: ExecutionState) -> Form | None:
    """The form of the gate that opened first; Prefect shows one at a time."""
    if not state.open_gates:
        return None
    gate = state.open_gates[0]
    return Form(
        base=form_base(gate),
        step=gate.step,
        generation=gate.generation,
        schema=_schema(),
        description=_description(gate, workflow, state),
    )


def form_base(gate: Gate) -> str:
    """What the keys of a gate's present form begin with."""
    return f"approval-{gate.step.replace('_', '-')}-{gate.generation}-{gate.answers}"


def read_answer(form: Form, text: str) -> Answer:
    """The answer in what Prefect's server stored; an answer that says nothing when it is no object."""
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        values = {}
    return Answer(form.base, form.step, form.generation, values if isinstance(values, dict) else {})


def _schema() -> dict[str, Any]:
    fields: dict[str, dict[str, JSON]] = {
        "decision": {
            "title": "Decision",
            "description": "Approve: the workflow goes on to the next step. Reject: it fails with your comment.",
            "enum": ["approve", "reject"],
            "type": "string",
        },
        "approver": {
            "title": "Your name",
            "description": "Recorded as you write it; it proves nothing by itself.",
            "type": "string",
            "default": "",
        },
        "code": {
            "title": "Your code",
            "description": "The personal code you were sent, where the gate asks for one.",
            "type": "string",
            "default": "",
        },
        "comment": {
            "title": "Comment",
            "description": "Needed to reject: it becomes the reason the run shows.",
            "type": "string",
            "default": "",
        },
    }
    for position, field in enumerate(fields.values()):
        field["position"] = position
    rejection = {"properties": {"decision": {"const": "reject"}}, "required": ["decision"]}
    reason = {"properties": {"comment": {"minLength": 1}}, "required": ["comment"]}
    return {
        "title": "Approval",
        "type": "object",
        "properties": fields,
        "required": ["decision"],
        "additionalProperties": False,
        "if": rejection,
        "then": reason,
        "definitions": {},
    }


def _description(gate: Gate, workflow: Workflow, state: ExecutionState) -> str:
    step = next((step for step in workflow.steps if step.id == gate.step), None)
    lines = [f"## {workflow.name}: {step.name if step else gate.step}"]
    if gate.message:
        lines += ["", gate.message]
    planned = plan_of(gate, workflow, state)
    if planned is not None:
        lines += ["", *_plan_lines(planned)]
    if gate.expires is not None:
        lines += ["", f"Open until {gate.expires.isoformat(timespec='minutes')}."]
    lines += ["", f"What is decided on: `{gate.subject_digest[:16]}`"]
    return "\n".join(lines)


def plan_of(gate: Gate, workflow: Workflow | None, state: ExecutionState) -> Mapping[str, JSON] | None:
    """The outputs of the plan that a gate asks about, when it asks about one."""
    for step in workflow.steps if workflow else ():
        outputs = state.step(step.id).outputs
        if outputs.get("digest") == gate.subject_digest and isinstance(outputs.get("text"), str):
            return outputs
    return None


def _plan_lines(planned: Mapping[str, JSON]) -> list[str]:
    found = [f"**{_plain(planned.get('summary'))}**", ""]
    resources = planned.get("resources")
    rows = [item for item in resources if isinstance(item, dict)] if isinstance(resources, list) else []
    if rows:
        found += ["| action | resource |", "|---|---|"]
        found += [f"| {_cell(row.get('action'))} | `{_cell(row.get('address'))}` |" for row in rows[:50]]
        if len(rows) > 50:
            found.append(f"| … | {len(rows) - 50} more |")
        found.append("")
    text = strip_ansi(str(planned["text"])).replace("```", "` ` `")
    lines = text[:LONGEST_PLAN_CHARACTERS].splitlines()
    cut = len(lines) > LONGEST_PLAN_LINES or len(text) > LONGEST_PLAN_CHARACTERS
    found += ["```text", *lines[:LONGEST_PLAN_LINES], *(["…"] if cut else []), "```"]
    if cut:
        found.append("The whole plan is among the run's artifacts.")
    return found


def _plain(value: JSON) -> str:
    return " ".join(strip_ansi(value if isinstance(value, str) else "").split())


def _cell(value: JSON) -> str:
    return _plain(value).replace("|", "\\|").replace("`", "'")
