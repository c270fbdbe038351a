"""The log of a run, line by line: stored logs of ended attempts, Prefect's own records of running ones."""

import base64
import tempfile
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

from prefect_wfexec.definition.model import Workflow
from prefect_wfexec.engine.steplog import moment
from prefect_wfexec.engine.task_run_ids import task_run_id
from prefect_wfexec.errors import EngineError, UsageError, join_names
from prefect_wfexec.journal.blobref import BlobRef
from prefect_wfexec.journal.blobs import Blobs
from prefect_wfexec.journal.journal import Journal
from prefect_wfexec.journal.state import Attempt, ExecutionState, StepState
from prefect_wfexec.runtime.ansi import strip_ansi
from prefect_wfexec.runtime.spool import read_spool
from prefect_wfexec.status import StepStatus
from prefect_wfexec.steps.base import BlobStore
from prefect_wfexec.views.execution import iso

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient

Stream = Literal["all", "output", "errors"]
PAGE = 200
MOST_IN_MEMORY_BYTES = 8 << 20
BLOCK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a step's log."""

    time: datetime
    step: str
    attempt: int
    stream: str
    message: str
    continued: bool = False
    """Whether what follows of this stream belongs to the same line, which is too long for one piece."""

    @property
    def level(self) -> str:
        return "WARNING" if self.stream == "stderr" else "INFO"

    def as_json(self) -> dict[str, Any]:
        return {
            "time": iso(self.time),
            "step": self.step,
            "attempt": self.attempt,
            "stream": self.stream,
            "level": self.level,
            "message": self.message,
        }

    def is_wanted(self, stream: Stream, search: str | None) -> bool:
        is_right = {"all": True, "output": self.stream == "stdout", "errors": self.stream == "stderr"}[stream]
        return is_right and (search is None or search.lower() in self.message.lower())


class LogReader:
    """Reads a run's log, each line once, also while the run goes on."""

    def __init__(self, client: "PrefectClient", run_id: UUID, blobs: BlobStore | None) -> None:
        self._client = client
        self._run_id = run_id
        self._blobs = blobs
        self._given: dict[tuple[str, int, str], int] = {}
        self._done: set[tuple[str, int]] = set()

    @classmethod
    def of(cls, client: "PrefectClient", journal: Journal) -> "LogReader":
        """A reader of the log of a journal's run; without the key, of what is not encrypted."""
        blobs = Blobs(client, journal.run_id, journal.keys) if journal.keys else None
        return cls(client, journal.run_id, blobs)

    def skip(self, done: Iterable[tuple[str, int]], given: Mapping[tuple[str, int, str], int]) -> None:
        """Take as given what another reader gave: attempts as a whole, and so many lines of others by stream."""
        self._done.update(done)
        self._given.update(given)

    async def new_lines(
        self, workflow: Workflow, state: ExecutionState, only_step: str | None = None, phase: str | None = None
    ) -> AsyncIterator[Line]:
        """The lines not given before: steps in the order of the definition, attempts in order of time.

        Args:
            workflow: The workflow with the steps of the run.
            state: The run as it is.
            only_step: Only those of this step, or of all its instances.
            phase: Only those of the steps of this phase.
        """
        wanted = workflow.steps_named(only_step) if only_step is not None else None
        for step in workflow.steps:
            if (wanted is not None and step.id not in wanted) or phase not in {None, step.phase}:
                continue
            current = state.step(step.id)
            for attempt in current.attempts:
                async for line in self._ended(step.id, attempt):
                    yield line
            if current.status is StepStatus.RUNNING:
                async for line in self._running(current):
                    yield line

    async def _ended(self, step_id: str, attempt: Attempt) -> AsyncIterator[Line]:
        if (step_id, attempt.number) in self._done:
            return
        self._done.add((step_id, attempt.number))
        if not attempt.log:
            # The process died before it could store the log: what reached Prefect is all there is.
            async for line in self._from_prefect(step_id, attempt.number, attempt.started, attempt.ended):
                yield line
            return
        this = (step_id, attempt.number)
        given = {stream: count for (*key, stream), count in self._given.items() if tuple(key) == this}
        async for line in self._stored(step_id, attempt):
            if given.get(line.stream, 0) > 0:
                given[line.stream] -= 1
                continue
            yield line

    async def _stored(self, step_id: str, attempt: Attempt) -> AsyncIterator[Line]:
        """A stored log can be larger than memory: it goes through a file of this process."""
        lost: list[str] = []
        with tempfile.SpooledTemporaryFile(MOST_IN_MEMORY_BYTES) as file:
            for part in attempt.log:
                try:
                    file.write(await self._part(part))
                except EngineError as error:
                    lost.append(error.message)
            file.seek(0)
            for line in read_spool(iter(lambda: file.read(BLOCK_BYTES), b"")):
                yield Line(moment(line), step_id, attempt.number, line.stream, line.message, line.continued)
        for why in dict.fromkeys(lost):
            yield Line(attempt.ended, step_id, attempt.number, "system", f"log lost: {why}")

    async def _part(self, part: Any) -> bytes:
        if "inline" in part:
            return base64.b64decode(part["inline"])
        if "lost" in part:
            raise EngineError(str(part["lost"]))
        if self._blobs is None:
            raise EngineError("the log is encrypted and this process has no key")
        return await self._blobs.get(BlobRef.from_json(part))

    async def _running(self, step: StepState) -> AsyncIterator[Line]:
        if step.started is None:
            return
        async for line in self._from_prefect(step.id, step.attempt, step.started, None):
            yield line

    async def _from_prefect(
        self, step_id: str, attempt: int, started: datetime, ended: datetime | None
    ) -> AsyncIterator[Line]:
        seen: dict[str, int] = {}
        async for line in self._records(step_id, attempt, started, ended):
            seen[line.stream] = seen.get(line.stream, 0) + 1
            key = (step_id, attempt, line.stream)
            if seen[line.stream] > self._given.get(key, 0):
                self._given[key] = seen[line.stream]
                yield line

    async def _records(
        self, step_id: str, attempt: int, started: datetime, ended: datetime | None
    ) -> AsyncIterator[Line]:
        from prefect.client.schemas.filters import LogFilter, LogFilterTaskRunId, LogFilterTimestamp
        from prefect.client.schemas.sorting import LogSort

        wanted = LogFilter(
            task_run_id=LogFilterTaskRunId(any_=[task_run_id(self._run_id, step_id)]),
            timestamp=LogFilterTimestamp(after_=started, before_=ended),
        )
        offset = 0
        while True:
            page = await self._client.read_logs(wanted, limit=PAGE, offset=offset, sort=LogSort.TIMESTAMP_ASC)
            for record in page:
                stream = record.name.rpartition(".")[2]
                if stream in {"stdout", "stderr", "system"}:
                    for text in record.message.split("\n"):
                        yield Line(record.timestamp.astimezone(UTC), step_id, attempt, stream, text)
            offset += PAGE
            if len(page) < PAGE:
                return


def require_step(workflow: Workflow | None, step: str | None) -> None:
    """That a workflow has a step.

    Raises:
        UsageError: it has not.
    """
    known = [found.id for found in workflow.steps] if workflow else []
    if step is not None and not (workflow and workflow.steps_named(step)):
        hint = f"one of {join_names(known)}" if known else None
        raise UsageError(f"there is no step '{step}'", hint=hint, code="unknown-step")


def require_phase(workflow: Workflow, phase: str | None) -> None:
    """That a workflow has steps in a phase.

    Raises:
        UsageError: it has not.
    """
    known = list(dict.fromkeys(step.phase for step in workflow.steps if step.phase))
    if phase is not None and phase not in known:
        hint = f"one of {join_names(known)}" if known else "its steps stand in no phases"
        raise UsageError(f"no step is in a phase '{phase}'", hint=hint, code="unknown-phase")


class LineText:
    """Lines as text, the pieces of a very long one together again.

    Args:
        only_step: The one step whose lines these are; its name is left out then.
    """

    def __init__(self, only_step: str | None) -> None:
        self._only_step = only_step
        self._open: tuple[str, int, str] | None = None

    def of(self, line: Line) -> str:
        """What a line, or a piece of one, adds: no escape sequences."""
        this, begins = (line.step, line.attempt, line.stream), ""
        if self._open != this:
            step = "" if self._only_step else f"{line.step} | "
            begins = f"{'' if self._open is None else chr(10)}{iso(line.time)} {step}"
        self._open = this if line.continued else None
        return f"{begins}{strip_ansi(line.message)}" + ("" if line.continued else "\n")
