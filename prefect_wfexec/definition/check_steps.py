"""Checks of each step by itself: its id, type, `with`, script and options."""

import re

from prefect_wfexec.definition.check_artifacts import check_artifacts
from prefect_wfexec.definition.check_expressions import EVERYWHERE, Where, check_condition, check_value, references_in
from prefect_wfexec.definition.check_inputs import CEL_WORDS
from prefect_wfexec.definition.check_matrix import check_deploys, check_environments, check_matrix
from prefect_wfexec.definition.diagnostics import shown, suggest
from prefect_wfexec.definition.draft import Draft, StepDraft
from prefect_wfexec.definition.expressions import ExpressionError
from prefect_wfexec.definition.lenient import keys_of
from prefect_wfexec.definition.model import JSON
from prefect_wfexec.definition.raw import ID_PATTERN, VALIDATION
from prefect_wfexec.definition.references import references_of
from prefect_wfexec.definition.templates import OPEN, Expression, is_deferred, split_template
from prefect_wfexec.definition.withs import check_with

Path = tuple[str | int, ...]

MAX_ID = 64
MAX_TIMEOUT_SECONDS = 30 * 86400.0
APPLY, PLAN = "terraform.apply", "terraform.plan"

_ID = re.compile(ID_PATTERN, re.ASCII)
_WITH_ROOTS = EVERYWHERE | {"steps", "env", "matrix", "secrets"}
_ENV_ROOTS = EVERYWHERE | {"steps", "matrix", "secrets"}
_IF_ROOTS = EVERYWHERE | {"steps", "matrix"}
_MATRIX_ROOTS = frozenset({"workflow", "inputs"})
"""What is known before the first step, and stays as it is: how many steps a run has does not change on the way."""
_LITERAL_KEYS = (
    "id",
    "name",
    "uses",
    "needs",
    "when",
    "timeout",
    "retry",
    "on_failure",
    "outputs",
    "environments",
    "artifacts",
)


def check_id(draft: Draft, step: StepDraft) -> None:
    """Take the step's id when it is sound and free."""
    report = draft.report
    if "id" not in step.keys:
        if "id" not in step.data:
            report.error_at_key(
                "missing-key", f"{step.label} has no 'id'", step.path, "add an id, e.g. id: health_check"
            )
        return
    name = step.raw.id
    path = (*step.path, "id")
    if not _ID.fullmatch(name) or len(name) > MAX_ID or name in CEL_WORDS:
        report.error("bad-id", f"{shown(name)} can't be the id of a step", path, _id_mend(name))
        draft.faulty_ids |= {name, _folded(name)}
    elif name == VALIDATION and step.phase is not None:
        message = f"the id '{name}' is that of the step every pipeline begins with"
        report.error("reserved-id", message, path, "choose another id")
        draft.faulty_ids.add(name)
    elif name in draft.by_id:
        first = report.line_of((*draft.by_id[name].path, "id"))
        report.error("duplicate-id", f"the id '{name}' is taken, in line {first}", path, "choose another id")
    else:
        step.id = name
        draft.by_id[name] = step


def check_type(draft: Draft, step: StepDraft) -> None:
    """Find the step's type and check what depends on it."""
    _find_type(draft, step)
    _check_run(draft, step)
    spec = step.spec
    if spec is None:
        return
    is_given = "with" in step.data
    if not is_given or "with_" in step.keys:
        path = (*step.path, "with") if is_given else step.path
        check_with(draft.report, spec, step.raw.with_, path, step.label)
    if "outputs" in step.keys and not spec.open_outputs:
        _check_default_outputs(draft, step, keys_of(spec.outputs))
    if spec.changes_infrastructure and "retry" in step.keys and step.raw.retry.attempts > 1:
        draft.report.warning(
            "retry-changes-infrastructure",
            f"{step.label} changes infrastructure: it is not run again by itself after a failure",
            (*step.path, "retry"),
            "remove 'retry', look at what happened, and retry the run by hand",
        )
    check_deploys(draft, step, spec)


def check_options(draft: Draft, step: StepDraft) -> None:
    """Check durations, matrix, cleanup and the places that hold no expression."""
    report, raw = draft.report, step.raw
    if "timeout" in step.keys:
        check_timeout(draft, raw.timeout, (*step.path, "timeout"))
    if "timeout" in step.data and step.spec is not None and step.spec.is_gate:
        report.error_at_key(
            "gate-timeout",
            f"{step.label} waits for people, not for work: it has no 'timeout'",
            (*step.path, "timeout"),
            "say how long the gate stays open with: {expires: 4h}, and with on_expire what happens then",
        )
    if "matrix" in step.keys:
        check_matrix(draft, step)
    if "artifacts" in step.keys:
        check_artifacts(draft, step)
    if "environments" in step.keys:
        check_environments(draft, step)
    if "name" in step.keys and not raw.name.isprintable():
        report.error("bad-value", "'name' must be one line", (*step.path, "name"))
    for key in _LITERAL_KEYS:
        if key in step.data and is_deferred(step.data[key]):
            message = f"'{key}' of a step can't hold '{OPEN} }}}}'"
            report.error("expression-not-allowed", message, (*step.path, key), "write the value itself")
    if "cleanup" in step.keys:
        _check_cleanup(draft, step)


def check_timeout(draft: Draft, seconds: float, path: Path) -> None:
    """A timeout is more than nothing and at most 30 days."""
    if seconds <= 0:
        draft.report.error("bad-duration", "a timeout must be more than 0", path, "remove it to have none")
    elif seconds > MAX_TIMEOUT_SECONDS:
        draft.report.error("bad-duration", "a timeout can't be more than 30 days", path)


def check_step_expressions(draft: Draft, step: StepDraft) -> None:
    """Check every expression of the step; needs the graph."""
    matrix = {"matrix"} if step.raw.matrix else set()
    without = frozenset() if matrix else frozenset({"matrix"})
    place = Where(f"'with' of {step.label}", _WITH_ROOTS - without, step)
    if "with_" in step.keys:
        check_value(draft, step.raw.with_, (*step.path, "with"), place)
    if "env" in step.keys:
        where = Where(f"'env' of {step.label}", _ENV_ROOTS - without, step)
        check_value(draft, dict(step.raw.env), (*step.path, "env"), where)
    if isinstance(step.raw.if_, str) and "if_" in step.keys:
        where = Where(f"'if' of {step.label}", _IF_ROOTS - without, step)
        check_condition(draft, step.raw.if_, (*step.path, "if"), where)
    if "matrix" in step.keys:
        where = Where(f"'matrix' of {step.label}", _MATRIX_ROOTS, step)
        check_value(draft, dict(step.raw.matrix), (*step.path, "matrix"), where)
    if "cleanup" in step.keys and step.raw.cleanup.with_:
        where = Where(f"'cleanup' of {step.label}", _WITH_ROOTS - without - {"env"}, step, includes_self=True)
        check_value(draft, step.raw.cleanup.with_, (*step.path, "cleanup", "with"), where)
    if step.uses == APPLY:
        _check_plan(draft, step)


def _id_mend(name: str) -> str:
    if "-" in name and _ID.fullmatch(name.replace("-", "_")):
        return f"a hyphen is a minus in expressions: write {name.replace('-', '_')}"
    if name in CEL_WORDS:
        return f"'{name}' is a word of the expression language: choose another"
    folded = _folded(name)
    if folded != name and _ID.fullmatch(folded):
        return f"write {folded}"
    return f"use a-z, 0-9 and underscores, begin with a letter, {MAX_ID} characters at most"


def _folded(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name[:MAX_ID].lower()).strip("_")


def _find_type(draft: Draft, step: StepDraft) -> None:
    if "uses" not in step.keys:
        if "uses" in step.data:
            return
        if "run" in step.data and draft.catalog.default is not None:
            step.uses = draft.catalog.default
        else:
            hint = "add 'uses:' with a step type, or 'run:' with a shell script"
            draft.report.error_at_key("missing-key", f"{step.label} has no 'uses'", step.path, hint)
            return
    else:
        step.uses = step.raw.uses
    step.spec = draft.catalog.find(step.uses)
    if step.spec is None:
        hint = suggest(step.uses, draft.catalog.specs, "the step types are")
        message = f"{step.label} uses {shown(step.uses)}, which is no step type"
        draft.report.error("unknown-step-type", message, (*step.path, "uses"), hint)


def _check_run(draft: Draft, step: StepDraft) -> None:
    spec, report = step.spec, draft.report
    path = (*step.path, "run")
    if "run" in step.data and spec is not None and not spec.accepts_run:
        hint = "remove 'run', or remove 'uses' to run a shell script"
        report.error_at_key("run-not-allowed", f"'{spec.name}' takes no 'run'", path, hint)
    if "run" not in step.data and spec is not None and spec.accepts_run:
        report.error(
            "missing-run", f"{step.label} has nothing to run", (*step.path, "uses"), "add 'run:' with a script"
        )
    if "run" not in step.keys:
        return
    if not step.raw.run.strip():
        report.error("missing-run", f"{step.label} has an empty 'run'", path, "write the script")
    if OPEN in step.raw.run:
        report.error(
            "expression-in-run", f"'run' of {step.label} can't hold '{OPEN} }}}}'", path, _run_mend(step.raw.run)
        )


def _run_mend(script: str) -> str:
    """The mend for the first expression in a script: the variable it belongs in."""
    try:
        parts = split_template(script)
    except ExpressionError:
        parts = ()
    source = next((part.source for part in parts if isinstance(part, Expression)), "inputs.name")
    found = references_of(source).all
    last = (found[0].path or (found[0].root,))[-1] if found else "value"
    name = re.sub(r"[^A-Z0-9]+", "_", last.upper()).strip("_") or "VALUE"
    name = f"_{name}" if name[0].isdigit() else name
    quote = "'" if '"' in source else '"'
    return f'pass it through env: {{{name}: {quote}{OPEN} {source[:80]} }}}}{quote}}} and write "${name}" in the script'


def _check_default_outputs(draft: Draft, step: StepDraft, known: list[str]) -> None:
    for name in step.raw.outputs:
        if name not in known:
            hint = suggest(name, known, "it gives") if known else "it gives no outputs"
            message = f"{step.label} ({step.uses}) gives no output {shown(name)}"
            draft.report.error_at_key("unknown-output", message, (*step.path, "outputs", name), hint)


def _check_cleanup(draft: Draft, step: StepDraft) -> None:
    cleanup = step.raw.cleanup
    path = (*step.path, "cleanup")
    keys = cleanup.model_fields_set
    if "uses" not in keys:
        if "uses" not in step.data["cleanup"]:
            report_hint = "add the step type that undoes the step, e.g. uses: terraform.destroy"
            draft.report.error_at_key("missing-key", f"'cleanup' of {step.label} has no 'uses'", path, report_hint)
        return
    spec = draft.catalog.find(cleanup.uses)
    if spec is None:
        hint = suggest(cleanup.uses, draft.catalog.specs, "the step types are")
        message = f"'cleanup' of {step.label} uses {shown(cleanup.uses)}, which is no step type"
        draft.report.error("unknown-step-type", message, (*path, "uses"), hint)
    elif spec.is_gate or spec.accepts_run:
        message = f"'{spec.name}' can't clean up"
        draft.report.error("bad-cleanup", message, (*path, "uses"), "use a step type such as terraform.destroy")
    elif cleanup.with_ is not None:
        check_with(draft.report, spec, cleanup.with_, (*path, "with"), f"'cleanup' of {step.label}")


def _check_plan(draft: Draft, step: StepDraft) -> None:
    """`apply` takes the saved plan of a plan step and nothing else."""
    plan: JSON = step.raw.with_.get("plan")
    if plan is None or "with_" not in step.keys:
        return
    path = (*step.path, "with", "plan")
    plans = [one.id for one in draft.steps if one.uses == PLAN and one.id]
    hint = f'write plan: "{OPEN} steps.{plans[0] if plans else "plan"}.outputs.plan }}}}"'
    named = {
        (one.path[0], one.path[2:])
        for found in references_in(plan)
        for one in found.all
        if one.root == "steps" and len(one.path) > 2 and one.path[1] == "outputs"
    }
    if not named:
        if not is_deferred(plan):
            draft.report.error("plan-not-from-plan", f"{step.label} applies no saved plan", path, hint)
        return
    for name, output in sorted(named):
        source = draft.by_id.get(name)
        if source is None or not source.uses:
            continue
        name_of_output = output[1:2] if source.raw.matrix else output[:1]
        if source.uses != PLAN or name_of_output != ("plan",):
            message = f"{step.label} applies '{name}.{'.'.join(output)}', which is no saved plan of a {PLAN} step"
            draft.report.error("plan-not-from-plan", message, path, hint)
