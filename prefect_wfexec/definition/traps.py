"""The mends for what people write and YAML reads otherwise."""

import re
from itertools import islice

import yaml

from prefect_wfexec.definition.diagnostics import Diagnostic

_BRACES = re.compile(r"\$?\{\{")
_FIRST_FEW = 20
_INTERNAL = re.compile(r"\bblock mapping\b|\bblock collection\b|\bflow mapping\b|\bflow sequence\b|\bstream\b")
_FLOW_MEND = "close the bracket; inside {…} and […] put a value that holds , [ ] { or } in quotes"
_WORDS = {
    "block mapping": "object",
    "block collection": "list",
    "flow mapping": "{…}",
    "flow sequence": "[…]",
    "stream": "file",
}


def explain(error: yaml.YAMLError, file: str, lines: list[str]) -> Diagnostic:
    """The diagnostic for a text that is no YAML."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    context_mark = getattr(error, "context_mark", None) or mark
    context = str(getattr(error, "context", None) or "")
    problem = str(getattr(error, "problem", None) or "this is no YAML")
    if "quoted scalar" in context:
        mark = context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
    if "scanning an alias" in context and context_mark is not None:
        return _star(file, context_mark.line + 1, context_mark.column + 1, lines)
    for candidate in {line, context_mark.line + 1 if context_mark is not None else line}:
        if (found := _unquoted_braces(_line(lines, candidate))) is not None:
            return _braces(file, candidate, found + 1, _line(lines, candidate)[found:])
    message, hint = _plain_words(problem, context, _line(lines, line), column)
    return Diagnostic(file, line, column, "error", "yaml-syntax", message, hint)


def compound_key(place: tuple[int, int], file: str, lines: list[str], is_braces: bool) -> Diagnostic:
    """The diagnostic for a list or object in a key's place; `{{ x }}` without quotes reads as one."""
    line, column = place
    if is_braces and _line(lines, line)[max(0, column - 2) : column] == "{{":
        start = column - 1
        if start >= 2 and _line(lines, line)[start - 2] == "$":
            start -= 1
        return _braces(file, line, start, _line(lines, line)[start - 1 :])
    return Diagnostic(
        file, line, column, "error", "yaml-syntax", "a list or object can't be a key", "a key is a plain word"
    )


def _star(file: str, line: int, column: int, lines: list[str]) -> Diagnostic:
    value = _line(lines, line)[column - 1 :].split(" #")[0].rstrip(" ,}]")
    return Diagnostic(
        file,
        line,
        column,
        "error",
        "unquoted-star",
        "a value that begins with '*' is read as an alias",
        f'put it in quotes: "{value[:60]}"',
    )


def _braces(file: str, line: int, column: int, rest: str) -> Diagnostic:
    inner = re.match(r"\$?\{\{(.*?)\}\}", rest)
    example = f'"${{{{ {inner[1].strip()[:60]} }}}}"' if inner else '"${{ … }}"'
    return Diagnostic(
        file,
        line,
        column,
        "error",
        "unquoted-expression",
        "an expression without quotes is read as an object",
        f"put it in quotes: {example}",
    )


def _unquoted_braces(text: str) -> int | None:
    """Where the first `{{` outside of quotes and comments stands."""
    for found in islice(_BRACES.finditer(text), _FIRST_FEW):
        before = text[: found.start()]
        if before.count('"') % 2 == 0 and before.count("'") % 2 == 0 and not before.lstrip().startswith("#"):
            return found.start()
    return None


def _plain_words(problem: str, context: str, line: str, column: int) -> tuple[str, str]:
    if "\t" in line[: max(column, len(line) - len(line.lstrip()))]:
        return "a tab stands where YAML wants spaces", "indent with spaces"
    if "mapping values are not allowed" in problem:
        return (
            "a second ': ' stands in one value",
            "put the value in quotes if the colon belongs to it, or check the indentation",
        )
    if "flow " in context:
        return f"this is no YAML: {_named(problem, context)}", _FLOW_MEND
    if "cannot start any token" in problem:
        letter = line[column - 1 : column]
        return f"a value can't begin with '{letter}'", "put it in quotes"
    if "quoted scalar" in context:
        return (
            "a quoted text is not closed or has an unknown escape",
            "close the quote; in double quotes write \\\\ for a backslash",
        )
    return f"this is no YAML: {_named(problem, context)}", "check the indentation and the brackets above this line"


def _named(problem: str, context: str) -> str:
    return _INTERNAL.sub(lambda found: _WORDS[found[0]], f"{problem} {context}".strip())


def _line(lines: list[str], line: int) -> str:
    return lines[line - 1] if 0 < line <= len(lines) else ""
