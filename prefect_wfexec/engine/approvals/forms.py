"""The form by which a gate is decided in Prefect's UI: what it shows, and what somebody filled in. Pure.

Anybody who reaches Prefect's API can fill in a form, or set a run's state without one. So a form is worth no more than
a request: its answer is checked, and what opens the gate is the decision in the journal.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from typing import Any

from prefect_wfexec.definition.model import JSON, Workflow
from prefect_wfexec.engine.approvals.fields import field_schemas, required_fields
from prefect_wfexec.engine.instance_names import plain_name
from prefect_wfexec.journal.state import ExecutionState, Gate, StepState
from prefect_wfexec.runtime.ansi import strip_ansi

LONGEST_PLAN_LINES = 200
LONGEST_PLAN_CHARACTERS = 20_000
MOST_RESOURCES = 50


@dataclass(frozen=True, slots=True)
class Form:
    """What Prefect shows of a gate, and where it is kept among the run's inputs.

    Attributes:
        base: What the keys of its inputs begin with; a form that was answered never comes back under the same.
        step: The gate's step.
        generation: The gate's generation.
        schema: The fields, as a JSON Schema; what is to be decided on stands with the field of the decision.
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
        schema=_schema(gate, _question(gate, workflow, state)),
        description=_heading(gate, workflow),
    )


def form_base(gate: Gate) -> str:
    """What the keys of a gate's present form begin with."""
    return f"approval-{plain_name(gate.step)}-{gate.generation}-{gate.answers}"


def read_answer(form: Form, text: str) -> Answer:
    """The answer in what Prefect's server stored; an answer that says nothing when it is no object."""
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        values = {}
    return Answer(form.base, form.step, form.generation, values if isinstance(values, dict) else {})


def _schema(gate: Gate, question: str) -> dict[str, Any]:
    first, *others = gate.choices
    another = f"another to {others[0]}" if len(others) == 1 else "another for each other decision"
    fields: dict[str, dict[str, Any]] = {
        "decision": {"title": "Decision", "description": question, "enum": list(gate.choices), "type": "string"},
        **field_schemas(gate.fields),
        "approver": {
            "title": "Your name",
            "description": "Who you are, if you like: your code tells it."
            if gate.is_governed
            else "Recorded as you write it; it proves nothing by itself.",
            "type": "string",
            "default": "",
        },
        "code": {
            "title": "Your code",
            "description": f"The personal code you were sent: one is to {first}, {another}."
            if gate.is_governed
            else "Leave it empty: this decision is not tied to named people.",
            "type": "string",
            **({"minLength": 1} if gate.is_governed else {"default": ""}),
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
    conditions = [_when("reject", "comment", minLength=1)] if "reject" in gate.choices else []
    conditions += [_when(first, name) for name in required_fields(gate.fields)]
    return {
        "title": "Approval",
        "type": "object",
        "properties": fields,
        "required": ["decision", "code"] if gate.is_governed else ["decision"],
        "additionalProperties": False,
        **(conditions[0] if len(conditions) == 1 else {"allOf": conditions} if conditions else {}),
        "definitions": {},
    }


def _when(decision: str, name: str, **rule: JSON) -> dict[str, Any]:
    """That a field has to be filled in for a decision."""
    return {
        "if": {"properties": {"decision": {"const": decision}}, "required": ["decision"]},
        "then": {"properties": {name: rule}, "required": [name]},
    }


def _heading(gate: Gate, workflow: Workflow) -> str:
    step = next((step for step in workflow.steps if step.id == gate.step), None)
    return f"## {workflow.name}: {step.name if step else gate.step}"


def _question(gate: Gate, workflow: Workflow, state: ExecutionState) -> str:
    """What is to be decided on.

    Prefect's page squeezes the markdown above the fields until they fit into the window, on a small screen to nothing;
    the description of a field keeps its height, and the form scrolls.
    """
    planned = plan_of(gate, workflow, state)
    parts = [f"**Not counted: {_plain(gate.refusal)}.**" if gate.refusal else ""]
    # Markdown of the author's, with values from outside in it perhaps: of HTML nothing is left.
    parts.append(gate.message.replace("<", "&lt;"))
    parts.append(_votes(gate))
    if gate.news:
        parts.append("**New since it was approved before:**\n" + "\n".join(f"- {_plain(line)}" for line in gate.news))
    if planned is not None:
        parts += [f"**{_plain(planned.get('summary'))}**", _resource_table(planned)]
    if gate.expires is not None:
        parts.append(f"Open until {gate.expires.astimezone(UTC):%Y-%m-%d %H:%M} UTC.")
    if planned is not None:
        parts += [_plan_text(planned), _plan_link(state)]
    if gate.subject is not None:
        parts.append(f"What is decided on: `{gate.subject_digest[:16]}`")
    parts.append(_consequences(gate, workflow))
    # Of a field's description Prefect joins the lines, which spoils tables and code, but only where a newline ends
    # them; in Markdown a carriage return does too.
    return "\n\n".join(part for part in parts if part).replace("\r\n", "\n").replace("\n", "\r")


def _votes(gate: Gate) -> str:
    """How far it is with the approvals, where one does not do."""
    if gate.quorum == 1 and not gate.approvers:
        return ""
    names = ", ".join(_plain(found.by.name) for found in gate.approvals)
    votes = f"{len(gate.approvals)} of {gate.quorum} approved" + (f" by {names}" if names else "")
    may = f"May decide: {', '.join(_plain(name) for name in gate.approvers)}." if gate.approvers else ""
    return f"**{votes}.** {may}".strip()


def _consequences(gate: Gate, workflow: Workflow) -> str:
    """What each decision does."""
    if "approve" not in gate.choices:
        return (
            "**retry**: the step runs again. **skip**: the workflow goes on without it. **abort**: the step has failed."
        )
    following = [step for step in workflow.steps if gate.step in step.needs]
    names = ", ".join(f"{_plain(step.name)} (`{step.uses}`)" for step in following)
    goes_on = f"the workflow goes on with {names}" if names else "the workflow goes on"
    always = [step.name for step in workflow.steps if step.when in ("always", "failure")]
    rest = f"; only {', '.join(_plain(name) for name in always)} still run" if always else ""
    return f"**approve**: {goes_on}. **reject**: the run fails with your comment{rest}."


def plan_of(gate: Gate, workflow: Workflow | None, state: ExecutionState) -> Mapping[str, JSON] | None:
    """The outputs of the plan that a gate asks about, when it asks about one."""
    step = plan_step_of(gate, workflow, state)
    return step.outputs if step else None


def plan_step_of(gate: Gate, workflow: Workflow | None, state: ExecutionState) -> StepState | None:
    """The step that made the plan a gate asks about, when it asks about one."""
    for step in workflow.steps if workflow else ():
        found = state.step(step.id)
        if found.outputs.get("digest") == gate.subject_digest and isinstance(found.outputs.get("text"), str):
            return found
    return None


def _resource_table(planned: Mapping[str, JSON]) -> str:
    resources = planned.get("resources")
    rows = [item for item in resources if isinstance(item, dict)] if isinstance(resources, list) else []
    if not rows:
        return ""
    found = ["| action | resource |", "|---|---|"]
    found += [f"| {_cell(row.get('action'))} | `{_cell(row.get('address'))}` |" for row in rows[:MOST_RESOURCES]]
    if len(rows) > MOST_RESOURCES:
        found.append(f"| … | {len(rows) - MOST_RESOURCES} more |")
    return "\n".join(found)


def _plan_text(planned: Mapping[str, JSON]) -> str:
    text = strip_ansi(str(planned["text"])).replace("```", "` ` `")
    lines = text[:LONGEST_PLAN_CHARACTERS].splitlines()
    is_cut = len(lines) > LONGEST_PLAN_LINES or len(text) > LONGEST_PLAN_CHARACTERS
    found = ["```text", *lines[:LONGEST_PLAN_LINES], *(["…"] if is_cut else []), "```"]
    if is_cut:
        found += ["", "This is its beginning."]
    return "\n".join(found)


def _plan_link(state: ExecutionState) -> str:
    """Where the whole plan is: its page among the run's artifacts."""
    name = state.opened.run_name if state.opened else ""
    if not name.startswith("wfr_"):
        return "The whole plan is among the run's artifacts."
    return f"[The whole plan](/artifacts/key/{name.replace('_', '-')}-plan)"


def _plain(value: JSON) -> str:
    return " ".join(strip_ansi(value if isinstance(value, str) else "").split())


def _cell(value: JSON) -> str:
    return _plain(value).replace("|", "\\|").replace("`", "'")
