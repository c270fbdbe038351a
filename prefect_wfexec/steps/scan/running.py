"""Running a scanner, and reading what it wrote: bounded, no links, every fault in plain words."""

import codecs
import json
import os
import shutil
import stat
from collections.abc import Mapping
from pathlib import Path

from prefect_wfexec.definition.model import JSON
from prefect_wfexec.errors import StepFailed
from prefect_wfexec.runtime.command import CommandResult
from prefect_wfexec.steps.base import Report, StepContext

LARGEST_REPORT_BYTES = 32 * 1024 * 1024
DEEPEST = 200


class Output:
    """The standard output of a scanner that prints its report; its standard error goes to the step's log."""

    def __init__(self, context: StepContext) -> None:
        self._log = context.log
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._data = bytearray()
        self.is_too_large = False

    def take(self, stream: str, data: bytes) -> None:
        if stream == "stderr":
            self._log.stderr(self._decoder.decode(data))
        elif len(self._data) + len(data) > LARGEST_REPORT_BYTES:
            self.is_too_large = True
        else:
            self._data += data

    def bytes(self, tool: str) -> bytes:
        """All of it.

        Raises:
            StepFailed: there was too much.
        """
        if self.is_too_large:
            raise too_large(tool)
        return bytes(self._data)


def find_program(name: str, context: StepContext, hint: str) -> str:
    """A program on PATH: the step's own when it sets one.

    Raises:
        StepFailed: it is not there (`type="missing_tool"`).
    """
    found = program_on_path(name, context)
    if found is None:
        raise StepFailed(f"there is no {name} on PATH", type="missing_tool", hint=hint, retryable=False)
    return found


def program_on_path(name: str, context: StepContext) -> str | None:
    path = context.env.get("PATH") or os.environ.get("PATH", os.defpath)
    found = shutil.which(name, path=path)
    return str(Path(found).absolute()) if found else None


def place_of(path: str | None, context: StepContext) -> Path:
    """What is to be scanned.

    Raises:
        StepFailed: it is not there (`type="missing_path"`).
    """
    found = context.folder / (path or ".")
    if not found.exists():
        raise StepFailed(
            f"'{path}', which step '{context.step.id}' is to scan, does not exist in {context.folder}",
            type="missing_path",
            retryable=False,
            hint="`path` starts at the definition's folder; an output of a step that made it is a path too",
        )
    return found.resolve()


def require_success(tool: str, result: CommandResult, context: StepContext, reports: tuple[Report, ...] = ()) -> None:
    """A scanner that ended with another code than 0 has not scanned, whatever it has written.

    Raises:
        StepFailed: it did.
    """
    if result.exit_code == 0:
        return
    how = f"exit code {result.exit_code}" if result.exit_code is not None else f"signal {result.signal}"
    last = [line for line in context.tail().splitlines() if line.strip()][-3:]
    raise StepFailed(
        "\n".join([f"{tool} ended with {how}" + (":" if last else ""), *last]),
        type="exit_code" if result.exit_code is not None else "signal",
        exit_code=result.exit_code,
        tail=context.tail(),
        reports=reports,
    )


def read_report(path: Path, tool: str) -> bytes:
    """A report that a scanner wrote into a file.

    Raises:
        StepFailed: it is not there, is a link or no plain file, or is too large.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        raise StepFailed(f"{tool} wrote no report", type="missing_report", hint="look at its log") from None
    except OSError as error:
        words = "is a link" if path.is_symlink() else f"can't be read: {error.strerror}"
        raise StepFailed(f"the report of {tool} {words}", type="bad_report", retryable=False) from None
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise StepFailed(f"the report of {tool} is no plain file", type="bad_report", retryable=False)
        data = file.read(LARGEST_REPORT_BYTES + 1)
    if len(data) > LARGEST_REPORT_BYTES:
        raise too_large(tool)
    return data


def parse_report(data: bytes, tool: str, name: str = "") -> JSON:
    """A report as JSON.

    Raises:
        StepFailed: it is none; the bytes are kept under `name` all the same, when there is one.
    """
    try:
        document = json.loads(data)
        _refuse_deep(document)
    except (ValueError, RecursionError):
        kept = (Report(name, "text", data),) if name and data else ()
        why = "is empty" if not data.strip() else "is no JSON"
        raise StepFailed(
            f"the report of {tool} {why}", type="bad_report", hint="look at the step's log", reports=kept
        ) from None
    return document


def malformed(tool: str, why: str, reports: tuple[Report, ...] = ()) -> StepFailed:
    """The failure for a report that is JSON and not what this scanner writes."""
    return StepFailed(
        f"the report of {tool} is not as it has to be: {why}",
        type="bad_report",
        hint=f"check that this version of {tool} is one that docs/reports.md names",
        reports=reports,
    )


def too_large(tool: str) -> StepFailed:
    size = LARGEST_REPORT_BYTES >> 20
    hint = "scan less at once, or leave findings out by the scanner's own settings"
    return StepFailed(f"the report of {tool} is larger than {size} MiB", type="bad_report", hint=hint, retryable=False)


def text_of(value: Mapping[str, JSON], *keys: str) -> str:
    """The first of some keys that holds a text, on one line; empty when none does."""
    for key in keys:
        found = value.get(key)
        if isinstance(found, str) and found.strip():
            return " ".join(found.split())
    return ""


def _refuse_deep(document: JSON) -> None:
    """Nesting that no scanner writes would cost whoever walks it their stack."""
    level = [document]
    for _ in range(DEEPEST):
        level = [
            item
            for value in level
            for item in (value.values() if isinstance(value, dict) else value if isinstance(value, list) else ())
            if isinstance(item, dict | list)
        ]
        if not level:
            return
    raise ValueError("nested too deeply")
