"""What an expression refers to, found without running it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from prefect_wfexec.definition.tokens import Token, string_value, tokenize

MACROS = frozenset({"all", "exists", "exists_one", "existsOne", "map", "filter"})
_LITERALS = frozenset({"true", "false", "null", "in"})
_OPERAND_ENDS = frozenset({")", "]", "}"})
_OPENING = {"(": ")", "[": "]", "{": "}"}


@dataclass(frozen=True, slots=True)
class Reference:
    """One use of a root.

    Attributes:
        root: E.g. `steps`.
        path: The names that follow it as far as they are written out, e.g. `("plan", "outputs", "counts")`.
        is_computed: Whether an index follows that is no text, e.g. `steps[inputs.which]`.
    """

    root: str
    path: tuple[str, ...] = ()
    is_computed: bool = False

    def __str__(self) -> str:
        return ".".join((self.root, *self.path))


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a function or macro: `size`, `math.greatest`."""

    name: str
    is_method: bool


@dataclass(frozen=True, slots=True)
class References:
    """What an expression, or every expression in a value, refers to.

    Attributes:
        roots: The roots used, known or not.
        steps: The ids of the steps named.
        outputs: The outputs named, by step; a step named without one is not in it.
        secrets: The names behind `secrets.`.
        inputs: The names behind `inputs.`.
        all: Every single reference.
        calls: Every function called.
    """

    roots: frozenset[str] = frozenset()
    steps: frozenset[str] = frozenset()
    outputs: Mapping[str, frozenset[str]] = field(default_factory=dict)
    secrets: frozenset[str] = frozenset()
    inputs: frozenset[str] = frozenset()
    all: tuple[Reference, ...] = ()
    calls: tuple[Call, ...] = ()


NOTHING = References()


@lru_cache(maxsize=4096)
def references_of(expression: str) -> References:
    """What one bare expression refers to; nonsense gives what can be made out, never an error."""
    reader = _Reader(tokenize(expression))
    found = list(reader.references())
    return collect(found, tuple(dict.fromkeys(reader.calls)))


def merge(many: list[References]) -> References:
    """What several expressions refer to."""
    if len(many) < 2:
        return many[0] if many else NOTHING
    return collect(
        (reference for one in many for reference in one.all),
        tuple(dict.fromkeys(call for one in many for call in one.calls)),
    )


def collect(found: Iterable[Reference], calls: tuple[Call, ...] = ()) -> References:
    every = tuple(dict.fromkeys(found))
    outputs: dict[str, set[str]] = {}
    for one in every:
        if one.root == "steps" and len(one.path) > 2 and one.path[1] == "outputs":
            outputs.setdefault(one.path[0], set()).add(one.path[2])
    return References(
        roots=frozenset(one.root for one in every),
        steps=_first_names(every, "steps"),
        outputs={step: frozenset(names) for step, names in outputs.items()},
        secrets=_first_names(every, "secrets"),
        inputs=_first_names(every, "inputs"),
        all=every,
        calls=calls,
    )


def _first_names(references: tuple[Reference, ...], root: str) -> frozenset[str]:
    return frozenset(one.path[0] for one in references if one.root == root and one.path)


class _Reader:
    """Walks the tokens once, knowing which names a macro binds."""

    def __init__(self, tokens: tuple[Token, ...]) -> None:
        self.tokens = tokens
        self.calls: list[Call] = []
        self.bound: list[str | None] = []

    def references(self) -> Iterator[Reference]:
        position = 0
        while position < len(self.tokens):
            token = self.tokens[position]
            if token.kind == "mark":
                self._bracket(position, token.text)
            elif token.kind == "name" and not self._is_member(position):
                if self._is_mark(position + 1, "(") or self._is_namespaced_call(position):
                    position = self._call(position)
                elif token.text not in _LITERALS and token.text not in self.bound:
                    reference, position = self._path(position)
                    yield reference
            elif token.kind == "name" and self._is_mark(position + 1, "("):
                self.calls.append(Call(token.text, is_method=True))
            position += 1

    def _bracket(self, position: int, mark: str) -> None:
        if mark in _OPENING:
            self.bound.append(self._variable_of_macro(position) if mark == "(" else None)
        elif mark in _OPERAND_ENDS and self.bound:
            self.bound.pop()

    def _variable_of_macro(self, position: int) -> str | None:
        """The variable `x` bound by `.map(x, …)` when the `(` stands at `position`."""
        if position < 2 or self.tokens[position - 1].text not in MACROS or not self._is_mark(position - 2, "."):
            return None
        if not self._is_mark(position + 2, ","):
            return None
        variable = self.tokens[position + 1]
        return variable.text if variable.kind == "name" else None

    def _is_member(self, position: int) -> bool:
        """Whether the name at `position` is a field or method of what stands before the dot."""
        if not self._is_mark(position - 1, "."):
            return False
        if position < 2:
            return False
        before = self.tokens[position - 2]
        return before.kind != "mark" or before.text in _OPERAND_ENDS

    def _is_namespaced_call(self, position: int) -> bool:
        return (
            self.tokens[position].text in NAMESPACES
            and self._is_mark(position + 1, ".")
            and position + 2 < len(self.tokens)
            and self.tokens[position + 2].kind == "name"
            and self._is_mark(position + 3, "(")
        )

    def _call(self, position: int) -> int:
        """Note the call at `position`; where its name ends."""
        if self._is_mark(position + 1, "("):
            self.calls.append(Call(self.tokens[position].text, is_method=False))
            return position
        self.calls.append(Call(f"{self.tokens[position].text}.{self.tokens[position + 2].text}", is_method=False))
        return position + 2

    def _path(self, position: int) -> tuple[Reference, int]:
        """The reference that begins at `position`, and the position of its last token."""
        root, path = self.tokens[position].text, []
        while True:
            after = self.tokens[position + 1 : position + 4]
            if len(after) > 1 and after[0].is_mark(".") and after[1].kind == "name":
                if len(after) > 2 and after[2].is_mark("("):
                    break
                path.append(after[1].text)
                position += 2
            elif len(after) > 2 and after[0].is_mark("[") and after[1].kind == "string" and after[2].is_mark("]"):
                name = string_value(after[1].text)
                if name is None:
                    return Reference(root, tuple(path), is_computed=True), position
                path.append(name)
                position += 3
            else:
                is_computed = bool(after) and after[0].is_mark("[")
                return Reference(root, tuple(path), is_computed), position
        return Reference(root, tuple(path)), position

    def _is_mark(self, position: int, mark: str) -> bool:
        return 0 <= position < len(self.tokens) and self.tokens[position].is_mark(mark)


NAMESPACES = frozenset({"math", "sets", "base64", "optional", "strings", "lists"})
