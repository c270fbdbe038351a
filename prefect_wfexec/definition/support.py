"""What compiles but can't be run by this version. Later versions take rows out."""

from prefect_wfexec.definition.catalog import Catalog
from prefect_wfexec.definition.diagnostics import Diagnostic, sort_by_place
from prefect_wfexec.definition.model import Workflow
from prefect_wfexec.definition.raw import VALIDATION

CODE = "not-yet-supported"


def unsupported(workflow: Workflow, catalog: Catalog) -> list[Diagnostic]:
    """What this version can't run of a workflow that compiled; empty when it can be run.

    Triggers and cleanups are not listed: they do not stand in the way of a run started by hand.
    """
    file = str(workflow.path) if workflow.path is not None else "<text>"
    found = []
    for step in workflow.steps:
        spec = catalog.find(step.uses)
        if step.uses != VALIDATION and (spec is None or not spec.is_available):
            text = f"step '{step.id}': this version does not support the step type '{step.uses}' yet"
            hint = "remove the step to run the others"
            found.append(Diagnostic(file, max(step.line, 1), 1, "error", CODE, text, hint))
    return sort_by_place(found)
