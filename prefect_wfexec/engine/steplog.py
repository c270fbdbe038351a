"""The log of one attempt: masked, streamed to Prefect, and kept whole when the attempt ends."""

import base64
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from prefect_wfexec.definition.model import JSON
from prefect_wfexec.journal.blobref import BlobRef
from prefect_wfexec.runtime.masking import Masker
from prefect_wfexec.runtime.spool import LogLine, Spool, read_spool
from prefect_wfexec.runtime.streams import StepOutput
from prefect_wfexec.steps.base import BlobStore

LARGEST_INLINE_BYTES = 2048


class AttemptLog:
    """Where a step writes. Everything that comes out of it is masked.

    Args:
        masker: Takes out secrets, also those added later.
        path: The file that takes the log until the journal says where it is kept; another process can read it when
            this one is killed.
        sink: Takes coalesced text for Prefect's logger: (stream, text).
    """

    def __init__(self, masker: Masker, path: Path, sink: Callable[[str, str], None]) -> None:
        self._spool = Spool(path)
        self._sink = sink
        self._output = StepOutput(masker, self._spool, self._pass_on)
        self._is_finished = False

    def _pass_on(self, stream: str, text: str) -> None:
        self._spool.flush()
        self._sink(stream, text)

    def stdout(self, text: str) -> None:
        self._output.text("stdout", text)

    def stderr(self, text: str) -> None:
        self._output.text("stderr", text)

    def system(self, text: str) -> None:
        self._output.system(text)

    def feed(self, stream: str, data: bytes) -> None:
        """Raw bytes of a command's output."""
        self._output.feed(stream, data)

    def stdout_tail(self) -> str:
        return self._output.stdout_tail()

    def tail(self) -> str:
        return self._output.tail()

    def command_ended(self) -> None:
        """A command's output is over: nothing of it is held back any longer."""
        self._output.command_ended()

    async def stored(self, blobs: BlobStore) -> tuple[JSON, ...]:
        """Where the whole log stands, after its last line: in the fact itself when small, else in blobs.

        Raises:
            EngineError: a blob could not be stored.
        """
        self.close()
        return await store_spool(self._spool, blobs)

    def close(self) -> None:
        if not self._is_finished:
            self._is_finished = True
            self._output.finish()


async def store_spool(spool: Spool, blobs: BlobStore) -> tuple[JSON, ...]:
    """Keep a finished spool: in the fact itself when small, else in blobs.

    Raises:
        EngineError: a blob could not be stored.
    """
    kept: list[JSON] = []
    for chunk in spool.chunks():
        if not kept and len(chunk) <= LARGEST_INLINE_BYTES:
            kept.append({"inline": base64.b64encode(chunk).decode()})
        else:
            kept.append((await blobs.put(chunk)).as_json())
    return tuple(kept)


async def read_stored_log(log: tuple[JSON, ...], blobs: BlobStore) -> list[LogLine]:
    """The lines of a stored log.

    Raises:
        EngineError: a blob is gone or was changed.
    """
    parts = [await _part_bytes(part, blobs) for part in log]
    return list(read_spool(parts))


async def _part_bytes(part: Any, blobs: BlobStore) -> bytes:
    if "inline" in part:
        return base64.b64decode(part["inline"])
    if "lost" in part:
        return b""
    return await blobs.get(BlobRef.from_json(part))


def moment(line: LogLine) -> datetime:
    """When a line arrived."""
    return datetime.fromtimestamp(line.time, UTC)
