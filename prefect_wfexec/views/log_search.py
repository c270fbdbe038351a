"""Searching a log: the lines that have a text, and those around them. Pure."""

from collections import deque
from dataclasses import dataclass, field

from prefect_wfexec.views.logs import Line, Stream


@dataclass
class LogSearch:
    """Takes lines one by one and gives those that are wanted, in their order, each once.

    Attributes:
        stream: Of which stream.
        text: What a line must have, whatever its case; None: any line.
        context: How many lines before and after one with that text are wanted too, of the same step and attempt.
        has_gap: Whether lines were left out before those that were given last.
    """

    stream: Stream = "all"
    text: str | None = None
    context: int = 0
    has_gap: bool = False
    _before: deque[Line] = field(default_factory=deque)
    _after: int = 0
    _at: tuple[str, int] = ("", 0)
    _left_out: bool = False

    def take(self, line: Line) -> list[Line]:
        """The lines to show now that this one has come."""
        if not line.is_wanted(self.stream, None):
            return []
        if (line.step, line.attempt) != self._at:
            self._left_out = self._left_out or bool(self._before)
            self._at, self._after = (line.step, line.attempt), 0
            self._before.clear()
        if self.text is None or line.is_wanted("all", self.text):
            found = [*self._before, line]
            self._before.clear()
            self._after = self.context
            self.has_gap, self._left_out = self._left_out, False
            return found
        if self._after:
            self._after -= 1
            self.has_gap = False
            return [line]
        if self.context:
            self._before.append(line)
        if len(self._before) > self.context or not self.context:
            self._left_out = True
        while len(self._before) > self.context:
            self._before.popleft()
        return []
