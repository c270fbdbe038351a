"""What goes to standard output and standard error, and the exit codes. Text is printed as it is: no markup."""

import contextlib
import json
import os
import shutil
import sys
from typing import Any

from prefect_wfexec.errors import Unreachable, UsageError, WfexecError, error_json, one_line
from prefect_wfexec.status import RunStatus

DONE, FAILED, WRONG_USE, REJECTED, CANCELLED, UNREACHABLE = range(6)

_EXIT_OF = {
    RunStatus.SUCCEEDED: DONE,
    RunStatus.APPROVAL_REJECTED: REJECTED,
    RunStatus.TERMINATED: CANCELLED,
}


def exit_code_of_run(status: RunStatus) -> int:
    """The exit code of a command that ran a run to its end."""
    return _EXIT_OF.get(status, FAILED)


def exit_code_of_error(error: WfexecError) -> int:
    """The exit code of a command that ended with an error."""
    if isinstance(error, UsageError):
        return WRONG_USE
    return UNREACHABLE if isinstance(error, Unreachable) else FAILED


def say(text: str = "") -> None:
    """A line on standard output."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def columns() -> int | None:
    """How wide the terminal is that standard output goes to; None when it goes elsewhere."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def note(text: str) -> None:
    """A line on standard error."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def say_json(value: Any) -> None:
    """One JSON document on standard output."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=_is_narrow()) + "\n")
    sys.stdout.flush()


def say_json_line(value: Any) -> None:
    """One JSON object on a line of its own."""
    sys.stdout.write(json.dumps(value, ensure_ascii=_is_narrow()) + "\n")


def _is_narrow() -> bool:
    """Whether standard output can't write every character as it is."""
    return not (sys.stdout.encoding or "").lower().startswith("utf")


def stop_saying() -> None:
    """Let standard output lead nowhere: whoever read it is gone, and closing it would only repeat the error."""
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def report(error: WfexecError, *, as_json: bool) -> None:
    """The error in one line on standard error, its diagnostics a line each; as JSON on standard output if asked."""
    diagnostics = list(getattr(error, "diagnostics", ()))
    if as_json:
        say_json({"error": error_json(error)})
    if diagnostics:
        for diagnostic in diagnostics:
            note(str(diagnostic))
    else:
        note(f"wfexec: {one_line(error)}")
