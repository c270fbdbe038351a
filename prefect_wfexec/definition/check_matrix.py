"""Checks of what makes several steps of one: `matrix` and `environments`."""

from prefect_wfexec.definition.catalog import StepSpec
from prefect_wfexec.definition.diagnostics import shown
from prefect_wfexec.definition.draft import Draft, StepDraft
from prefect_wfexec.definition.expansion import MAX_STEPS
from prefect_wfexec.definition.expressions import ExpressionError
from prefect_wfexec.definition.instances import MAX_COMBINATIONS, twice, value_fault
from prefect_wfexec.definition.model import JSON
from prefect_wfexec.definition.raw import DEPLOY_PHASE
from prefect_wfexec.definition.templates import Expression, split_template

Path = tuple[str | int, ...]

DEPLOY_PREFIX = "deploy."


def check_matrix(draft: Draft, step: StepDraft) -> None:
    """A matrix has names with lists of plain values, or with an expression that gives one."""
    path = (*step.path, "matrix")
    if not step.raw.matrix:
        draft.report.error("bad-matrix", "'matrix' is empty", path, "write matrix: {region: [eu, us]}")
    for name, values in step.raw.matrix.items():
        if isinstance(values, str):
            _check_expression(draft, name, values, (*path, name))
        else:
            _check_values(draft, name, values, (*path, name))
    if count_of(step) > MAX_COMBINATIONS:
        message = f"the matrix has more than {MAX_COMBINATIONS} combinations"
        draft.report.error("bad-matrix", message, path, "take fewer values")


def check_environments(draft: Draft, step: StepDraft) -> None:
    """Environments are names, each once; they belong to steps that deploy, and stand in for a matrix."""
    report, names = draft.report, step.raw.environments
    path = (*step.path, "environments")
    if not names:
        report.error("bad-value", "'environments' is empty", path, "name them, or remove the key")
    for number, name in enumerate(names):
        problem, hint = value_fault(name)
        if problem:
            report.error("bad-value", f"{shown(name)} can't be the name of an environment", (*path, number), hint)
    for number in twice(names):
        report.error("bad-value", f"{shown(names[number])} stands twice in 'environments'", (*path, number))
    if "matrix" in step.keys:
        message = f"{step.label} has both 'matrix' and 'environments'"
        report.error_at_key("matrix-and-environments", message, path, "leave one out, or write one step for each value")


def check_deploys(draft: Draft, step: StepDraft, spec: StepSpec) -> None:
    """`environments` belongs to a step that deploys: by its type, or by its phase."""
    is_deploy = spec.name.startswith(DEPLOY_PREFIX) or (step.phase == DEPLOY_PHASE and not spec.is_gate)
    if "environments" in step.keys and not is_deploy:
        draft.report.error_at_key(
            "environments-not-deploy",
            f"{step.label} is no deploy step, so it has no 'environments'",
            (*step.path, "environments"),
            "only deploy.… steps, and those of the phase 'deploy', go through environments in turn",
        )


def count_of(step: StepDraft) -> int:
    """How many instances a step has as far as its definition says it, one when it has no more."""
    count = max(1, len(step.raw.environments))
    for values in step.raw.matrix.values():
        count *= max(1, len(values)) if isinstance(values, list) else 1
    return count


def check_size(draft: Draft) -> None:
    """A run has no more steps than a person can look through."""
    count = sum(min(count_of(step), MAX_COMBINATIONS) for step in draft.steps)
    if len(draft.steps) <= MAX_STEPS < count:
        key = "steps" if draft.has("steps") else "phases"
        message = f"a run of the workflow has {count} steps; {MAX_STEPS} are the most"
        draft.report.error_at_key("too-large", message, (key,), "take fewer values in its matrices")


def _check_expression(draft: Draft, name: str, text: str, path: Path) -> None:
    try:
        parts = split_template(text)
    except ExpressionError:
        return  # told with the other expressions
    if len(parts) != 1 or not isinstance(parts[0], Expression):
        hint = f"write {name}: [{text[:40]}]"
        draft.report.error("bad-matrix", f"'{name}' must be a list", path, hint)


def _check_values(draft: Draft, name: str, values: list[JSON], path: Path) -> None:
    if not values:
        draft.report.error("bad-matrix", f"'{name}' is empty", path, "list its values")
    some = values[: MAX_COMBINATIONS + 1]
    for number, value in enumerate(some):
        problem, hint = value_fault(value)
        if problem:
            draft.report.error("bad-matrix", problem, (*path, number), hint)
    for number in twice(some):
        draft.report.error("bad-matrix", f"{shown(values[number])} stands twice in '{name}'", (*path, number))
