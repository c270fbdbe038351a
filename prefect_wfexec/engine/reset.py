"""Which steps run again when a run that has ended is retried: a pure function of the folded state."""

from collections.abc import Iterator

from prefect_wfexec.definition.expressions import references
from prefect_wfexec.definition.model import Step
from prefect_wfexec.engine.outcome import counts_as_failed
from prefect_wfexec.engine.outline import Outline
from prefect_wfexec.journal.state import ExecutionState
from prefect_wfexec.status import StepStatus

_PLAN = "terraform.plan"
_AFTERMATH = frozenset({"always", "failure"})


def reset_for_retry(outline: Outline, state: ExecutionState) -> dict[str, str]:
    """What runs again, in the order of the definition, and why; empty when nothing failed.

    The steps that failed or were cancelled, those that never ran because of them, what runs after a failure or always,
    and a plan that was used, with its gate: a saved plan is never applied twice.
    """
    failed = [step_id for step_id in outline.in_order(state.failed) if counts_as_failed(outline, state, step_id)]
    if not failed:
        return {}
    found = {step_id: f"it {state.step(step_id).status.value.lower()}" for step_id in failed}
    for step_id in failed:
        for other in _used_plans(outline, state, outline.steps[step_id]):
            found.setdefault(other, f"'{step_id}' has used the plan")
    # In the order of the graph: what is found here may have dependants that are found because of it.
    for step_id in outline.order:
        reason = _follows(outline, state, outline.steps[step_id], found)
        if reason:
            found.setdefault(step_id, reason)
    return {step_id: found[step_id] for step_id in outline.in_order(found)}


def reset_for_step(outline: Outline, state: ExecutionState, step_id: str) -> dict[str, str]:
    """What runs again with one failed step of a run that goes on: the step, and a plan it has used with its gate."""
    found = {step_id: "it failed"}
    for other in _used_plans(outline, state, outline.steps[step_id]):
        found.setdefault(other, f"'{step_id}' has used the plan")
    return {one: found[one] for one in outline.in_order(found)}


def _follows(outline: Outline, state: ExecutionState, step: Step, found: dict[str, str]) -> str:
    current = state.step(step.id)
    if step.when == "cancelled":
        return "it runs when the run is cancelled"
    above = outline.ancestors_among(step.id, found)
    if not above:
        return ""
    if current.status is StepStatus.PENDING or current.skip_cause == "upstream":
        return f"it never ran because of '{above[-1]}'"
    if step.when in _AFTERMATH:
        return f"it runs after '{above[-1]}'"
    return ""


def _used_plans(outline: Outline, state: ExecutionState, step: Step) -> Iterator[str]:
    """The plan a step has used, and what was made of that plan on the way to the step."""
    if not state.step(step.id).claims:
        return
    named = _named(step)
    plans = {step_id for step_id in named if outline.steps[step_id].uses == _PLAN}
    yield from plans
    for other in outline.ancestors_among(step.id, outline.steps):
        if _named(outline.steps[other]) & plans:
            yield other


def _named(step: Step) -> frozenset[str]:
    """The steps whose outputs or status a step names."""
    names = references({"with": dict(step.with_), "env": dict(step.env)}).steps
    condition = references(step.if_, is_expression=True).steps if step.if_ is not None else frozenset()
    return frozenset(names) | frozenset(condition)
