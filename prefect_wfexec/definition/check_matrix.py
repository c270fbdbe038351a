"""Checks of a step's `matrix`."""

from collections.abc import Mapping

from prefect_wfexec.definition.diagnostics import shown
from prefect_wfexec.definition.draft import Draft, StepDraft
from prefect_wfexec.definition.expressions import ExpressionError
from prefect_wfexec.definition.model import JSON
from prefect_wfexec.definition.templates import Expression, split_template

Path = tuple[str | int, ...]

MAX_COMBINATIONS = 256


def check_matrix(draft: Draft, step: StepDraft) -> None:
    """A matrix has names with lists of plain values, or with an expression that gives one."""
    path = (*step.path, "matrix")
    if not step.raw.matrix:
        draft.report.error("bad-matrix", "'matrix' is empty", path, "write matrix: {region: [eu, us]}")
    combinations = 1
    for name, values in step.raw.matrix.items():
        if isinstance(values, str):
            _check_expression(draft, name, values, (*path, name))
        else:
            combinations *= max(1, len(values))
            _check_values(draft, name, values, (*path, name))
    if combinations > MAX_COMBINATIONS:
        message = f"the matrix has more than {MAX_COMBINATIONS} combinations"
        draft.report.error("bad-matrix", message, path, "take fewer values")


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
    seen: set[tuple[type, JSON]] = set()
    for number, value in enumerate(values[: MAX_COMBINATIONS + 1]):
        if isinstance(value, list | Mapping) or value is None:
            message = "a value of a matrix is text, a number or a boolean"
            draft.report.error("bad-matrix", message, (*path, number))
        elif (type(value), value) in seen:
            draft.report.error("bad-matrix", f"{shown(value)} stands twice in '{name}'", (*path, number))
        else:
            seen.add((type(value), value))
