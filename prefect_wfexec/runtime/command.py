"""A command to run under the supervisor, how to stop it, and how it ended."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from prefect_wfexec.errors import WfexecError

StopReason = Literal["cancelled", "timeout", "parent_died", "supervisor_died"]


@dataclass(frozen=True, slots=True)
class StopPolicy:
    """How a process group is stopped: one SIGINT to the group, a wait, SIGTERM, a wait, SIGKILL.

    Attributes:
        interrupt_seconds: How long the group has after the one SIGINT.
        terminate_seconds: How long it has after SIGTERM; None: SIGTERM is never sent (terraform: its provider plugins
            would die before it).
    """

    interrupt_seconds: float = 10.0
    terminate_seconds: float | None = 5.0


@dataclass(frozen=True, slots=True)
class Command:
    """What to run.

    Attributes:
        argv: The program and its arguments; never a shell string.
        cwd: The folder it runs in.
        env: Its whole environment.
        stop: How to stop it.
        deadline_seconds: Stop it after this long; None: no limit.
        scratch: A folder the supervisor removes when the flow process is gone.
        outcome_file: Where the supervisor leaves exit code and masked log tail when the flow process is gone.
        secrets: Strings to mask in that tail.
        label: What the outcome file says of whose command it was, e.g. the step's id.
    """

    argv: tuple[str, ...]
    cwd: Path
    env: Mapping[str, str]
    stop: StopPolicy = StopPolicy()
    deadline_seconds: float | None = None
    scratch: Path | None = None
    outcome_file: Path | None = None
    secrets: tuple[str, ...] = ()
    label: str = ""


@dataclass(frozen=True, slots=True)
class CommandResult:
    """How a command ended.

    Attributes:
        exit_code: Its exit code; None when a signal ended it or the outcome is unknown.
        signal: The number of the signal that ended it, if one did.
        stopped: Why we stopped it, if we did.
        signals_sent: The signals we sent, by name, in order.
        duration_seconds: From start to end.
        leftovers: How many processes the command left behind that had to be stopped.
    """

    exit_code: int | None
    signal: int | None = None
    stopped: StopReason | None = None
    signals_sent: tuple[str, ...] = field(default=())
    duration_seconds: float = 0.0
    leftovers: int = 0


class CommandNotStarted(WfexecError):
    """The command did not start: its folder is not there, or the system refuses to run it."""

    code = "command-not-started"


class MissingProgram(CommandNotStarted):
    """The program is not there."""

    code = "missing-program"
