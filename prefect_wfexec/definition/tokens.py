"""The tokens of a CEL expression: enough of the grammar to find names, and never fooled by strings or comments."""

import re
from functools import lru_cache
from typing import NamedTuple

_TOKEN = re.compile(
    r"""
    (?P<space>\s+|//[^\n]*)
  | (?P<string>
        (?:[bB][rR]|[rR][bB]|[rR])(?:\"{3}(?s:.*?)\"{3}|'{3}(?s:.*?)'{3}|"[^"\n]*"|'[^'\n]*')
      | [bB]?(?:\"{3}(?s:(?:\\.|[^\\])*?)\"{3}|'{3}(?s:(?:\\.|[^\\])*?)'{3}
            |"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'))
  | (?P<number>0[xX][0-9a-fA-F]+[uU]?|(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?[uU]?)
  | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
  | (?P<mark>&&|\|\||[=!<>]=|[-+*/%!<>?:,.(){}\[\]])
  | (?P<quote>["'])
  | (?P<other>.)
    """,
    re.VERBOSE | re.ASCII,
)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
_ESCAPE = re.compile(r"\\(?:[xX]([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})|(.))", re.DOTALL)
_STRING = re.compile(r"([bBrR]*)(\"{3}|'{3}|\"|')(.*)\2", re.DOTALL)


class Token(NamedTuple):
    """One token.

    Attributes:
        kind: `string`, `number`, `name`, `mark` (an operator or bracket), `quote` (one that is never closed) or
            `other` (a character CEL does not know).
        text: As written.
    """

    kind: str
    text: str

    def is_mark(self, mark: str) -> bool:
        return self.kind == "mark" and self.text == mark


@lru_cache(maxsize=256)
def tokenize(expression: str) -> tuple[Token, ...]:
    """The tokens, without space and comments."""
    return tuple(
        [
            Token(found.lastgroup or "other", found[0])
            for found in _TOKEN.finditer(expression)
            if found.lastgroup != "space"
        ]
    )


def find_end(text: str, start: int, limit: int) -> int | None:
    """Where the `}}` stands that ends the expression which begins at `start`; None when there is none.

    A `}}` inside a string, or that closes a CEL object, does not end it; one inside a comment does. No more than
    `limit` characters are read.
    """
    depth = 0
    position = start
    stop = min(len(text), start + limit)
    while position < stop:
        if depth == 0 and text.startswith("}}", position):
            return position
        found = _TOKEN.match(text, position)
        if found is None:
            return None
        piece = found[0]
        if piece.startswith("//") and (inner := piece.find("}}")) >= 0:
            return position + inner
        if found.lastgroup == "mark":
            depth += {"{": 1, "}": -1}.get(piece, 0)
        position = found.end()
    return None


def string_value(token: str) -> str | None:
    """The text a string token stands for; None for bytes and what can't be read."""
    found = _STRING.fullmatch(token)
    if found is None or "b" in found[1].lower():
        return None
    if "r" in found[1].lower():
        return found[3]
    try:
        return _ESCAPE.sub(_unescape, found[3])
    except (ValueError, OverflowError):
        return None


def _unescape(found: re.Match[str]) -> str:
    two, four, eight, octal, letter = found.groups()
    if letter is not None:
        return _ESCAPES.get(letter, letter)
    return chr(int(octal, 8) if octal is not None else int(two or four or eight, 16))
