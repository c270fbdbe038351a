"""A definition becomes the steps of a run: its matrices and environments one by one, Validation before its phases.

It depends on the definition and the run's inputs alone, so whoever reads the run's journal sees the same steps.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from prefect_wfexec.definition.expressions import ExpressionError, references, render
from prefect_wfexec.definition.instances import (
    MAX_COMBINATIONS,
    instances_of_environments,
    instances_of_matrix,
    twice,
    value_fault,
)
from prefect_wfexec.definition.model import JSON, Instance, Step, Workflow
from prefect_wfexec.definition.raw import VALIDATION
from prefect_wfexec.definition.templates import is_deferred

MAX_STEPS = 2000
VALIDATION_TIMEOUT_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class MatrixFault:
    """Why a step could not be taken apart; it stands in the run as one step, which never starts."""

    step: str
    message: str
    hint: str = ""


def expand(workflow: Workflow, inputs: Mapping[str, JSON]) -> Workflow:
    """The workflow with the steps that a run of it has; one that is expanded already stays as it is."""
    return _Expansion(workflow, inputs).workflow


def expansion_faults(workflow: Workflow, inputs: Mapping[str, JSON]) -> list[MatrixFault]:
    """What keeps a run with these inputs from having all its steps."""
    return _Expansion(workflow, inputs).faults


class _Expansion:
    def __init__(self, workflow: Workflow, inputs: Mapping[str, JSON]) -> None:
        self.faults: list[MatrixFault] = []
        self._scope = {"workflow": _workflow_scope(workflow), "inputs": dict(inputs)}
        found = {step.id: self._instances(step) for step in workflow.steps}
        made = {step_id: instances for step_id, instances in found.items() if instances}
        count = len(workflow.steps) + sum(len(instances) - 1 for instances in made.values())
        if count > MAX_STEPS:
            largest = max(made, key=lambda step_id: len(made[step_id]))
            hint = "split the workflow, or take fewer values"
            self.faults.append(MatrixFault(largest, f"the run has {count} steps; {MAX_STEPS} are the most", hint))
            made = {}
        self.workflow = _with_validation(_with_instances(workflow, made))

    def _instances(self, step: Step) -> list[Instance]:
        if step.environments:
            return instances_of_environments(step.id, step.environments)
        if step.matrix is None:
            return []
        lists: dict[str, list[JSON]] = {}
        combinations = 1
        for name, given in step.matrix.items():
            values = self._values(step, name, given)
            if values is None:
                return []
            lists[name] = values
            combinations *= len(values)
        if combinations > MAX_COMBINATIONS:
            self._fault(step, f"the matrix has {combinations} combinations; {MAX_COMBINATIONS} are the most")
            return []
        return instances_of_matrix(step.id, lists)

    def _values(self, step: Step, name: str, given: JSON) -> list[JSON] | None:
        """The values of one name; None when they are none, which is then known."""
        try:
            values = render(given, self._scope) if is_deferred(given) else given
        except ExpressionError as error:
            self._fault(step, f"the values of '{name}' can't be worked out: {error.message}", error.hint or "")
            return None
        if not isinstance(values, list):
            self._fault(step, f"'{name}' of the matrix is no list")
        elif not values:
            self._fault(step, f"'{name}' of the matrix is empty", "give it one value or more")
        elif len(values) > MAX_COMBINATIONS:
            self._fault(step, f"'{name}' of the matrix has {len(values)} values; {MAX_COMBINATIONS} are the most")
        else:
            return self._sound(step, name, values)
        return None

    def _sound(self, step: Step, name: str, values: list[JSON]) -> list[JSON] | None:
        problem, hint = next((fault for value in values if (fault := value_fault(value))[0]), ("", ""))
        if not problem and (places := twice(values)):
            problem, hint = f"{values[places[0]]!r} stands twice", "take it out"
        if problem:
            self._fault(step, f"'{name}' of the matrix: {problem}", hint)
            return None
        return values

    def _fault(self, step: Step, message: str, hint: str = "take fewer values") -> None:
        self.faults.append(MatrixFault(step.id, message, hint))


def _workflow_scope(workflow: Workflow) -> dict[str, JSON]:
    return {
        "name": workflow.name,
        "description": workflow.description,
        "version": workflow.version,
        "digest": workflow.digest,
    }


def _with_instances(workflow: Workflow, made: Mapping[str, Sequence[Instance]]) -> Workflow:
    if not made:
        return workflow
    ids = {step_id: tuple(one.id for one in instances) for step_id, instances in made.items()}
    steps: list[Step] = []
    for step in workflow.steps:
        needs = tuple(one for need in step.needs for one in ids.get(need, (need,)))
        own = made.get(step.id)
        steps += _instances_of(step, own, needs) if own else [replace(step, needs=needs)]
    inputs = {
        step.id: references(dict(step.matrix)).inputs for step in workflow.steps if step.matrix and step.id in ids
    }
    return replace(workflow, steps=tuple(steps), instances=ids, matrix_inputs=inputs)


def _instances_of(step: Step, instances: Sequence[Instance], needs: tuple[str, ...]) -> list[Step]:
    """The steps of a matrix stand side by side; those of environments come one after the other."""
    steps: list[Step] = []
    for instance in instances:
        above = (steps[-1].id,) if steps and instance.environment is not None else needs
        name = f"{step.name} [{instance.key}]"
        steps.append(
            replace(step, id=instance.id, name=name, needs=above, matrix=None, environments=(), instance=instance)
        )
    return steps


def _with_validation(workflow: Workflow) -> Workflow:
    has_phases = any(step.phase for step in workflow.steps)
    if not has_phases or any(step.uses == VALIDATION for step in workflow.steps):
        return workflow
    first = Step(
        id=VALIDATION,
        name="Validation",
        uses=VALIDATION,
        timeout_seconds=VALIDATION_TIMEOUT_SECONDS,
        phase=VALIDATION,
        line=1,
    )
    steps = (step if step.needs else replace(step, needs=(VALIDATION,)) for step in workflow.steps)
    return replace(workflow, steps=(first, *steps))
