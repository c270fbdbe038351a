"""What a protected environment asks of a definition and of a run: nothing changes there unapproved. Pure."""

from collections.abc import Collection

from prefect_wfexec.definition.expressions import ExpressionError, references, render
from prefect_wfexec.definition.model import JSON, Step
from prefect_wfexec.engine.approvals.gates import is_plan_reference, subject_digest
from prefect_wfexec.engine.outline import Outline
from prefect_wfexec.engine.scope import Scopes
from prefect_wfexec.journal.state import ExecutionState
from prefect_wfexec.status import StepStatus
from prefect_wfexec.steps.registry import find_step_type

_MATERIAL = ("plan", "image")
"""The keys of `with` that hold what a step brings into the environment."""


def unguarded(outline: Outline, deployments: Collection[str] = ()) -> tuple[str, str] | None:
    """The first step that would change something without a gate, in words, and the mend; None when each has one.

    Args:
        outline: The workflow.
        deployments: Look at these steps instead, which deploy to protected environments that do not ask by themselves.
    """
    for step in outline.workflow.steps:
        is_looked_at = step.id in deployments if deployments else changes(step) and step.environment is None
        if not is_looked_at or guards(outline, step):
            continue
        wanted = _named(_material(step))
        if wanted:
            source = wanted[0]
            hint = f"put an approval before it with `subject: ${{{{ steps.{source}.outputs… }}}}`, as its `with` has it"
            return f"step '{step.id}' needs an approval of what '{source}' gives", hint
        hint = "put an approval step before it"
        hint += ", or make the deployments of the environment manual" if step.environment else ""
        return f"step '{step.id}' needs an approval before it", hint
    return None


def changes(step: Step) -> bool:
    """Whether a step changes infrastructure."""
    return find_step_type(step.uses).spec.changes_infrastructure


def guards(outline: Outline, step: Step) -> list[Step]:
    """The gates a step can't run without: those above it that ask about what it brings in."""
    gates = [other for other in outline.steps.values() if find_step_type(other.uses).spec.is_gate]
    above = [outline.steps[found] for found in outline.ancestors_among(step.id, [gate.id for gate in gates])]
    material = _material(step)
    return above if material is None else [gate for gate in above if _asks_about(gate.with_.get("subject"), material)]


def is_approved(outline: Outline, scopes: Scopes, state: ExecutionState, step: Step) -> bool:
    """Whether what a step is about to bring in was approved, and not something else.

    A gate that its own condition skipped approves nothing; a plan without changes needs no approval.
    """
    material, scopes = _material(step), scopes.portable
    brought = _rendered(material, scopes, state, step)
    if _is_empty_plan(brought, outline, scopes, state):
        return True
    for gate_step in guards(outline, step):
        gate = next((gate for gate in reversed(state.gates) if gate.step == gate_step.id), None)
        has_succeeded = state.step(gate_step.id).status is StepStatus.SUCCESS
        if gate is None or not has_succeeded or gate.outcome != "approved":
            continue
        subject = _rendered(gate_step.with_.get("subject"), scopes, state, gate_step)
        is_it = subject == brought if is_plan_reference(subject) else _holds(subject, brought)
        if material is None or (subject_digest(subject) == gate.subject_digest and is_it):
            return True
    return False


def _material(step: Step) -> JSON:
    return next((step.with_[key] for key in _MATERIAL if step.with_.get(key) is not None), None)


def _asks_about(subject: JSON, material: JSON) -> bool:
    wanted, asked = references(material), references(subject)
    if not wanted.all:
        return _holds(subject, material)
    return all(names <= asked.outputs.get(step, frozenset()) for step, names in wanted.outputs.items())


def _rendered(value: JSON, scopes: Scopes, state: ExecutionState, step: Step) -> JSON:
    try:
        return render(value, scopes.scope(state, value, step))
    except ExpressionError:
        return None


def _holds(subject: JSON, part: JSON) -> bool:
    """Whether a value is the subject, or stands in it."""
    if part is None:
        return False
    if subject == part:
        return True
    inner = subject.values() if isinstance(subject, dict) else subject if isinstance(subject, list) else ()
    return any(_holds(one, part) for one in inner)


def _is_empty_plan(brought: JSON, outline: Outline, scopes: Scopes, state: ExecutionState) -> bool:
    """Whether this is the very plan of a plan step that found nothing to change, whoever handed it on."""
    plans = [step.id for step in outline.workflow.steps if step.uses == "terraform.plan"]
    outputs = [scopes.outputs(state, name) for name in plans]
    return brought is not None and any(
        found.get("plan") == brought and found.get("has_changes") is False for found in outputs
    )


def _named(value: JSON) -> list[str]:
    return sorted(references(value).steps) if value is not None else []
