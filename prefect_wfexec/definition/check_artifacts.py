"""Checks of a step's `artifacts`."""

from prefect_wfexec.definition.diagnostics import shown
from prefect_wfexec.definition.draft import Draft, StepDraft
from prefect_wfexec.definition.templates import is_deferred

IN_WORKSPACE = "$WFEXEC_WORKSPACE/"


def check_artifacts(draft: Draft, step: StepDraft) -> None:
    """Each is a path or pattern below where the step runs, or below the run's folder."""
    path = (*step.path, "artifacts")
    if not step.raw.artifacts:
        draft.report.error("bad-artifact", "'artifacts' is empty", path, "list the files, or remove the key")
    if step.spec is not None and step.spec.is_gate:
        draft.report.error_at_key(
            "bad-artifact", f"{step.label} waits for people: it leaves no files", path, "remove 'artifacts'"
        )
    for number, pattern in enumerate(step.raw.artifacts):
        problem = "" if is_deferred(pattern) else _problem(pattern)
        if problem:
            hint = f"write it like dist/*.whl, or {IN_WORKSPACE}report.txt"
            draft.report.error("bad-artifact", f"the artifact {shown(pattern)} {problem}", (*path, number), hint)


def _problem(pattern: str) -> str:
    inside = pattern.removeprefix(IN_WORKSPACE)
    if not inside.isprintable() or "\\" in inside:
        return "holds a character that no pattern has"
    if inside.startswith(("/", "~")) or "$" in inside:
        return "does not start where the step runs"
    if inside.startswith("-"):
        return "begins with a hyphen, as options do"
    parts = inside.split("/")
    if ".." in parts:
        return "leads out of where the step runs"
    return "" if any(part not in {"", "."} for part in parts) else "names nothing"
