"""A container's log with time stamps, as lines that are passed on once. Pure."""

import re
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache

LONGEST_LINE = 1024 * 1024
"""Bytes; a longer line is passed on in pieces."""
KEPT_SECONDS = 1
"""How far back lines are asked for again: the stamps of standard output and error may be out of order."""
_STAMP = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)")


class LogLines:
    """Splits a log into lines, takes the stamps off, and skips what it has passed on before.

    Stamps are compared as the times they are: nodes write them in their own time zone, which may change its offset,
    and one after the other is not always later.

    Args:
        prefix: Stands before every line.
        write: Takes lines, each with its line break.
    """

    def __init__(self, prefix: str, write: Callable[[str], None]) -> None:
        self.prefix = prefix
        self._write = write
        self._rest = b""
        self._cut: bool | None = None
        """Of a long line whose first pieces have come: whether it was passed on before. None: there is none."""
        self._counted: tuple[int, str] | None = None
        """The last line that counts as passed on."""
        self._passed: dict[int, Counter[str]] = {}
        """Of the last seconds: how many lines bear which fraction."""
        self._newest: int | None = None
        self._since: int | None = None
        """From when on this connection gives lines; None: from the first."""
        self._again: Mapping[int, Counter[str]] = {}
        """What this connection gives again."""

    def resume(self) -> dict[str, str]:
        """From when to read on; the server counts in whole seconds, so some lines come again."""
        if self._cut is False and self._counted is not None:
            # Its end has not come: the whole line is to come again.
            second, fraction = self._counted
            self._passed.get(second, Counter())[fraction] -= 1
        self._rest, self._cut = b"", None
        if self._newest is None:
            return {}
        self._since = self._newest - KEPT_SECONDS
        self._again = {second: fractions.copy() for second, fractions in self._passed.items()}
        return {"sinceTime": datetime.fromtimestamp(self._since, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}

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
            text, self._rest = self._shown(self._rest), b""
            self._cut = not text
            if text:
                self._write(text)

    def end(self) -> None:
        """Pass on a last line without a line break."""
        rest, self._rest = self._rest, b""
        if rest and (text := self._shown(rest)):
            self._write(text)

    def _shown(self, line: bytes) -> str:
        is_known, self._cut = self._cut, None
        stamp, _, said = line.partition(b" ")
        when = _when(stamp[:40].decode("ascii", "replace")) if is_known is None else None
        if is_known:
            return ""
        if when is None:
            said = line
        elif self._is_known(*when):
            return ""
        return f"{self.prefix}{said.decode('utf-8', 'replace').removesuffix(chr(13))}\n"

    def _is_known(self, second: int, fraction: str) -> bool:
        if self._since is not None and second < self._since:
            return True
        again = self._again.get(second)
        if again is not None and again[fraction] > 0:
            again[fraction] -= 1
            return True
        if self._newest is None or second > self._newest:
            self._newest = second
            self._passed = {one: kept for one, kept in self._passed.items() if one >= second - KEPT_SECONDS}
        if second >= self._newest - KEPT_SECONDS:
            self._passed.setdefault(second, Counter())[fraction] += 1
            self._counted = second, fraction
        return False


def _when(stamp: str) -> tuple[int, str] | None:
    """The second of a stamp and what comes after it; None for what is no stamp."""
    found = _STAMP.fullmatch(stamp)
    if found is None:
        return None
    second = _second(found[1], found[3])
    return None if second is None else (second, (found[2] or "").rstrip("0"))


@lru_cache(maxsize=64)
def _second(date_and_time: str, offset: str) -> int | None:
    try:
        return int(datetime.fromisoformat(f"{date_and_time}{offset}").timestamp())
    except ValueError:
        return None
