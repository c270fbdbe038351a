"""What is wrong with a definition, where, and what to write instead."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from prefect_wfexec.errors import UsageError

Severity = Literal["error", "warning"]

_MANY = 100


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One thing to mend in a definition.

    Attributes:
        file: The file as it was named, or `<text>`.
        line: From 1; 1 when the file as a whole is meant.
        column: From 1, in characters.
        severity: A workflow with warnings only still compiles.
        code: A kebab-case name for the kind of fault, stable across versions.
        message: What is wrong: lower case, one line.
        hint: What to write instead, empty when the message says it.
    """

    file: str
    line: int
    column: int
    severity: Severity
    code: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        text = f"{self.message}; {self.hint}" if self.hint else self.message
        return f"{self.file}:{self.line}:{self.column}: {self.severity}[{self.code}]: {text}"

    def as_json(self) -> dict[str, str | int]:
        """The shape `wfexec validate --json` prints."""
        return {
            "file": self.file,
            "line": self.line,
            "column": self.column,
            "severity": self.severity,
            "code": self.code,
            "message": self.message,
            "hint": self.hint,
        }


class DefinitionError(UsageError):
    """A definition that does not compile.

    Attributes:
        diagnostics: Everything found, warnings too, sorted by place.
    """

    code = "invalid-definition"

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        self.diagnostics: tuple[Diagnostic, ...] = tuple(diagnostics)
        errors = [found for found in self.diagnostics if found.severity == "error"]
        if len(errors) == 1:
            super().__init__(str(errors[0]))
            return
        where = errors[0].file if errors else "the definition"
        first = f", the first: {errors[0]}" if errors else ""
        super().__init__(f"{where} has {len(errors)} errors{first}", hint="'wfexec validate' prints all of them")


class TooMany(Exception):
    """So much is wrong that looking further helps nobody."""


MAX_DIAGNOSTICS = 1000


def sort_by_place(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """The diagnostics in reading order, each once."""
    return sorted(dict.fromkeys(diagnostics), key=lambda found: (found.line, found.column, found.code, found.message))


def did_you_mean(name: object, known: Iterable[str]) -> str:
    """`did you mean 'x'?` for the nearest known name, empty when none is near."""
    typed = _fold(str(name)[:64])
    names = tuple(known)
    found = _near_in_many(typed, names) if len(names) > _MANY else _near_in_few(typed, names)
    return f"did you mean '{found}'?" if found else ""


def suggest(name: object, known: Iterable[str], what: str = "use one of") -> str:
    """The mend for a name that does not exist: the nearest one, else the first dozen there are."""
    names = sorted(known)
    if near := did_you_mean(name, names):
        return near
    if not names:
        return ""
    more = ", …" if len(names) > 12 else ""
    return f"{what} {', '.join(names[:12])}{more}"


def shown(value: object, limit: int = 60) -> str:
    """A value as a message shows it: in quotes, on one line, shortened, safe to print."""
    text = (value if isinstance(value, str) else _as_written(value))[: limit + 1]
    text = "".join(letter if letter.isprintable() else " " for letter in text)
    text = f"{text[:limit]}…" if len(text) > limit else text
    return f"'{text}'"


def _as_written(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    return str(value)


def _near_in_few(typed: str, names: tuple[str, ...]) -> str:
    by_folded = {_fold(one): one for one in reversed(names)}
    if typed in by_folded:
        return by_folded[typed]
    near = difflib.get_close_matches(typed, by_folded, n=1, cutoff=0.6)
    return by_folded[near[0]] if near else ""


def _near_in_many(typed: str, names: tuple[str, ...]) -> str:
    """A name with which `typed` shares a form that lacks one letter: comparing with each of thousands is too slow."""
    forms = _index(names)
    return next((forms[form] for form in (typed, *_without_one(typed)) if form in forms), "")


@lru_cache(maxsize=8)
def _index(names: tuple[str, ...]) -> dict[str, str]:
    forms: dict[str, str] = {}
    for name in names:
        for form in _without_one(_fold(name[:64])):
            forms.setdefault(form, name)
    forms.update((_fold(name[:64]), name) for name in reversed(names))
    return forms


def _without_one(text: str) -> list[str]:
    return [text[:place] + text[place + 1 :] for place in range(len(text))]


def _fold(name: str) -> str:
    return name.lower().replace("-", "_").replace(" ", "_")
