"""What the supervisor leaves when the flow process is gone: outcome files with a masked log tail, no scratch folder."""

import contextlib
import json
import os
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from prefect_wfexec.runtime.supervision.supervised import SupervisedCommand

TAIL_BYTES = 1 << 16
_KEPT_BYTES = 2 * TAIL_BYTES
_READ_BYTES = 1 << 18


class Tails:
    """Reads a command's pipes in the flow process's place, so that nothing blocks, and keeps the end of each."""

    def __init__(self, command: SupervisedCommand) -> None:
        self._pipes = dict(command.pipes)
        self._kept = {stream: bytearray() for stream in self._pipes}

    @property
    def open_pipes(self) -> list[int]:
        return list(self._pipes.values())

    def read(self) -> None:
        """Take what has arrived, up to one read from each pipe."""
        for stream, fd in list(self._pipes.items()):
            self._read(stream, fd)

    def read_rest(self) -> None:
        """Take what is left; what keeps a pipe open after its command has no say in how long that takes."""
        for _ in range(8):
            self.read()

    def _read(self, stream: str, fd: int) -> None:
        try:
            data = os.read(fd, _READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            del self._pipes[stream]
            return
        kept = self._kept[stream]
        kept += data
        if len(kept) > _KEPT_BYTES:
            del kept[:-_KEPT_BYTES]

    def masked(self, secrets: Iterable[str]) -> dict[str, str]:
        """The last 64 KiB of each stream, masked; where that can't be done nothing is told."""
        try:
            from prefect_wfexec.runtime.masking import Masker
        except ImportError:
            return dict.fromkeys(self._kept, "")
        masker = Masker(secrets)
        return {
            stream: _last_bytes(masker.mask_rest(kept.decode(errors="replace"))) for stream, kept in self._kept.items()
        }


def _last_bytes(text: str) -> str:
    return text.encode(errors="replace")[-TAIL_BYTES:].decode(errors="ignore")


def outcome_of(command: SupervisedCommand, tails: dict[str, str]) -> dict[str, Any]:
    """What the outcome file says."""
    report = command.report()
    return {
        **report,
        "label": command.request["label"],
        "pid": command.pid,
        "started": _iso(command.started_at),
        "ended": _iso(time.time()),
        "stdout_tail": tails.get("stdout", ""),
        "stderr_tail": tails.get("stderr", ""),
    }


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def write_outcome(path: str, outcome: dict[str, Any]) -> None:
    """Write the file whole or not at all, readable by its owner only; parent folders are made."""
    temporary = f"{path}.{os.getpid()}.part"
    with contextlib.suppress(OSError):  # nobody is left who could be told
        os.makedirs(os.path.dirname(path) or ".", mode=0o700, exist_ok=True)  # noqa: PTH103, PTH120
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)  # noqa: PTH108
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(fd, "w", encoding="ascii") as file:
            json.dump(outcome, file)
            file.flush()
            os.fsync(fd)
        os.replace(temporary, path)  # noqa: PTH105


def remove_folders(paths: Iterable[str]) -> None:
    """Remove folders with all they hold, as far as that is allowed."""
    import shutil

    for path in paths:
        shutil.rmtree(path, ignore_errors=True)
