"""What compiles but can't be run by this version. Later versions take rows out."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from prefect_wfexec.definition.catalog import Catalog
from prefect_wfexec.definition.diagnostics import Diagnostic, sort_by_place
from prefect_wfexec.definition.model import Step, Workflow

CODE = "not-yet-supported"


@dataclass(frozen=True, slots=True)
class _WorkflowRow:
    applies: Callable[[Workflow], bool]
    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class _StepRow:
    applies: Callable[[Step], bool]
    message: str
    hint: str = ""


_WORKFLOW = (
    _WorkflowRow(
        lambda workflow: any(step.phase for step in workflow.steps),
        "a pipeline with phases",
        "write the steps under 'steps'",
    ),
)
_STEP = (
    _StepRow(lambda step: step.matrix is not None, "a matrix", "write one step for each value"),
    _StepRow(lambda step: bool(step.environments), "a deployment to several environments", "write one step for each"),
)


def unsupported(workflow: Workflow, catalog: Catalog) -> list[Diagnostic]:
    """What this version can't run of a workflow that compiled; empty when it can be run.

    Triggers and cleanups are not listed: they do not stand in the way of a run started by hand.
    """
    file = str(workflow.path) if workflow.path is not None else "<text>"
    found = [
        Diagnostic(file, 1, 1, "error", CODE, f"this version does not support {row.message} yet", row.hint)
        for row in _WORKFLOW
        if row.applies(workflow)
    ]
    for step in workflow.steps:
        line = max(step.line, 1)
        for message, hint in _of_step(step, catalog):
            text = f"step '{step.id}': this version does not support {message} yet"
            found.append(Diagnostic(file, line, 1, "error", CODE, text, hint))
    return sort_by_place(found)


def _of_step(step: Step, catalog: Catalog) -> Iterator[tuple[str, str]]:
    spec = catalog.find(step.uses)
    if spec is None or not spec.is_available:
        yield f"the step type '{step.uses}'", "remove the step to run the others"
    for row in _STEP:
        if row.applies(step):
            yield row.message, row.hint
