"""Expressions: CEL over JSON values, inside `${{ … }}` or bare in an `if`.

A value that is one expression and nothing else keeps the expression's type. Inside text, a string stands as it is,
null as nothing, and everything else as JSON. Times become text (RFC 3339, UTC), durations text such as `90s`; bytes,
infinities and NaN are refused. `$${{` writes a literal `${{`.
"""

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from prefect_wfexec.definition import reasons
from prefect_wfexec.definition.cel_library import cel
from prefect_wfexec.definition.functions import ALL, LIBRARY, library_function
from prefect_wfexec.definition.model import JSON
from prefect_wfexec.definition.references import MACROS, NOTHING, Reference, References, merge, references_of
from prefect_wfexec.definition.templates import (
    MAX_BYTES,
    OPEN,
    Expression,
    ExpressionError,
    bare,
    is_deferred,
    split_template,
    too_long,
    walk_texts,
)
from prefect_wfexec.definition.tokens import tokenize
from prefect_wfexec.definition.values import as_json, for_cel, narrow

__all__ = [
    "ROOTS",
    "RUN_FIELDS",
    "STEP_FIELDS",
    "WORKFLOW_FIELDS",
    "ExpressionError",
    "References",
    "as_text",
    "compile_expression",
    "evaluate",
    "evaluate_condition",
    "is_deferred",
    "references",
    "render",
]

ROOTS = ("workflow", "run", "inputs", "trigger", "environment", "steps", "env", "matrix", "secrets")
RUN_FIELDS = ("id", "name", "status", "api_url", "ui_url", "started")
WORKFLOW_FIELDS = ("name", "description", "version", "digest")
STEP_FIELDS = ("status", "outputs")

MAX_NESTING = 24
MAX_MACROS = 8
MAX_NESTED_MACROS = 2


def render(value: JSON, scope: Mapping[str, JSON]) -> JSON:
    """The value with every `${{ … }}` in it replaced; keys of objects stay as they are.

    Args:
        value: A JSON value, e.g. a step's `with`.
        scope: The roots expressions may name, each with its JSON value.

    Raises:
        ExpressionError: an expression can't be read or evaluated.
    """
    if isinstance(value, str):
        return _render_text(value, scope) if OPEN in value else value
    if isinstance(value, Mapping):
        return {key: render(item, scope) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [render(item, scope) for item in value]
    return value


def evaluate(expression: str, scope: Mapping[str, JSON]) -> JSON:
    """The JSON value of one bare expression.

    Raises:
        ExpressionError: it can't be read or evaluated, or gives something JSON has no word for.
    """
    compiled = _compiled(expression)
    if compiled.plain is not None:
        return _look_up(expression, compiled.plain, scope)
    context = cel.Context(variables=for_cel(expression, narrow(scope, compiled.references)))
    for name in compiled.library:
        context.add_function(name, library_function(name))
    try:
        result = compiled.program.execute(context)
    except BaseException as fault:  # a panic of the library is no Exception
        if not isinstance(fault, Exception) and type(fault).__name__ != "PanicException":
            raise
        raise reasons.of_evaluation(expression, compiled.references, scope, fault) from None
    return as_json(expression, result)


def evaluate_condition(expression: str, scope: Mapping[str, JSON]) -> bool:
    """The truth of an `if`.

    Raises:
        ExpressionError: it can't be read or evaluated, or is neither true nor false.
    """
    result = evaluate(bare(expression), scope)
    if isinstance(result, bool):
        return result
    raise ExpressionError(
        bare(expression),
        f"a condition is true or false, and this gives {reasons.kind_of(result)}",
        hint="compare it, e.g. with == or !=",
        kind="type",
    )


def references(value: JSON, *, is_expression: bool = False) -> References:
    """What a value's `${{ … }}` refer to, found without running them.

    Args:
        value: A JSON value whose texts may hold `${{ … }}`.
        is_expression: Take `value` as one bare expression, such as an `if`.

    Raises:
        ExpressionError: a `${{` is not closed, is empty or is too long.
    """
    if is_expression:
        return references_of(bare(str(value)))
    found = [
        references_of(part.source)
        for _, text in walk_texts(value)
        if OPEN in text
        for part in split_template(text)
        if isinstance(part, Expression)
    ]
    return merge(found) if found else NOTHING


def compile_expression(expression: str) -> References:
    """Check one bare expression's grammar, size and functions; what it refers to.

    Raises:
        ExpressionError: it does not compile.
    """
    return _compiled(expression).references


def as_text(value: JSON) -> str:
    """A value as it stands inside text."""
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, ensure_ascii=False)


def _render_text(text: str, scope: Mapping[str, JSON]) -> JSON:
    parts = split_template(text)
    if len(parts) == 1 and isinstance(parts[0], Expression):
        return evaluate(parts[0].source, scope)
    return "".join(part if isinstance(part, str) else as_text(evaluate(part.source, scope)) for part in parts)


class _Compiled:
    """A compiled expression and what is known of it; `plain` is set when it is nothing but a path."""

    __slots__ = ("library", "plain", "program", "references")

    def __init__(self, program: Any, references: References, plain: Reference | None) -> None:
        self.program = program
        self.references = references
        self.plain = plain
        self.library = [call.name for call in references.calls if call.name in LIBRARY]


@lru_cache(maxsize=4096)
def _compiled(expression: str) -> _Compiled:
    if len(expression.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise too_long(expression)
    if len(expression) > MAX_NESTING:
        _refuse_deep(expression)
    try:
        program = cel.compile(expression)
    except BaseException as fault:
        if not isinstance(fault, Exception) and type(fault).__name__ != "PanicException":
            raise
        raise reasons.of_compilation(expression, fault) from None
    found = references_of(expression)
    for call in found.calls:
        if call.name not in ALL:
            raise reasons.of_unknown_function(expression, call.name)
    return _Compiled(program, found, _plain_path(expression, found))


def _refuse_deep(expression: str) -> None:
    """Refuse what could exhaust the stack or run for ever: the library has no limits of its own."""
    depth = deepest = macros = 0
    macro_depths: list[int] = []
    deepest_macro = 0
    tokens = tokenize(expression)
    for position, token in enumerate(tokens):
        if token.kind == "name" and _opens_macro(tokens, position):
            macros += 1
            macro_depths.append(depth)
            deepest_macro = max(deepest_macro, len(macro_depths))
        if token.kind == "mark" and token.text in "([{":
            depth += 1
            deepest = max(deepest, depth)
        elif token.kind == "mark" and token.text in ")]}":
            depth -= 1
            if macro_depths and macro_depths[-1] == depth:
                macro_depths.pop()
    if deepest > MAX_NESTING:
        raise ExpressionError(expression, f"brackets stand more than {MAX_NESTING} deep", kind="expression-too-complex")
    if deepest_macro > MAX_NESTED_MACROS or macros > MAX_MACROS:
        raise ExpressionError(
            expression,
            f"more than {MAX_NESTED_MACROS} loops stand in each other, or more than {MAX_MACROS} in all",
            hint="compute the value in a step and use its output",
            kind="expression-too-complex",
        )


def _opens_macro(tokens: Any, position: int) -> bool:
    return tokens[position].text in MACROS and position + 1 < len(tokens) and tokens[position + 1].is_mark("(")


def _plain_path(expression: str, found: References) -> Reference | None:
    """The one reference an expression is, when it is nothing else; such a path needs no CEL and keeps any number."""
    if len(found.all) != 1 or found.calls or found.all[0].is_computed:
        return None
    only = found.all[0]
    return only if str(only) == expression.strip() else None


def _look_up(expression: str, reference: Reference, scope: Mapping[str, JSON]) -> JSON:
    if reference.root not in scope:
        raise reasons.of_unknown_root(expression, reference.root, scope)
    current = scope[reference.root]
    for number, name in enumerate(reference.path):
        if not isinstance(current, Mapping) or name not in current:
            raise reasons.of_missing(expression, reference, number, current)
        current = current[name]
    return as_json(expression, current)
