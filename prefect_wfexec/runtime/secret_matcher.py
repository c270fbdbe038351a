"""Finds every occurrence of many strings in a text, fast when there is none."""

import re
from collections.abc import Iterable

from prefect_wfexec.runtime.secret_forms import SHORTEST

MASK = "***"

_WINDOW = 3
_FEW = 24
"""Up to this many strings a plain search for each is faster than one look for all."""

_COMMONNESS = dict(zip("etaoinsrhldcumfpgwybvkxjqz", range(26, 0, -1), strict=True))
_COMMONNESS.update({" ": 30, "\n": 4, **dict.fromkeys("0123456789", 8), **dict.fromkeys('-.:/_="', 6)})

Span = tuple[int, int]


class SecretMatcher:
    """Knows a fixed set of strings, each of at least six characters.

    Three neighbouring characters of each string, the rarest it has in everyday text, are looked for with one regular
    expression of character classes; only where that hits are the strings themselves compared.

    Attributes:
        longest: The length of the longest string.
        reforming: The strings that a mask may help to form: `***` is part of them or touches their ends.
    """

    def __init__(self, strings: Iterable[str] = ()) -> None:
        self._strings = sorted(set(strings), key=len)
        self.longest = len(self._strings[-1]) if self._strings else 0
        self.reforming = tuple(
            string for string in reversed(self._strings) if MASK in string or "*" in (string[0], string[-1])
        )
        self._cores = _without_containing(self._strings) if len(self._strings) <= 40 * _FEW else self._strings
        self._windows: dict[str, list[tuple[int, str]]] = {}
        self._pattern = self._compile()
        self._heads: dict[str, list[str]] = {}
        for string in self._strings:
            self._heads.setdefault(string[:SHORTEST], []).append(string)
        self._short_heads = frozenset(head[:size] for head in self._heads for size in range(1, SHORTEST))

    def _compile(self) -> re.Pattern[str]:
        classes: tuple[set[str], ...] = tuple(set() for _ in range(_WINDOW))
        for string in self._strings:
            offset = min(range(min(len(string) - _WINDOW + 1, 64)), key=lambda at: _cost(string, at, classes))
            window = string[offset : offset + _WINDOW]
            for known, char in zip(classes, window, strict=True):
                known.add(char)
            self._windows.setdefault(window, []).append((offset, string))
        first, *others = ("[" + "".join(re.escape(char) for char in sorted(known)) + "]" for known in classes)
        return re.compile(f"{first}(?={''.join(others)})") if self._strings else re.compile("(?!)")

    def is_absent(self, text: str) -> bool:
        """Whether a quick look is enough to say that none of the strings is in the text."""
        return len(self._cores) <= _FEW and not any(core in text for core in self._cores)

    def spans(self, text: str) -> list[Span]:
        """Which parts of the text are covered by occurrences, in order, overlapping and touching ones joined."""
        if self.is_absent(text):
            return []
        found: list[Span] = []
        for hit in self._pattern.finditer(text):
            at = hit.start()
            for offset, string in self._windows.get(text[at : at + _WINDOW], ()):
                start = at - offset
                if start >= 0 and text.startswith(string, start):
                    _add(found, start, start + len(string))
        return join_spans(found)

    def held_from(self, text: str) -> int:
        """Where the longest end of the text begins that more text could make into one of the strings."""
        size = len(text)
        for start in range(max(0, size - self.longest + 1), size - SHORTEST + 1):
            strings = self._heads.get(text[start : start + SHORTEST])
            if strings and self._may_grow(text[start:], strings):
                return start
        for start in range(max(0, size - SHORTEST + 1), size):
            if text[start:] in self._short_heads:
                return start
        return size

    def _may_grow(self, end: str, strings: list[str]) -> bool:
        return any(len(string) > len(end) and string.startswith(end) for string in strings)

    def broken_start(self, text: str) -> int:
        """How long the text's beginning is that may be the rest of a string cut in two; ends under four don't count."""
        for size in range(min(self.longest - 1, len(text)), 3, -1):
            start = text[:size]
            if any(len(string) > size and string.endswith(start) for string in self._strings):
                return size
        return 0


def join_spans(spans: list[Span]) -> list[Span]:
    """The spans in order, overlapping and touching ones joined."""
    joined: list[Span] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def _add(spans: list[Span], start: int, end: int) -> None:
    """Add a span, at once joined to the last where it can be: a text of nothing but secrets stays one span."""
    if spans and spans[-1][0] <= start <= spans[-1][1]:
        spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
    else:
        spans.append((start, end))


def _cost(string: str, offset: int, classes: tuple[set[str], ...]) -> int:
    window = string[offset : offset + _WINDOW]
    added = sum(_COMMONNESS.get(char, 1) for known, char in zip(classes, window, strict=True) if char not in known)
    return 100 * added + sum(_COMMONNESS.get(char, 1) for char in window)


def _without_containing(strings: list[str]) -> list[str]:
    """The strings, shortest first, that contain no other of them: where none of these is, none of the others is."""
    cores: list[str] = []
    for string in strings:
        if not any(core in string for core in cores):
            cores.append(string)
    return cores
