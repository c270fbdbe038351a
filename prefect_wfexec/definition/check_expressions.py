"""Checks of what expressions refer to."""

import re
from collections.abc import Collection
from dataclasses import dataclass

from pydantic import BaseModel

from prefect_wfexec.definition.catalog import StepSpec
from prefect_wfexec.definition.diagnostics import did_you_mean, suggest
from prefect_wfexec.definition.draft import Draft, StepDraft
from prefect_wfexec.definition.expressions import (
    ROOTS,
    RUN_FIELDS,
    STEP_FIELDS,
    WORKFLOW_FIELDS,
    ExpressionError,
    compile_expression,
)
from prefect_wfexec.definition.instances import known_keys
from prefect_wfexec.definition.lenient import keys_of
from prefect_wfexec.definition.model import JSON
from prefect_wfexec.definition.reasons import hyphen_hint, root_hint
from prefect_wfexec.definition.references import Reference, References
from prefect_wfexec.definition.templates import OPEN, Expression, bare, shorten, split_template, walk_texts

Path = tuple[str | int, ...]

EVERYWHERE = frozenset({"workflow", "run", "inputs", "trigger", "environment"})
_SECRET = re.compile(r"[a-z0-9]+(_[a-z0-9]+)*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Where:
    """A place for expressions.

    Attributes:
        what: Its name in a message.
        roots: What may be named there.
        step: The step it belongs to: only its ancestors may be named.
        any_step: Whether every step may be named.
        includes_self: Whether the step itself may be named, as in its cleanup.
    """

    what: str
    roots: frozenset[str]
    step: StepDraft | None = None
    any_step: bool = False
    includes_self: bool = False


def check_value(draft: Draft, value: JSON, path: Path, where: Where) -> None:
    """Check every `${{ … }}` in a value."""
    for place, text in walk_texts(value, path):
        if OPEN in text:
            _check_text(draft, text, place, where)


def check_condition(draft: Draft, condition: str, path: Path, where: Where) -> None:
    """Check an `if`."""
    try:
        source = bare(condition)
    except ExpressionError as error:
        _report(draft, error, path)
    else:
        _check_source(draft, source, path, where)


def references_in(value: JSON) -> list[References]:
    """What the sound expressions in a value refer to."""
    found = []
    for _, text in walk_texts(value):
        try:
            parts = split_template(text) if OPEN in text else ()
            found += [compile_expression(part.source) for part in parts if isinstance(part, Expression)]
        except ExpressionError:
            continue
    return found


def _check_text(draft: Draft, text: str, path: Path, where: Where) -> None:
    try:
        parts = split_template(text)
    except ExpressionError as error:
        _report(draft, error, path)
        return
    for part in parts:
        if isinstance(part, Expression):
            _check_source(draft, part.source, path, where)


def _check_source(draft: Draft, source: str, path: Path, where: Where) -> None:
    try:
        found = compile_expression(source)
    except ExpressionError as error:
        _report(draft, error, path)
        return
    for reference in found.all:
        _Check(draft, source, path, where).reference(reference)


def _report(draft: Draft, error: ExpressionError, path: Path) -> None:
    draft.report.error(error.kind, error.message, path, error.hint)


@dataclass(frozen=True, slots=True)
class _Check:
    draft: Draft
    source: str
    path: Path
    where: Where

    def reference(self, reference: Reference) -> None:
        root = reference.root
        if root not in ROOTS:
            hint = hyphen_hint(self.source, root) or root_hint(
                root, tuple(one for one in ROOTS if one in self.where.roots)
            )
            self._error("unknown-root", f"nothing is named '{root}'", hint)
        elif root == "secrets" and root not in self.where.roots:
            hint = "pass it through 'with' or 'env' of the step that needs it"
            self._error("secrets-not-allowed", f"secrets can't be used in {self.where.what}", hint)
        elif root not in self.where.roots:
            hint = f"what can be used there: {', '.join(one for one in ROOTS if one in self.where.roots)}"
            self._error("root-not-available", f"'{root}' can't be used in {self.where.what}", hint)
        else:
            self._names(reference)

    def _names(self, reference: Reference) -> None:
        match reference.root:
            case "steps":
                self._step(reference)
            case "secrets":
                self._secret(reference)
            case "inputs":
                self._one_of(reference, self.draft.input_names, "unknown-input", "the workflow has no input")
            case "run":
                self._one_of(reference, RUN_FIELDS, "unknown-field", "'run' has no")
            case "workflow":
                self._one_of(reference, WORKFLOW_FIELDS, "unknown-field", "'workflow' has no")
            case "env":
                step = self.where.step
                names = {*self.draft.defaults.env, *(step.raw.env if step else ())}
                self._one_of(reference, names, "unknown-field", "'env' of this step has no")
            case "matrix":
                names = set(self.where.step.raw.matrix) if self.where.step else set()
                self._one_of(reference, names, "unknown-field", "'matrix' of this step has no")

    def _one_of(self, reference: Reference, names: Collection[str], code: str, lacks: str) -> None:
        if not reference.path or reference.path[0] in names:
            return
        name = reference.path[0]
        hint = hyphen_hint(self.source, name) or suggest(name, names, "there are")
        if code == "unknown-input" and not names:
            hint = f"declare it: inputs: {{{name}: {{type: string}}}}"
        self._error(code, f"{lacks} '{name}'", hint)

    def _secret(self, reference: Reference) -> None:
        if not reference.path:
            self._error("computed-name", "a secret is named in full", "write secrets.name, e.g. secrets.db_password")
        elif not _SECRET.fullmatch(reference.path[0]):
            name = reference.path[0]
            hint = "'secrets.db_password' is the Prefect Secret block 'db-password': use a-z, 0-9 and underscores"
            self._error("bad-secret-name", f"'{name[:60]}' can't be the name of a secret", hint)

    def _step(self, reference: Reference) -> None:
        if not reference.path:
            hint = "write the step's id: steps.plan.outputs.counts"
            self._error("computed-name", "a step is named in full", hint)
            return
        name = reference.path[0]
        step = self.draft.by_id.get(name)
        if step is None:
            if name in self.draft.faulty_ids:
                return
            hint = hyphen_hint(self.source, name) or suggest(name, self.draft.by_id, "the steps are")
            self._error("unknown-step", f"there is no step '{name}'", hint)
        elif not self._is_reachable(name):
            self._not_an_ancestor(name)
        else:
            self._field(step, reference)

    def _is_reachable(self, name: str) -> bool:
        own = self.where.step
        if self.where.any_step or own is None:
            return True
        if own.id is None or (self.where.includes_self and name == own.id):
            return True
        return self.draft.graph.is_ancestor(name, own.id) or not self.draft.is_order_known(own.id)

    def _not_an_ancestor(self, name: str) -> None:
        own = self.where.step
        if own is None:
            return
        if name == own.id:
            self._error(
                "not-an-ancestor", f"{own.label} refers to its own outcome", "a step knows only what ended before it"
            )
            return
        hint = f"add '{name}' to its 'needs'"
        if own.id is not None and self.draft.graph.is_ancestor(own.id, name):
            hint = f"'{name}' comes after it: move {own.label} below '{name}'"
        self._error(
            "not-an-ancestor", f"{own.label} refers to step '{name}', which need not have ended before it", hint
        )

    def _field(self, step: StepDraft, reference: Reference) -> None:
        if len(reference.path) < 2:
            return
        field = reference.path[1]
        if field not in STEP_FIELDS:
            near = did_you_mean(field, STEP_FIELDS)
            hint = near or f"a step has {' and '.join(STEP_FIELDS)}: write steps.{step.id}.outputs.{field}"
            self._error("unknown-field", f"a step has no '{field}'", hint)
        elif field == "outputs" and len(reference.path) > 2 and step.spec is not None:
            outputs = reference.path[2:]
            if step.raw.matrix or step.raw.environments:
                self._instance(step, outputs[0])
                outputs = outputs[1:]
            if outputs:
                self._output(step, step.spec, outputs)

    def _instance(self, step: StepDraft, key: str) -> None:
        """The outputs of a step with a matrix or environments stand under what names each of its instances."""
        known = known_keys(step.raw.matrix, step.raw.environments)
        if known is not None and key not in known:
            hint = suggest(key, known, "there are")
            self._error("unknown-instance", f"step '{step.id}' has no instance '{key}' to give outputs", hint)

    def _output(self, step: StepDraft, spec: StepSpec, path: tuple[str, ...]) -> None:
        name = path[0]
        known = keys_of(spec.outputs)
        if name not in known:
            if not spec.open_outputs:
                hint = suggest(name, known, "it gives") if known else "it gives no outputs"
                self._error("unknown-output", f"step '{step.id}' ({spec.name}) gives no output '{name}'", hint)
            return
        inner = _model_of(spec.outputs, name)
        if inner is not None and len(path) > 1 and path[1] not in keys_of(inner):
            hint = suggest(path[1], keys_of(inner), "it has")
            self._error("unknown-output", f"the output '{name}' of step '{step.id}' has no '{path[1]}'", hint)

    def _error(self, code: str, message: str, hint: str | None) -> None:
        shown = shorten(self.source, 60)
        self.draft.report.error(code, f"{message} (in '{shown}')", self.path, hint)


def _model_of(outputs: type[BaseModel], name: str) -> type[BaseModel] | None:
    """The closed model of an output that is an object with fixed keys."""
    annotation = next(
        (field.annotation for key, field in outputs.model_fields.items() if (field.alias or key) == name), None
    )
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation if annotation.model_config.get("extra") == "forbid" else None
    return None
