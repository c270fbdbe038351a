"""A document -> a frozen Workflow, or every fault that stands in the way."""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path as FilePath

from prefect_wfexec.definition.catalog import Catalog
from prefect_wfexec.definition.check_expressions import EVERYWHERE, Where, check_value
from prefect_wfexec.definition.check_inputs import check_inputs
from prefect_wfexec.definition.check_matrix import check_size
from prefect_wfexec.definition.check_order import resolve_order
from prefect_wfexec.definition.check_steps import (
    check_id,
    check_options,
    check_step_expressions,
    check_timeout,
    check_type,
)
from prefect_wfexec.definition.check_triggers import check_triggers
from prefect_wfexec.definition.diagnostics import TooMany, shown, suggest
from prefect_wfexec.definition.document import Document
from prefect_wfexec.definition.draft import Draft, StepDraft
from prefect_wfexec.definition.expansion import MAX_STEPS
from prefect_wfexec.definition.lenient import read_shape
from prefect_wfexec.definition.model import JSON, Cleanup, CleanupRules, Concurrency, Retry, Step, Trigger, Workflow
from prefect_wfexec.definition.raw import (
    NAME_PATTERN,
    PHASES,
    RawCleanup,
    RawCleanupRules,
    RawConcurrency,
    RawDefaults,
    RawStep,
    RawWorkflow,
)
from prefect_wfexec.definition.reasons import kind_of
from prefect_wfexec.definition.report import Report
from prefect_wfexec.definition.templates import OPEN, bare, is_deferred

Path = tuple[str | int, ...]

MAX_NAME = 100
_NAME = re.compile(NAME_PATTERN, re.ASCII)


def compile_document(
    document: Document, catalog: Catalog, text: str, path: FilePath | None
) -> tuple[Report, Workflow | None]:
    """Check a document; the workflow is None when there are errors."""
    report = Report(document)
    if not document.is_readable:
        return report, None
    data = document.data
    if not isinstance(data, Mapping):
        message = f"a definition is an object with keys, not {kind_of(data)}"
        report.error("wrong-type", message, (), "start with 'version: 1' and a 'name'")
        return report, None
    try:
        draft = Draft(report, catalog, read_shape(report, RawWorkflow, data, ()), data)
        triggers = _check(draft)
    except TooMany:
        return report, None
    return report, None if report.has_errors else _workflow(draft, triggers, text, path)


def _check(draft: Draft) -> list[Trigger]:
    _check_top(draft)
    check_inputs(draft)
    _read_defaults(draft)
    _read_steps(draft)
    for step in draft.steps:
        check_id(draft, step)
    for step in draft.steps:
        check_type(draft, step)
        check_options(draft, step)
    check_size(draft)
    resolve_order(draft)
    for step in draft.steps:
        check_step_expressions(draft, step)
    _check_top_expressions(draft)
    return check_triggers(draft)


def _check_top(draft: Draft) -> None:
    report, data = draft.report, draft.data
    if "version" not in data:
        report.error_at_key("missing-key", "the definition has no 'version'", (), "add 'version: 1'")
    if "name" not in data:
        report.error_at_key(
            "missing-key", "the definition has no 'name'", (), "add a name, e.g. name: production-deploy"
        )
    elif draft.has("name") and (not _NAME.fullmatch(draft.top.name) or len(draft.top.name) > MAX_NAME):
        report.error(
            "bad-name", f"{shown(draft.top.name)} can't be a workflow's name", ("name",), _name_mend(draft.top.name)
        )
    if draft.has("description") and is_deferred(draft.top.description):
        message = f"'description' can't hold '{OPEN} }}}}'"
        report.error("expression-not-allowed", message, ("description",), "write the text itself")
    if draft.has("concurrency"):
        raw = read_shape(report, RawConcurrency, draft.top.concurrency, ("concurrency",))
        if isinstance(draft.top.concurrency, Mapping) and "key" not in draft.top.concurrency:
            hint = "add a key, e.g. key: tf/network"
            report.error_at_key("missing-key", "'concurrency' has no 'key'", ("concurrency",), hint)
        draft.top.concurrency = raw
    if draft.has("cleanup"):
        draft.top.cleanup = read_shape(report, RawCleanupRules, draft.top.cleanup, ("cleanup",))


def _name_mend(name: str) -> str:
    folded = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:MAX_NAME].rstrip("-")
    if folded != name and _NAME.fullmatch(folded):
        return f"write {folded}"
    return f"use a-z, 0-9 and single hyphens, begin with a letter, {MAX_NAME} characters at most"


def _read_defaults(draft: Draft) -> None:
    if not draft.has("defaults"):
        return
    path: Path = ("defaults",)
    draft.defaults = read_shape(draft.report, RawDefaults, draft.top.defaults, path)
    if "timeout" in draft.defaults.model_fields_set:
        check_timeout(draft, draft.defaults.timeout, (*path, "timeout"))
    where = Where("'env' of 'defaults'", EVERYWHERE | {"secrets"})
    check_value(draft, dict(draft.defaults.env), (*path, "env"), where)


def _read_steps(draft: Draft) -> None:
    report, data = draft.report, draft.data
    if "steps" in data and "phases" in data:
        message = "a workflow has either 'steps' or 'phases'"
        report.error_at_key("steps-and-phases", message, ("phases",), "move the steps into the phases, or remove them")
    elif "steps" not in data and "phases" not in data:
        report.error_at_key("missing-key", "the definition has no 'steps'", (), "add 'steps:' with a list")
    _refuse_too_many(draft)
    if draft.has("steps"):
        _read_list(draft, draft.top.steps, ("steps",), None)
    if draft.has("phases"):
        _read_phases(draft)
    is_listed = draft.has("steps") or draft.has("phases")
    if is_listed and not draft.steps and not any(isinstance(one, Mapping) for one in draft.top.steps):
        key = "steps" if draft.has("steps") else "phases"
        if not draft.top.steps and not any(draft.top.phases.values()):
            report.error("no-steps", "the workflow has no steps", (key,), "a workflow has one step or more")


def _refuse_too_many(draft: Draft) -> None:
    """Stop before work is done on more steps than any person reads."""
    phases = [steps for steps in draft.top.phases.values() if isinstance(steps, list)]
    count = len(draft.top.steps) + sum(map(len, phases))
    if count > MAX_STEPS:
        key = "steps" if draft.has("steps") else "phases"
        message = f"the workflow has {count} steps; {MAX_STEPS} are the most"
        draft.report.error_at_key("too-large", message, (key,), "split it into several workflows")
        raise TooMany


def _read_phases(draft: Draft) -> None:
    for name in draft.top.phases:
        if name not in PHASES:
            hint = suggest(name, PHASES, "the phases are")
            draft.report.error_at_key("unknown-phase", f"{shown(name)} is no phase", ("phases", name), hint)
    for name in PHASES:
        if name not in draft.top.phases:
            continue
        steps = draft.top.phases[name]
        if isinstance(steps, list):
            _read_list(draft, steps, ("phases", name), name)
        else:
            message = f"a phase must be a list of steps, not {kind_of(steps)}"
            draft.report.error(
                "wrong-type", message, ("phases", name), "write [] or remove the phase" if steps is None else ""
            )


def _read_list(draft: Draft, steps: list[JSON], path: Path, phase: str | None) -> None:
    for number, data in enumerate(steps):
        place = (*path, number)
        if not isinstance(data, Mapping):
            message = f"a step must be an object, not {kind_of(data)}"
            hint = "write {id: …, run: …}" if isinstance(data, str) else ""
            draft.report.error("wrong-type", message, place, hint)
            continue
        raw = read_shape(draft.report, RawStep, data, place)
        draft.steps.append(StepDraft(place, raw, frozenset(raw.model_fields_set), data, phase))


def _check_top_expressions(draft: Draft) -> None:
    if draft.has("outputs"):
        where = Where("the workflow's 'outputs'", EVERYWHERE | {"steps"}, any_step=True)
        check_value(draft, draft.top.outputs, ("outputs",), where)
    if draft.has("environment"):
        roots = frozenset({"workflow", "inputs", "trigger"})
        check_value(draft, draft.top.environment, ("environment",), Where("'environment'", roots))
    if isinstance(draft.top.concurrency, RawConcurrency):
        where = Where("the lock's 'key'", EVERYWHERE)
        check_value(draft, draft.top.concurrency.key, ("concurrency", "key"), where)


def _cleanup(raw: RawCleanup) -> Cleanup:
    return Cleanup(raw.uses, raw.with_, raw.approval == "required")


def _cleanup_rules(raw: JSON) -> CleanupRules:
    if not isinstance(raw, RawCleanupRules):
        return CleanupRules()
    given = raw.model_fields_set
    return CleanupRules(
        policy=raw.policy if "policy" in given else None,
        needs_approval=raw.approval == "required" if "approval" in given else None,
        attempts=raw.attempts if "attempts" in given else None,
        delay_seconds=raw.delay if "delay" in given else None,
    )


def _workflow(draft: Draft, triggers: list[Trigger], text: str, path: FilePath | None) -> Workflow:
    top = draft.top
    lock = top.concurrency if isinstance(top.concurrency, RawConcurrency) else None
    return Workflow(
        name=top.name,
        steps=tuple(_step(draft, step) for step in draft.steps),
        version=top.version,
        description=top.description,
        inputs=tuple(draft.inputs),
        environment=top.environment if draft.has("environment") else None,
        concurrency=Concurrency(lock.key, lock.on_conflict) if lock is not None else None,
        on_cancel=top.on_cancel if draft.has("on_cancel") else None,
        cleanup=_cleanup_rules(top.cleanup),
        triggers=tuple(triggers),
        outputs=top.outputs,
        text=text,
        digest=hashlib.sha256(text.encode("utf-8")).hexdigest(),
        path=path,
    )


def _step(draft: Draft, step: StepDraft) -> Step:
    raw, keys, defaults = step.raw, step.keys, draft.defaults
    own = defaults.model_fields_set
    step_id = step.id or ""
    is_gate = step.spec is not None and step.spec.is_gate
    is_harmful = step.spec is not None and step.spec.changes_infrastructure
    timeout = raw.timeout if "timeout" in keys else defaults.timeout if "timeout" in own else None
    retry = raw.retry if "retry" in keys else defaults.retry
    if "retry" not in keys and (is_gate or is_harmful):
        retry = type(retry)()
    return Step(
        id=step_id,
        name=raw.name if "name" in keys else step_id.replace("_", " ").title(),
        uses=step.uses,
        with_=raw.with_,
        run=raw.run if "run" in keys else None,
        env={**defaults.env, **raw.env},
        needs=step.needs,
        if_=_condition(raw.if_) if "if_" in keys else None,
        when=raw.when,
        timeout_seconds=None if is_gate else timeout,
        retry=Retry(retry.attempts, retry.delay, retry.backoff, tuple(retry.on)),
        allow_skip=raw.allow_skip if "allow_skip" in keys else defaults.allow_skip,
        on_failure=raw.on_failure if "on_failure" in keys else defaults.on_failure,
        cleanup=_cleanup(raw.cleanup) if "cleanup" in keys else None,
        outputs=raw.outputs if "outputs" in keys else None,
        artifacts=tuple(raw.artifacts),
        matrix=raw.matrix if "matrix" in keys else None,
        environments=tuple(raw.environments),
        phase=step.phase,
        line=draft.report.line_of(step.path),
    )


def _condition(condition: str | bool) -> str:
    if isinstance(condition, bool):
        return "true" if condition else "false"
    return bare(condition)
