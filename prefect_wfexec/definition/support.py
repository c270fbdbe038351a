"""What compiles but can't be run by this version. Later versions take rows out."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from prefect_wfexec.definition.catalog import Catalog
from prefect_wfexec.definition.diagnostics import Diagnostic, sort_by_place
from prefect_wfexec.definition.model import JSON, Step, Workflow

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


@dataclass(frozen=True, slots=True)
class _GateRow:
    """A key of an approval's `with`; `harmless` holds values that change nothing."""

    key: str
    message: str
    harmless: tuple[JSON, ...] = (None,)


_WORKFLOW = (
    _WorkflowRow(
        lambda workflow: workflow.concurrency is not None,
        "a lock on the whole run",
        "remove 'concurrency' and start one run at a time",
    ),
    _WorkflowRow(
        lambda workflow: any(step.phase for step in workflow.steps),
        "a pipeline with phases",
        "write the steps under 'steps'",
    ),
)
_STEP = (
    _StepRow(lambda step: step.matrix is not None, "a matrix", "write one step for each value"),
    _StepRow(lambda step: bool(step.environments), "a deployment to several environments", "write one step for each"),
    _StepRow(lambda step: step.on_failure == "ask", "'on_failure: ask'", "use 'fail' or 'continue'"),
)
_GATE = (
    _GateRow("approvers", "an approval by named people", (None, [])),
    _GateRow("quorum", "an approval by several people", (None, 1)),
    _GateRow("policy", "an approval policy"),
    _GateRow("notify", "a notification of approvers", (None, [])),
    _GateRow("allow_self", "a rule on who may approve", (None, False)),
    _GateRow("fields", "more fields in an approval's form", (None, {})),
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
    if spec is not None and spec.is_gate:
        yield from _of_gate(step.with_)


def _of_gate(values: Mapping[str, JSON]) -> Iterator[tuple[str, str]]:
    for row in _GATE:
        if row.key in values and not any(_is_same(values[row.key], one) for one in row.harmless):
            yield row.message, f"remove '{row.key}' from the approval's 'with'"


def _is_same(one: JSON, other: JSON) -> bool:
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)
