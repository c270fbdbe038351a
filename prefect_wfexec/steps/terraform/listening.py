"""Listens to a terraform command: readable lines for the log, diagnostics and counts for the step."""

from codecs import getincrementaldecoder
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from typing import Literal

from prefect_wfexec.runtime.command import CommandResult
from prefect_wfexec.steps.base import StepLog
from prefect_wfexec.steps.terraform import diagnostics as said
from prefect_wfexec.steps.terraform.diagnostics import Diagnostic
from prefect_wfexec.steps.terraform.events import Event, Line, counts_of, diagnostic_of, done_by, parse_event, render

MAX_LINE = 16 * 1024 * 1024
MAX_PLAIN_LINES = 2000
_ENDS_IN_ORDER = frozenset({0, 1, 126, 127})
"""Terraform's own exit codes, and those of a program that could not be executed."""
Show = Literal["all", "errors", "nothing"]


@dataclass(slots=True)
class Finished:
    """How a command ended and what it said.

    Attributes:
        result: Its end.
        diagnostics: Errors and warnings of its events, or of its plain text when it had no events.
        counts: Its change summaries by operation.
        done: What it reported as done, one resource at a time.
        output: Its normal output, when that was asked for instead of logged.
        dumped_state: The state it printed because it could save it nowhere.
    """

    result: CommandResult
    diagnostics: list[Diagnostic] = field(default_factory=list)
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    done: dict[str, int] = field(default_factory=lambda: {"add": 0, "change": 0, "destroy": 0})
    output: bytes = b""
    dumped_state: object = None

    @property
    def exit_code(self) -> int | None:
        return self.result.exit_code

    @property
    def ended_in_order(self) -> bool:
        """Whether a command that changes something came to an end of its own, well or not.

        A signal gives no exit code, a crash gives another, and so does a wrapper whose terraform was killed.
        """
        return self.exit_code in _ENDS_IN_ORDER

    @property
    def errors(self) -> list[Diagnostic]:
        return said.errors_of(self.diagnostics)


class LineSplitter:
    """Cuts a stream of bytes into lines; what is longer than `MAX_LINE` comes in pieces."""

    def __init__(self) -> None:
        self._decoder = getincrementaldecoder("utf-8")(errors="replace")
        self._parts: list[str] = []
        self._length = 0

    def feed(self, data: bytes, *, is_last: bool = False) -> Iterator[str]:
        text = self._decoder.decode(data, is_last)
        *complete, rest = text.split("\n")
        for line in complete:
            self._parts.append(line)
            yield self._take()
        if rest:
            self._parts.append(rest)
            self._length += len(rest)
        if self._parts and (is_last or self._length > MAX_LINE):
            yield self._take()

    def _take(self) -> str:
        line = "".join(self._parts).removesuffix("\r")
        self._parts.clear()
        self._length = 0
        return line


class Listener:
    """Takes a command's output as it comes.

    Args:
        log: Where readable lines go.
        show: What of the output goes there; errors always come last.
        is_captured: Whether normal output is kept and never logged.
        forgives_init: Whether errors that ask for `terraform init` are left out, since it will be run.
    """

    def __init__(self, log: StepLog, *, show: Show, is_captured: bool, forgives_init: bool) -> None:
        self._log = log
        self._forgives_init = forgives_init
        self._show = show
        self._is_captured = is_captured
        self._splitters = {"stdout": LineSplitter(), "stderr": LineSplitter()}
        self._captured: list[bytes] = []
        self._plain: deque[str] = deque(maxlen=MAX_PLAIN_LINES)
        self._held: list[Line] = []
        self.finished = Finished(CommandResult(None))

    def __call__(self, stream: str, data: bytes) -> None:
        if self._is_captured and stream == "stdout":
            self._captured.append(data)
        else:
            self._take(stream, data, is_last=False)

    def ended(self, result: CommandResult) -> None:
        """How the command ended."""
        self.finished.result = result

    def close(self) -> None:
        """Take what is left, and log the errors that were held back to stand last."""
        for stream in self._splitters:
            self._take(stream, b"", is_last=True)
        finished = self.finished
        finished.output = b"".join(self._captured)
        if not finished.errors:
            finished.diagnostics += said.from_text("\n".join(self._plain))
        if self._forgives_init and said.wants_init(finished.errors):
            self._log.system(f"not initialised: {finished.errors[0].summary}")
        elif self._show != "nothing":
            self._write(self._held)

    def _take(self, stream: str, data: bytes, *, is_last: bool) -> None:
        lines: list[Line] = []
        for text in self._splitters[stream].feed(data, is_last=is_last):
            event = parse_event(text) if stream == "stdout" else None
            lines += self._take_plain(stream, text) if event is None else self._take_event(event)
        if self._show == "all":
            self._write(lines)

    def _take_event(self, event: Event) -> list[Line]:
        self._note(event)
        diagnostic = diagnostic_of(event)
        if diagnostic is not None and diagnostic.is_error:
            self._held += render(event)
            return []
        return render(event)

    def _take_plain(self, stream: str, text: str) -> list[Line]:
        self._plain.append(text)
        line = Line(text, "stderr" if stream == "stderr" else "stdout")
        if self._show == "errors" and stream == "stderr":
            self._held.append(line)
        return [line]

    def _note(self, event: Event) -> None:
        finished = self.finished
        diagnostic = diagnostic_of(event)
        if diagnostic is not None:
            finished.diagnostics.append(diagnostic)
        summary = counts_of(event)
        if summary is not None:
            finished.counts[summary[0]] = summary[1]
        done = done_by(event)
        if done is not None:
            finished.done[done] += 1
        if event.get("state") is not None:
            finished.dumped_state = event["state"]

    def _write(self, lines: list[Line]) -> None:
        for stream, group in groupby(lines, key=lambda line: line.stream):
            text = "\n".join(line.text for line in group)
            (self._log.stderr if stream == "stderr" else self._log.stdout)(text)
