"""Runs a program of a step and takes what it says; its errors go to the log once it has ended."""

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from prefect_wfexec.errors import StepFailed
from prefect_wfexec.runtime.ansi import strip_ansi
from prefect_wfexec.runtime.command import StopPolicy
from prefect_wfexec.runtime.masking import Masker
from prefect_wfexec.steps.base import CommandRunner, StepLog

MAX_STDOUT = 64 * 1024 * 1024
MAX_STDERR = 256 * 1024


class ToolContext(Protocol):
    """What a program is run with: in a step, and in the look at a step before the run's first."""

    @property
    def env(self) -> Mapping[str, str]: ...

    @property
    def log(self) -> StepLog: ...

    @property
    def masker(self) -> Masker: ...

    @property
    def command(self) -> CommandRunner: ...

    @property
    def scratch(self) -> Path: ...

    @property
    def tail(self) -> Callable[[], str]: ...


@dataclass(frozen=True, slots=True)
class Said:
    """How a program ended, and what it said.

    Attributes:
        exit_code: None when a signal ended it.
        stdout: Its normal output; never logged.
        errors: Its error output, the last 256 KiB.
    """

    exit_code: int | None
    stdout: bytes
    errors: str

    @property
    def text(self) -> str:
        return self.stdout.decode("utf-8", "replace")


def find_program(context: ToolContext, *names: str, hint: str) -> str:
    """The path of the first of these programs that is there.

    Raises:
        StepFailed: none is (`type="missing_tool"`).
    """
    path = context.env.get("PATH") or os.environ.get("PATH", os.defpath)
    for name in names:
        found = shutil.which(name, path=path)
        if found:
            return str(Path(found).absolute())
    *others, last = names
    wanted = f"{', '.join(others)} or {last}" if others else last
    raise StepFailed(f"no {wanted} on PATH", type="missing_tool", hint=hint, retryable=False)


async def run_captured(
    context: ToolContext,
    argv: list[str],
    *,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    stop: StopPolicy | None = None,
) -> Said:
    """Run a program to its end.

    Raises:
        StepFailed: it can't be started, or prints more than can be kept (`type="too_much_output"`).
    """
    stdout, stderr = bytearray(), bytearray()

    def take(stream: str, data: bytes) -> None:
        if stream == "stdout":
            stdout.extend(data[: MAX_STDOUT + 1 - len(stdout)])
        else:
            stderr.extend(data)
            del stderr[:-MAX_STDERR]

    try:
        result = await context.command(argv, cwd=cwd, env=env, stop=stop, on_chunk=take)
    finally:
        errors = strip_ansi(stderr.decode("utf-8", "replace"))
        if errors:
            context.log.stderr(errors)
    if len(stdout) > MAX_STDOUT:
        raise StepFailed(
            f"{Path(argv[0]).name} printed more than {MAX_STDOUT // 2**20} MiB", type="too_much_output", retryable=False
        )
    return Said(result.exit_code, bytes(stdout), errors)
