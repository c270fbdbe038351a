"""Reads what a supervisor left of a command whose flow process died."""

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import cast

from prefect_wfexec.errors import SupervisorError
from prefect_wfexec.runtime.command import CommandResult, StopReason


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command ended while nobody watched.

    Attributes:
        label: Whose command it was, as in `Command.label`.
        result: How it ended.
        started: When it began, UTC.
        ended: When nothing of it was left, UTC.
        stdout_tail: The end of its stdout, masked, at most 64 KiB; only what the flow process had not read yet.
        stderr_tail: The same of stderr.
    """

    label: str
    result: CommandResult
    started: datetime
    ended: datetime
    stdout_tail: str
    stderr_tail: str

    @property
    def tail(self) -> str:
        """The ends of both streams, stdout first."""
        return "\n".join(part.rstrip("\n") for part in (self.stdout_tail, self.stderr_tail) if part)


def read_outcome(path: Path) -> Outcome | None:
    """The outcome in this file; None while there is none.

    Raises:
        SupervisorError: the file is not one of a supervisor's.
    """
    try:
        data = json.loads(path.read_text(encoding="ascii"))
        return Outcome(
            label=data["label"],
            result=CommandResult(
                exit_code=data["exit_code"],
                signal=data["signal"],
                stopped=cast("StopReason | None", data["stopped"]),
                signals_sent=tuple(data["signals_sent"]),
                duration_seconds=data["duration_seconds"],
                leftovers=data["leftovers"],
            ),
            started=datetime.fromisoformat(data["started"]),
            ended=datetime.fromisoformat(data["ended"]),
            stdout_tail=data["stdout_tail"],
            stderr_tail=data["stderr_tail"],
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SupervisorError(
            f"the outcome file '{path}' can't be read: {error}", hint="take the command's outcome as unknown"
        ) from error
