"""A run's log page by page: each page says where the next one begins, also in a log that grows.

Where it begins is told by counts, not by a place in a file: of a running attempt there is only what Prefect has so far,
and the same lines come from the stored log once the attempt has ended.
"""

import base64
import hashlib
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from prefect_wfexec.definition.model import Workflow
from prefect_wfexec.errors import UsageError
from prefect_wfexec.journal.journal import Journal
from prefect_wfexec.journal.state import ExecutionState
from prefect_wfexec.views.execution import Execution
from prefect_wfexec.views.logs import Line, LogReader, Stream

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient

MOST_LINES_LOOKED_AT = 50_000
"""So many lines are looked at for one page; where few of them are wanted, it is a short one."""
LARGEST_CURSOR_BYTES = 1 << 18
_STREAMS = ("stdout", "stderr", "system")


@dataclass(frozen=True, slots=True)
class LogQuery:
    """Which lines of a log."""

    step: str | None = None
    stream: Stream = "all"
    search: str | None = None


@dataclass(frozen=True, slots=True)
class LogPage:
    """Some lines of a log.

    Attributes:
        lines: The lines.
        cursor: Where the next page begins.
        is_complete: Whether there is no next page: the run has ended, and its log with these lines.
    """

    lines: tuple[Line, ...]
    cursor: str
    is_complete: bool


@dataclass(slots=True)
class _Place:
    """How far the log of a step was read: attempts as a whole, and how many lines of the next one, by stream."""

    done: int = 0
    attempt: int = 0
    given: dict[str, int] = field(default_factory=dict)


async def read_page(
    client: "PrefectClient", journal: Journal, execution: Execution, query: LogQuery, cursor: str, limit: int
) -> LogPage:
    """The lines that follow a cursor.

    Args:
        client: A client that stays open.
        journal: The run's journal.
        execution: The run.
        query: Which lines.
        cursor: Where the page begins; empty for the first.
        limit: How many lines it has at most.

    Raises:
        UsageError: the cursor is none of this log.
    """
    workflow, state = execution.workflow, execution.state
    if workflow is None:
        return LogPage((), cursor, execution.status.is_final)
    mark = _mark(journal, workflow, query)
    places = _read_cursor(cursor, mark, workflow)
    reader = LogReader.of(client, journal)
    reader.skip(_done(places, state), _given(places))
    lines, is_exhausted = await _collect(reader, workflow, state, query, places, limit)
    is_complete = is_exhausted and execution.status.is_final
    return LogPage(tuple(lines), _write_cursor(places, mark, workflow), is_complete)


async def _collect(
    reader: LogReader,
    workflow: Workflow,
    state: ExecutionState,
    query: LogQuery,
    places: dict[str, _Place],
    limit: int,
) -> tuple[list[Line], bool]:
    """The wanted lines of a page, the places moved on; and whether there are no more now."""
    lines: list[Line] = []
    looked_at, last = 0, ""
    async for line in reader.new_lines(workflow, state, query.step):
        if len(lines) == limit or looked_at == MOST_LINES_LOOKED_AT:
            return lines, False
        if last and last != line.step:
            _end(places[last], state, last)
        place = places.setdefault(line.step, _Place())
        if place.attempt != line.attempt:
            _end(place, state, line.step)
            place.attempt, place.given = line.attempt, {}
        place.given[line.stream] = place.given.get(line.stream, 0) + 1
        looked_at, last = looked_at + 1, line.step
        if line.is_wanted(query.stream, query.search):
            lines.append(line)
    if last:
        _end(places[last], state, last)
    return lines, True


def _end(place: _Place, state: ExecutionState, step: str) -> None:
    """All lines of an attempt were read; when it has ended there are no more to come."""
    if any(attempt.number == place.attempt for attempt in state.step(step).attempts):
        place.done, place.attempt, place.given = max(place.done, place.attempt), 0, {}


def _done(places: dict[str, _Place], state: ExecutionState) -> Iterator[tuple[str, int]]:
    for step, place in places.items():
        for attempt in state.step(step).attempts:
            if attempt.number <= place.done:
                yield step, attempt.number


def _given(places: dict[str, _Place]) -> dict[tuple[str, int, str], int]:
    return {
        (step, place.attempt, stream): count for step, place in places.items() for stream, count in place.given.items()
    }


def _mark(journal: Journal, workflow: Workflow, query: LogQuery) -> str:
    """What a cursor is bound to: another log, or other lines of it, are counted otherwise."""
    bound = [str(journal.run_id), workflow.digest, query.step, query.stream, query.search]
    return hashlib.sha256(json.dumps(bound).encode()).hexdigest()[:16]


def _write_cursor(places: dict[str, _Place], mark: str, workflow: Workflow) -> str:
    numbers = {step.id: number for number, step in enumerate(workflow.steps)}
    rows = [
        [numbers[step], place.done, place.attempt, *(place.given.get(stream, 0) for stream in _STREAMS)]
        for step, place in places.items()
        if step in numbers
    ]
    text = json.dumps([mark, rows], separators=(",", ":"))
    return base64.urlsafe_b64encode(zlib.compress(text.encode(), 9)).decode().rstrip("=")


def _read_cursor(cursor: str, mark: str, workflow: Workflow) -> dict[str, _Place]:
    if not cursor:
        return {}
    try:
        found, rows = _unpacked(cursor)
        places = {workflow.steps[number].id: _place(rest) for number, *rest in rows if number >= 0}
    except (ValueError, TypeError, IndexError, zlib.error, RecursionError):
        found, places = "", {}
    if found != mark:
        hint = "begin without one, and ask for the same lines with each that follows"
        raise UsageError("the cursor is none of this log", hint=hint, code="bad-cursor")
    return places


def _unpacked(cursor: str) -> Any:
    packed = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    reader = zlib.decompressobj()
    text = reader.decompress(packed, LARGEST_CURSOR_BYTES)
    if not reader.eof or reader.unused_data:
        raise ValueError("too large, or not whole")
    return json.loads(text)


def _place(numbers: list[Any]) -> _Place:
    done, attempt, *counts = (number if isinstance(number, int) else 0 for number in numbers)
    given = {stream: count for stream, count in zip(_STREAMS, counts, strict=True) if count > 0}
    return _Place(done, attempt, given)
