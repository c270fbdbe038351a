"""A container's log with time stamps, as lines that are passed on once. Pure."""

import re
from collections.abc import AsyncIterator, Callable

LONGEST_LINE = 1024 * 1024
"""Bytes; a longer line is passed on in pieces."""
_STAMP = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)")


class LogLines:
    """Splits a log into lines, takes the stamps off, and skips what it has passed on before.

    Args:
        prefix: Stands before every line.
        write: Takes lines, each with its line break.
    """

    def __init__(self, prefix: str, write: Callable[[str], None]) -> None:
        self.prefix = prefix
        self._write = write
        self._rest = b""
        self._last = ""
        self._at_last = 0
        """How many lines bear the last stamp."""
        self._seen_again = 0

    def resume(self) -> dict[str, str]:
        """From when to read on; the server counts in whole seconds, so some lines come again."""
        self._rest, self._seen_again = b"", 0
        found = _STAMP.fullmatch(self._last)
        return {"sinceTime": f"{found[1]}{found[3]}"} if found else {}

    async def read(self, pieces: AsyncIterator[bytes]) -> None:
        """Pass on everything that comes, to its end."""
        async for piece in pieces:
            self.take(piece)
        self.end()

    def take(self, piece: bytes) -> None:
        """Pass on the lines that are whole by now."""
        *lines, self._rest = (self._rest + piece).split(b"\n")
        if text := "".join(self._shown(line) for line in lines):
            self._write(text)
        if len(self._rest) > LONGEST_LINE:
            self._write(self._shown(self._rest))
            # What follows of this line has no stamp of its own.
            self._rest = b""

    def end(self) -> None:
        """Pass on a last line without a line break."""
        rest, self._rest = self._rest, b""
        if rest and (text := self._shown(rest)):
            self._write(text)

    def _shown(self, line: bytes) -> str:
        stamp, _, said = line.partition(b" ")
        when = stamp[:40].decode("ascii", "replace")
        if _STAMP.fullmatch(when) is None:
            said = line
        elif self._is_known(when):
            return ""
        return f"{self.prefix}{said.decode('utf-8', 'replace').removesuffix(chr(13))}\n"

    def _is_known(self, when: str) -> bool:
        if when < self._last:
            return True
        if when > self._last:
            self._last, self._at_last, self._seen_again = when, 1, 1
            return False
        self._seen_again += 1
        if self._seen_again <= self._at_last:
            return True
        self._at_last += 1
        return False
