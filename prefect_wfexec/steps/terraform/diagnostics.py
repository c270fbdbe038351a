"""What terraform says is wrong, from its JSON events or its plain text."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

MAX_DIAGNOSTICS = 8
MAX_DETAIL_LINES = 30


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One error or warning of terraform.

    Attributes:
        severity: `error` or `warning`.
        summary: Its first line.
        detail: The rest, may be long.
        address: The resource it is about.
        place: Where in the configuration, e.g. `on main.tf line 8, in resource "terraform_data" "x"`.
        code: The source lines at that place.
        values: What expressions there stood for, e.g. `var.size is 3`.
    """

    severity: str
    summary: str
    detail: str = ""
    address: str = ""
    place: str = ""
    code: str = ""
    values: tuple[str, ...] = ()

    @property
    def is_error(self) -> bool:
        return self.severity == "error"

    def lines(self) -> list[str]:
        """The diagnostic in full, as a log shows it."""
        head = f"{self.severity.capitalize()}: {self.summary}"
        return [head, *_indented([*self._origin(), *self.values]), *_indented(self.detail.strip().splitlines())]

    def block(self) -> str:
        """The diagnostic as an error message shows it: summary, origin, detail; long details are cut."""
        detail = self.detail.strip().splitlines()
        if len(detail) > MAX_DETAIL_LINES:
            left_out = len(detail) - MAX_DETAIL_LINES
            detail = [*detail[:MAX_DETAIL_LINES], f"… {left_out} more lines in the log"]
        return "\n".join([self.summary, *self._origin(), *detail])

    def _origin(self) -> list[str]:
        about = [f"with {self.address}"] if self.address else []
        return about + ([self.place] if self.place else []) + [f"  {line}" for line in self.code.splitlines()]


@dataclass(frozen=True, slots=True)
class LockHolder:
    """Who holds the state lock, as terraform tells it; parts may be empty."""

    id: str = ""
    path: str = ""
    operation: str = ""
    who: str = ""
    created: str = ""


def from_event(data: Mapping[str, Any]) -> Diagnostic:
    """The diagnostic in an event's `diagnostic` member; parts of an unexpected type are left out."""
    snippet = _mapping(data.get("snippet"))
    return Diagnostic(
        severity=_text(data.get("severity")) or "error",
        summary=_text(data.get("summary")) or "terraform gave no summary",
        detail=_text(data.get("detail")),
        address=_text(data.get("address")),
        place=_place(_mapping(data.get("range")), _text(snippet.get("context"))),
        code=_text(snippet.get("code")).rstrip(),
        values=tuple(_values(snippet.get("values"))),
    )


_HEAD = re.compile(r"^(Error|Warning): (.*)$")
_PLACE = re.compile(r"^\s*on .+ line \d+")
_WITH = re.compile(r"^\s*with (\S.*?),?$")
_ANNOUNCEMENT = "encountered problems during initialisation"
_FRAME = re.compile(r"^[╷│╵]\s?")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def from_text(text: str) -> list[Diagnostic]:
    """The diagnostics in terraform's plain output; text before the first one is not looked at."""
    found: list[tuple[str, str, list[str]]] = []
    for raw in _COLOUR.sub("", text).splitlines():
        line = _FRAME.sub("", raw)
        head = _HEAD.match(line)
        if head:
            found.append((head[1].lower(), head[2], []))
        elif found:
            found[-1][2].append(line)
    return [_from_lines(severity, summary, lines) for severity, summary, lines in found]


def _from_lines(severity: str, summary: str, lines: list[str]) -> Diagnostic:
    diagnostic = Diagnostic(severity, summary)
    rest = list(lines)
    while rest and not rest[0].strip():
        rest.pop(0)
    if rest and (about := _WITH.match(rest[0])):
        diagnostic = replace(diagnostic, address=about[1])
        rest.pop(0)
    if rest and _PLACE.match(rest[0]):
        diagnostic = replace(diagnostic, place=rest.pop(0).strip().rstrip(":"))
    return replace(diagnostic, detail="\n".join(line.rstrip() for line in rest).strip())


def errors_of(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """The errors, each once; the one that only announces the others is left out."""
    errors = list(dict.fromkeys(diagnostic for diagnostic in diagnostics if diagnostic.is_error))
    return [error for error in errors if _ANNOUNCEMENT not in error.summary] or errors


def describe(errors: list[Diagnostic]) -> str:
    """The errors as one message; the first few in full."""
    blocks = [error.block() for error in errors[:MAX_DIAGNOSTICS]]
    if len(errors) > MAX_DIAGNOSTICS:
        blocks.append(f"… {len(errors) - MAX_DIAGNOSTICS} more errors in the log")
    return "\n\n".join(blocks)


_WANTS_INIT = re.compile(r"\b(terraform|tofu) init\b")


def wants_init(errors: Iterable[Diagnostic]) -> bool:
    """Whether terraform asks for `terraform init`: a backend, module or provider is not installed yet or changed."""
    return any(_WANTS_INIT.search(f"{error.summary}\n{error.detail}") for error in errors)


def is_stale_plan(error: Diagnostic) -> bool:
    """Whether the state has moved on since the plan was made."""
    return error.summary in {"Saved plan is stale", "Saved plan does not match the given state"}


_TELLS_OF_THE_ASKER = re.compile(
    r"HTTP remote state already locked(?::\s*ID=(?P<id>\S*))?|already locked for workspace creation|"
    r"workspace is already locked",
    re.IGNORECASE,
)
"""What the backends `http` and `pg` say."""


def lock_holder(error: Diagnostic) -> LockHolder | None:
    """Who holds the state lock, when that is what the error is about.

    With some backends terraform's lock info is of the command that wanted the lock, and not of the one that holds it:
    then no more is known than the holder's id, if that.
    """
    if "acquiring the state lock" not in error.summary.lower():
        return None
    said = dict(re.findall(r"^\s*(ID|Path|Operation|Who|Created):[ \t]*(.*?)[ \t]*$", error.detail, re.MULTILINE))
    known = _TELLS_OF_THE_ASKER.search(error.detail)
    if known is not None and (not known["id"] or known["id"] != said.get("ID")):
        return LockHolder(id=known["id"] or "")
    operation = said.get("Operation", "").removeprefix("OperationType").lower()
    created = re.sub(r"\.\d+", "", said.get("Created", "")).removesuffix(" +0000 UTC")
    return LockHolder(said.get("ID", ""), said.get("Path", ""), operation, said.get("Who", ""), created)


def _place(where: Mapping[str, Any], context: str) -> str:
    filename = _text(where.get("filename"))
    if not filename:
        return ""
    line = _mapping(where.get("start")).get("line")
    return f"on {filename} line {line}" + (f", in {context}" if context else "")


def _values(values: object) -> Iterable[str]:
    for value in values if isinstance(values, list) else ():
        known = _mapping(value)
        if known.get("traversal"):
            yield f"{_text(known.get('traversal'))} {_text(known.get('statement'))}"


def _indented(lines: Iterable[str]) -> list[str]:
    return [f"  {line}".rstrip() for line in lines]


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
