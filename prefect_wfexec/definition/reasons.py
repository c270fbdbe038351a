"""Why an expression does not work, in plain words and with the mend."""

import re
from collections.abc import Mapping

from prefect_wfexec.definition.diagnostics import did_you_mean
from prefect_wfexec.definition.functions import ALL
from prefect_wfexec.definition.model import JSON
from prefect_wfexec.definition.references import Reference, References
from prefect_wfexec.definition.templates import ExpressionError
from prefect_wfexec.definition.tokens import tokenize

_OPERATION = re.compile(r"Unsupported operation: (\w+) (\S+) (\w+)")
_PLACE = re.compile(r"<input>:(\d+):(\d+): (.*)")
_FUNCTION = re.compile(r"Function '([\w.]+)' error")
_UNDEFINED = re.compile(r"Undefined variable or function: '([^']*)'")
_LANGUAGE = "the expression language is CEL: &&, ||, !, ==, in, ? :"
_EARLY = ("it ends too early", "something is missing at the end, or a bracket is not closed")
_HYPHENATED = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:-[A-Za-z_][A-Za-z0-9_]*)+", re.ASCII)
_COMPLAINTS = (
    (
        re.compile(r"reserved identifier|no viable alternative at input '\.[A-Za-z]"),
        "a reserved word is used as a name",
        'write it in brackets: inputs["in"]',
    ),
    (
        re.compile("unsupported syntax"),
        "it uses syntax that is not supported",
        'reach names with other characters by brackets: inputs["a-b"]',
    ),
    (re.compile(r"has\(\) macro"), "has() takes a path", "write has(inputs.name)"),
    (re.compile("input '<EOF>'"), *_EARLY),
)
_FAULTS: tuple[tuple[type[Exception], str, str, str], ...] = (
    (KeyError, "a key is not there", "test it first with 'in' or has()", "missing"),
    (IndexError, "an index is beyond the end of its list", "compare it with size() first", "missing"),
    (ZeroDivisionError, "it divides by zero", "test the divisor first", "arithmetic"),
    (OverflowError, "a number grows beyond 64 bits", "calculate with double()", "arithmetic"),
)
_WORDS = {"and": "&&", "or": "||", "not": "!", "True": "true", "False": "false", "None": "null", "nil": "null"}
_NUMBERS = frozenset({"int", "uint", "float", "double"})


def of_compilation(expression: str, fault: BaseException) -> ExpressionError:
    """The error for an expression that is no CEL."""
    reason, hint = _syntax(expression, str(fault))
    return ExpressionError(expression, reason, hint=hint, kind="expression-syntax")


def of_unknown_function(expression: str, name: str) -> ExpressionError:
    hint = did_you_mean(name, ALL) or "the functions are those of CEL, e.g. size(), contains(), startsWith(), join()"
    return ExpressionError(expression, f"there is no function '{name}'", hint=hint, kind="unknown-function")


def of_unknown_root(expression: str, name: str, scope: Mapping[str, JSON]) -> ExpressionError:
    hint = hyphen_hint(expression, name) or root_hint(name, scope)
    return ExpressionError(expression, f"nothing is named '{name}' here", hint=hint, kind="unknown-root")


def hyphen_hint(expression: str, name: str) -> str | None:
    """The mend when a hyphen in a name was read as a minus before `name` or behind it."""
    for found in _HYPHENATED.finditer(expression):
        if name in found[0].split("-"):
            whole = found[0]
            return f'a hyphen is a minus in expressions: write {whole.replace("-", "_")}, or ["{whole}"] in brackets'
    return None


def root_hint(name: str, roots: Mapping[str, JSON] | tuple[str, ...]) -> str:
    near = did_you_mean(name, roots)
    return near or f"use {', '.join(roots)}; text stands in quotes: '{name}'"


def of_missing(expression: str, reference: Reference, number: int, parent: JSON) -> ExpressionError:
    """The error for a path whose name `number` is not there; `parent` is the value before it."""
    name = reference.path[number]
    before = ".".join((reference.root, *reference.path[:number]))
    if not isinstance(parent, Mapping):
        reason = f"'{before}' is {kind_of(parent)}, so it has no '{name}'"
        hint = f"check it first: {before} != null && …" if parent is None else None
        return ExpressionError(expression, reason, hint=hint, kind="missing")
    names = [str(key) for key in parent]
    if not names:
        return ExpressionError(
            expression,
            f"'{before}' is empty, so it has no '{name}'",
            hint=f"test it first: has({before}.{name})" if name.isidentifier() else None,
            kind="missing",
        )
    there = did_you_mean(name, names) or f"it has {', '.join(names[:10])}{', …' if len(names) > 10 else ''}"
    return ExpressionError(expression, f"'{before}' has no '{name}'", hint=there, kind="missing")


def of_evaluation(
    expression: str, references: References, scope: Mapping[str, JSON], fault: BaseException
) -> ExpressionError:
    """The error for an expression that compiled but could not be evaluated."""
    for one in references.all:
        if one.root not in scope:
            return of_unknown_root(expression, one.root, scope)
    if isinstance(fault, KeyError | TypeError) and (missing := _first_missing(expression, references, scope)):
        return missing
    if isinstance(fault, TypeError):
        return _types(expression, references, scope, str(fault))
    for kind, reason, hint, word in _FAULTS:
        if isinstance(fault, kind):
            return ExpressionError(expression, reason, hint=hint, kind=word)
    return _runtime(expression, str(fault))


def kind_of(value: JSON) -> str:
    """A value's type as a person says it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int):
        return "a whole number"
    if isinstance(value, float):
        return "a decimal number"
    if isinstance(value, str):
        return "text"
    return "an object" if isinstance(value, Mapping) else "a list"


def _syntax(expression: str, text: str) -> tuple[str, str | None]:
    return _odd_token(expression) or _complaint(expression, text)


def _odd_token(expression: str) -> tuple[str, str | None] | None:
    """What other languages write and CEL does not."""
    tokens = tokenize(expression)
    if not tokens:
        return "it is empty", "write a condition or a name, e.g. inputs.name"
    for token in tokens:
        if token.kind == "quote":
            return "a quote is not closed", None
        if token.kind == "name" and token.text in _WORDS and f".{token.text}" not in expression:
            return f"'{token.text}' is no word of the expression language", f"write {_WORDS[token.text]}"
        if token.kind == "other":
            return _odd_character(token.text)
    return None


def _complaint(expression: str, text: str) -> tuple[str, str | None]:
    """The parser's complaint in other words."""
    found = _PLACE.search(text)
    if found is None:
        return "it is no expression", _LANGUAGE
    detail = found[3]
    for pattern, reason, hint in _COMPLAINTS:
        if pattern.search(detail):
            return reason, hint
    near = shortened_from(expression, int(found[2]) - 1)
    return (f"it can't be read from '{near}' on", _LANGUAGE) if near else _EARLY


def shortened_from(expression: str, start: int) -> str:
    rest = " ".join(expression[max(0, start) :].split())
    return f"{rest[:20]}…" if len(rest) > 20 else rest


def _odd_character(character: str) -> tuple[str, str]:
    mends = {
        "=": "compare with ==",
        "&": "write && for 'and'",
        "|": "write || for 'or'",
        "$": "inside an expression names stand alone, without '${{ }}'",
        "`": "put text in single or double quotes",
    }
    return f"the character '{character}' has no meaning there", mends.get(character, "put text in quotes")


def _first_missing(expression: str, references: References, scope: Mapping[str, JSON]) -> ExpressionError | None:
    for one in references.all:
        current = scope[one.root]
        for number, name in enumerate(one.path):
            if not isinstance(current, Mapping) or name not in current:
                return of_missing(expression, one, number, current)
            current = current[name]
    return None


def _types(expression: str, references: References, scope: Mapping[str, JSON], text: str) -> ExpressionError:
    operands = ", ".join(
        f"{one} is {kind_of(_value_at(one, scope))}" for one in references.all[:4] if not one.is_computed
    )
    if found := _OPERATION.search(text):
        left, operator, right = found.groups()
        reason = f"{_type_word(left)} {operator} {_type_word(right)} does not go together"
        return ExpressionError(expression, _with_operands(reason, operands), hint=_conversion(left, right), kind="type")
    reason = _with_operands("an operation does not take values of these types", operands)
    return ExpressionError(
        expression, reason, hint="convert with string(), int() or double(); conditions need true or false", kind="type"
    )


def _with_operands(reason: str, operands: str) -> str:
    return f"{reason} ({operands})" if operands else reason


def _value_at(reference: Reference, scope: Mapping[str, JSON]) -> JSON:
    current = scope.get(reference.root)
    for name in reference.path:
        current = current[name] if isinstance(current, Mapping) and name in current else None
    return current


def _type_word(word: str) -> str:
    return {"int": "whole number", "uint": "whole number", "float": "decimal number", "double": "decimal number"}.get(
        word, {"string": "text", "bool": "boolean", "map": "object"}.get(word, word)
    )


def _conversion(left: str, right: str) -> str:
    pair = {left, right}
    if pair <= _NUMBERS:
        return "write whole numbers with a point (1.0) or convert with double(), or both with int()"
    if "string" in pair and pair & _NUMBERS:
        return "convert the number with string(), or the text with int() or double()"
    if "string" in pair and "null" not in pair:
        return 'put the values side by side in the text instead: "${{ a }} ${{ b }}"'
    if "null" in pair:
        return 'give it a default first: x != null ? x : ""'
    return "convert with string(), int() or double()"


def _runtime(expression: str, text: str) -> ExpressionError:
    if found := _UNDEFINED.search(text):
        name = found[1]
        if name.removeprefix(".") != name:
            return ExpressionError(expression, f"a name can't begin with a dot: '{name}'", kind="unknown-root")
        if name in ALL:
            return ExpressionError(
                expression, f"{name}() does not take values of this type", hint=_function_hint(name), kind="type"
            )
        return ExpressionError(expression, f"nothing is named '{name}' here", kind="unknown-root")
    if found := _FUNCTION.search(text):
        if found[1] == "matches":
            return ExpressionError(expression, "the pattern in matches() is no regular expression", kind="type")
        return ExpressionError(
            expression,
            f"{found[1]}() can't work with the value it is given",
            hint=_function_hint(found[1]),
            kind="type",
        )
    return ExpressionError(expression, "it can't be evaluated", kind="evaluation")


def _function_hint(name: str) -> str | None:
    if name in {"int", "double", "uint"}:
        return "the text must be a number and nothing else"
    return "convert the values of a list first: list.map(x, string(x)).join(', ')" if name == "join" else None
