r"""The filter patterns of GitHub Actions, for branches, tags and paths.

`*` is any text without a slash, `**` any text; `?` makes the character before it optional and `+` repeats it;
`[a-z]` is one of several characters; a backslash takes the next character as it is. A pattern that begins with `!`
takes out what those before it let in: order matters. Matching takes time in proportion to the text, whatever the
pattern, since texts come from outside.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

_MOST_CACHED = 4096
_ANY = frozenset[str]()


@dataclass(frozen=True, slots=True)
class _Piece:
    """One character of a pattern; `characters` is empty for any, of which `but` is left out."""

    characters: frozenset[str]
    but: str = ""
    can_be_absent: bool = False
    can_repeat: bool = False
    skips: int = 1
    """How many pieces are passed over when it is absent."""

    def takes(self, character: str) -> bool:
        return character in self.characters if self.characters else character != self.but


_FORK = _Piece(frozenset({""}), can_be_absent=True, skips=3)
"""Takes no character: the two pieces behind it are there or not."""


class Glob:
    """One pattern, without the `!` in front."""

    def __init__(self, pattern: str) -> None:
        self._pieces = _pieces(pattern)
        self._steps: dict[tuple[frozenset[int], str], frozenset[int]] = {}
        self._start = self._closure({0})

    def matches(self, text: str) -> bool:
        """Whether the whole text is of this pattern."""
        places = self._start
        for character in text:
            places = self._after(places, character)
            if not places:
                return False
        return len(self._pieces) in places

    def _after(self, places: frozenset[int], character: str) -> frozenset[int]:
        key = (places, character)
        found = self._steps.get(key)
        if found is None:
            if len(self._steps) >= _MOST_CACHED:
                self._steps.clear()
            found = self._steps[key] = self._closure(self._reached(places, character))
        return found

    def _reached(self, places: Iterable[int], character: str) -> set[int]:
        reached: set[int] = set()
        for place in places:
            piece = self._pieces[place] if place < len(self._pieces) else None
            if piece is not None and piece.takes(character):
                reached |= {place, place + 1} if piece.can_repeat else {place + 1}
        return reached

    def _closure(self, places: set[int]) -> frozenset[int]:
        pending, found = list(places), set(places)
        while pending:
            place = pending.pop()
            piece = self._pieces[place] if place < len(self._pieces) else None
            if piece is not None and piece.can_be_absent:
                ahead = {place + 1, place + piece.skips} - found
                found |= ahead
                pending += ahead
        return frozenset(found)


def is_let_in(text: str, patterns: Sequence[str]) -> bool:
    """Whether the patterns, in their order, let a text in."""
    verdict = False
    for pattern in patterns:
        if pattern.startswith("!"):
            verdict = verdict and not _glob(pattern[1:]).matches(text)
        elif not verdict:
            verdict = _glob(pattern).matches(text)
    return verdict


@lru_cache(maxsize=512)
def _glob(pattern: str) -> Glob:
    return Glob(pattern)


def _pieces(pattern: str) -> list[_Piece]:
    pieces: list[_Piece] = []
    position = 0
    while position < len(pattern):
        found, position = _next(pattern, position, at_start=not pieces)
        pieces += found
    return pieces


def _next(pattern: str, position: int, *, at_start: bool) -> tuple[list[_Piece], int]:
    rest = pattern[position:]
    if rest.startswith("**/") and (at_start or pattern[position - 1] == "/"):
        return [_FORK, _Piece(_ANY, can_be_absent=True, can_repeat=True), _Piece(frozenset("/"))], position + 3
    if rest.startswith("**"):
        return [_Piece(_ANY, can_be_absent=True, can_repeat=True)], position + 2
    if rest.startswith("*"):
        return [_Piece(_ANY, but="/", can_be_absent=True, can_repeat=True)], position + 1
    characters, position = _character(pattern, position)
    following = pattern[position : position + 1]
    piece = _Piece(characters, can_be_absent=following == "?", can_repeat=following == "+")
    return [piece], position + (following in {"?", "+"} and following != "")


def _character(pattern: str, position: int) -> tuple[frozenset[str], int]:
    if pattern[position] == "\\" and position + 1 < len(pattern):
        return frozenset(pattern[position + 1]), position + 2
    end = pattern.find("]", position + 2) if pattern[position] == "[" else -1
    if end < 0:
        return frozenset(pattern[position]), position + 1
    return _choice(pattern[position + 1 : end]), end + 1


def _choice(listed: str) -> frozenset[str]:
    found: set[str] = set()
    position = 0
    while position < len(listed):
        first, last = listed[position], listed[position]
        if listed[position + 1 : position + 2] == "-" and position + 2 < len(listed):
            last = listed[position + 2]
            position += 2
        found |= {chr(code) for code in range(ord(first), min(ord(last), ord(first) + 0x10000) + 1)}
        position += 1
    return frozenset(found) or frozenset(listed)
