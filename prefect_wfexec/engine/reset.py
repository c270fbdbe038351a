"""Which steps run again when a run is taken up again: pure functions of the folded state."""

import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from prefect_wfexec.definition.expressions import references
from prefect_wfexec.definition.model import JSON, Step
from prefect_wfexec.definition.references import References
from prefect_wfexec.engine.outcome import BLOB_GONE, counts_as_failed
from prefect_wfexec.engine.outline import Outline
from prefect_wfexec.errors import UsageError, join_names
from prefect_wfexec.journal.state import ExecutionState
from prefect_wfexec.status import StepStatus
from prefect_wfexec.steps.registry import find_step_type

ResetKind = Literal["retry", "retry_from", "skip"]
RESET_KINDS: tuple[ResetKind, ...] = get_args(ResetKind)
"""What may be asked of a run that has ended."""
_PLAN = "terraform.plan"
_AFTERMATH = frozenset({"always", "failure"})
_PLAN_IS_GONE = frozenset({"stale_plan", "plan_mismatch", "plan_used", BLOB_GONE})
"""The faults of a step that its plan can't be used any more, whether or not it was."""


class CannotReset(UsageError):
    """What was asked for can't be done with the run as it is."""

    code = "no-reset"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody wants done again.

    Attributes:
        kind: `retry`: what failed; `retry_from`: a step and all behind it; `skip`: what never ran because of a step.
        step: The step; None with `retry`: every step that failed.
        inputs: The inputs that are other than they were.
    """

    kind: ResetKind = "retry"
    step: str | None = None
    inputs: Mapping[str, JSON] = field(default_factory=dict)


def reset_set(outline: Outline, state: ExecutionState, wanted: Wanted) -> dict[str, str]:
    """What runs again, in the order of the definition, and why.

    Raises:
        CannotReset: nothing would, or the step is not one that this can be done with.
    """
    if wanted.step is not None and not outline.named(wanted.step):
        known = join_names(list(outline.steps))
        raise CannotReset(f"the workflow has no step '{wanted.step}'", hint=f"it has {known}", code="unknown-step")
    _require_same_instances(outline, wanted)
    if wanted.kind == "retry_from":
        found = _from(outline, state, wanted)
    elif wanted.kind == "skip":
        found = _skipping(outline, state, wanted)
    else:
        found = _failed(outline, state, wanted)
    found = _with_what_changed(outline, state, wanted, found)
    return _with_validation(outline, _with_gates(outline, state, found))


def _require_same_instances(outline: Outline, wanted: Wanted) -> None:
    """That the run keeps the steps it has: what one has made is known by its step."""
    for step_id, names in outline.workflow.matrix_inputs.items():
        changed = sorted(names & set(wanted.inputs))
        if changed:
            words = f"the matrix of step '{step_id}' is made of the input {join_names(changed)}, which does not change"
            raise CannotReset(words, hint="start a new run with the other inputs", code="matrix-changed")


def _with_validation(outline: Outline, found: dict[str, str]) -> dict[str, str]:
    """The same, and the step that looks at everything before: tools, blocks and environments may be others by now."""
    if outline.validation is None:
        return found
    return {outline.validation.id: "it looks at the run anew", **found}


def reset_for_step(outline: Outline, state: ExecutionState, step_id: str) -> dict[str, str]:
    """What runs again with one failed step of a run that goes on: the step, and a plan it has used with its gate."""
    found = {step_id: "it failed"}
    _add_used_plans(outline, state, found)
    return _with_gates(outline, state, _in_order(outline, found))


def failed_steps(outline: Outline, state: ExecutionState) -> list[str]:
    """The steps whose failure counts, or that were cancelled, in the order of the definition."""
    return [step_id for step_id in outline.in_order(state.failed) if counts_as_failed(outline, state, step_id)]


def _failed(outline: Outline, state: ExecutionState, wanted: Wanted) -> dict[str, str]:
    """The steps that failed or were cancelled, what never ran because of them, and what runs after a failure or always.

    With them a plan that was used, and its gate: a saved plan is never applied twice. In a run that lost its process
    between two steps, or at a gate, nothing has failed: it goes on with what has not run, and an open gate stays open.
    """
    failed = failed_steps(outline, state) if wanted.step is None else _failed_named(outline, state, wanted.step)
    if not failed and state.closed is None:
        return _ahead(outline, state) if wanted.inputs else {}
    if not failed:
        raise CannotReset("nothing in this run failed", hint="name a step with --from", code="nothing-failed")
    found = {step_id: _how_it_ended(state, step_id) for step_id in failed}
    _add_used_plans(outline, state, found)
    _add_followers(outline, state, found)
    return _in_order(outline, found)


def _ahead(outline: Outline, state: ExecutionState) -> dict[str, str]:
    """What has not run; with other inputs a gate that is open asks about something else."""
    return {step_id: "it has not run yet" for step_id in outline.order if not state.step(step_id).status.is_final}


def _how_it_ended(state: ExecutionState, step_id: str) -> str:
    return "it was cancelled" if state.step(step_id).status is StepStatus.CANCELLED else "it failed"


def _failed_named(outline: Outline, state: ExecutionState, name: str) -> list[str]:
    """The step of this name, which has failed; of a step with several instances those that have."""
    ids = outline.named(name)
    failed = [step_id for step_id in ids if state.step(step_id).status in {StepStatus.FAILED, StepStatus.CANCELLED}]
    return failed or [_failed_step(outline, state, ids[0])]


def _failed_step(outline: Outline, state: ExecutionState, step_id: str) -> str:
    current = state.step(step_id)
    if current.status in {StepStatus.FAILED, StepStatus.CANCELLED}:
        return step_id
    word = "has not run" if current.status is StepStatus.PENDING else f"is {current.status.value}"
    failed = failed_steps(outline, state)
    hint = f"retry {join_names(failed)}" if failed else f"run it again with --from {shlex.quote(step_id)}"
    raise CannotReset(f"step '{step_id}' has not failed, it {word}", hint=hint, code="not-failed")


def _from(outline: Outline, state: ExecutionState, wanted: Wanted) -> dict[str, str]:
    """A step and everything behind it, whatever became of it; a plan that one of them has used, with its gate."""
    firsts = outline.named(wanted.step or "")
    found = dict.fromkeys(firsts, "it was asked for")
    for step_id in outline.order:
        above = outline.ancestors_among(step_id, firsts)
        if above:
            found.setdefault(step_id, f"it comes after '{above[0]}'")
    _add_used_plans(outline, state, found)
    return _in_order(outline, found)


def _skipping(outline: Outline, state: ExecutionState, wanted: Wanted) -> dict[str, str]:
    """What is to run once a step that failed counts as skipped."""
    step = _one_named(outline, wanted.step or "")
    _failed_step(outline, state, step.id)
    if find_step_type(step.uses).spec.is_gate:
        raise CannotReset(f"step '{step.id}' is a gate, and a gate is never skipped", code="no-skip")
    if not step.allow_skip:
        words = f"step '{step.id}' may not be skipped"
        raise CannotReset(words, hint="`allow_skip: true` in its definition says that it may", code="no-skip")
    missing = needed_outputs(outline, step)
    if missing:
        words = f"step '{step.id}' can't be skipped: what comes after it needs its output {join_names(missing)}"
        raise CannotReset(words, hint="give the step default `outputs`", code="no-skip")
    found = {step.id: "it is skipped"}
    _add_followers(outline, state, found)
    return _in_order(outline, found)


def _one_named(outline: Outline, name: str) -> Step:
    """The step of this name.

    Raises:
        CannotReset: it has several instances.
    """
    ids = outline.named(name)
    if ids != (name,):
        words = f"step '{name}' has several instances, and one is skipped at a time"
        raise CannotReset(words, hint=f"name one of {join_names(list(ids))}", code="no-skip")
    return outline.steps[name]


def needed_outputs(outline: Outline, step: Step) -> list[str]:
    """The outputs of a step that others name and that have no default, sorted."""
    named: set[str] = set()
    for other in outline.workflow.steps:
        found = references({"with": dict(other.with_), "env": dict(other.env)})
        named |= _outputs_named(found, step)
        if other.if_ is not None:
            named |= _outputs_named(references(other.if_, is_expression=True), step)
    return sorted(named - set(step.outputs or {}))


def _outputs_named(found: References, step: Step) -> set[str]:
    """The outputs of a step that expressions name; those of an instance stand under its key."""
    instance = step.instance
    if instance is None:
        return set(found.outputs.get(step.id, ()))
    paths = [one.path for one in found.all if one.root == "steps" and one.path[:2] == (instance.of, "outputs")]
    return {path[3] for path in paths if len(path) > 3 and path[2] == instance.key}


def _add_followers(outline: Outline, state: ExecutionState, found: dict[str, str]) -> None:
    # In the order of the graph: what is found here may have dependants that are found because of it.
    for step_id in outline.order:
        reason = _follows(outline, state, outline.steps[step_id], found)
        if reason:
            found.setdefault(step_id, reason)


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


def _add_used_plans(outline: Outline, state: ExecutionState, found: dict[str, str]) -> None:
    for step_id in list(found):
        for other in _used_plans(outline, state, outline.steps[step_id]):
            found.setdefault(other, f"'{step_id}' has used the plan")


def _used_plans(outline: Outline, state: ExecutionState, step: Step) -> Iterator[str]:
    """The plan a step has used, or found to be of no use, and what was made of that plan on the way to the step."""
    current = state.step(step.id)
    is_of_no_use = current.fault is not None and current.fault.type in _PLAN_IS_GONE
    if not current.claims and not is_of_no_use:
        return
    named = _named(outline, step)
    plans = {step_id for step_id in named if outline.steps[step_id].uses == _PLAN}
    if step.instance is not None:
        key = step.instance.key
        plans = {one for one in plans if (own := outline.steps[one].instance) and own.key == key} or plans
    yield from plans
    for other in outline.ancestors_among(step.id, outline.steps):
        if _named(outline, outline.steps[other]) & plans:
            yield other


def _with_gates(outline: Outline, state: ExecutionState, found: dict[str, str]) -> dict[str, str]:
    """The same, and every gate about a step that runs again, as long as something waits behind it.

    Its answer, there or to come, would let something through that nobody was asked about.
    """
    for step_id in outline.order:
        step = outline.steps[step_id]
        about = outline.in_order(_named(outline, step) & set(found))
        is_asked = find_step_type(step.uses).spec.is_gate and state.step(step_id).status is not StepStatus.PENDING
        if about and is_asked and step_id not in found and _is_something_behind(outline, state, step_id, found):
            found = {**found, step_id: f"it asks about '{about[0]}'"}
    return _in_order(outline, found)


def _is_something_behind(outline: Outline, state: ExecutionState, gate: str, found: Mapping[str, str]) -> bool:
    behind = (other for other in outline.order if outline.ancestors_among(other, (gate,)))
    return any(other in found or not state.step(other).status.is_final for other in behind)


def _with_what_changed(
    outline: Outline, state: ExecutionState, wanted: Wanted, found: dict[str, str]
) -> dict[str, str]:
    """The same, and what led to it with inputs that are now others: made of the old ones, it does not fit any more."""
    changed = set(wanted.inputs)
    if not changed:
        return found
    if inputs_are_decided(state):
        # Whoever reaches Prefect's API can ask for this, and named people have approved what there was.
        words = "the inputs of a run that named people decide on do not change"
        raise CannotReset(words, hint="start a new run with the other inputs", code="inputs-decided")
    environment = outline.workflow.environment
    if environment is not None and changed & references(environment).inputs:
        words = "the target environment of a run does not change"
        raise CannotReset(words, hint="start a new run with the other inputs", code="environment-changed")
    for step_id in outline.order:
        used = changed & _inputs_of(outline.steps[step_id])
        if used and step_id not in found and _leads_to(outline, step_id, found):
            found[step_id] = f"it uses the input {join_names(sorted(used))}, which has changed"
    for step_id in outline.order:
        above = outline.ancestors_among(step_id, found)
        if step_id not in found and above and _leads_to(outline, step_id, found):
            found[step_id] = f"it comes after '{above[-1]}'"
    _add_used_plans(outline, state, found)
    return _in_order(outline, found)


def inputs_are_decided(state: ExecutionState) -> bool:
    """Whether named people have a say in the run, so that its inputs stay as they are."""
    found = state.validation
    is_protected = found is not None and (
        found.is_protected or any(target.is_protected for target in found.targets.values())
    )
    return is_protected or any(gate.is_governed for gate in state.gates)


def _leads_to(outline: Outline, step_id: str, found: Iterable[str]) -> bool:
    return any(outline.ancestors_among(other, (step_id,)) for other in found)


def _in_order(outline: Outline, found: Mapping[str, str]) -> dict[str, str]:
    return {step_id: found[step_id] for step_id in outline.in_order(found)}


def _named(outline: Outline, step: Step) -> frozenset[str]:
    """The steps whose outputs or status a step names."""
    names = references({"with": dict(step.with_), "env": dict(step.env)}).steps
    condition = references(step.if_, is_expression=True).steps if step.if_ is not None else frozenset()
    return outline.all_named(frozenset(names) | frozenset(condition))


def _inputs_of(step: Step) -> frozenset[str]:
    """The inputs a step names."""
    names = references({"with": dict(step.with_), "env": dict(step.env)}).inputs
    condition = references(step.if_, is_expression=True).inputs if step.if_ is not None else frozenset()
    return frozenset(names) | frozenset(condition)
