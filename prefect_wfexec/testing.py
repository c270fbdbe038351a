r"""For tests of step types: run one step alone, without Prefect, a journal or a server.

    context = make_context("shell", run="echo hello", folder=tmp_path)
    result = await run_step(context)
    assert result.outputs["stdout"] == "hello\n"
    assert log_of(context).lines == [("stdout", "hello")]

Everything but the surroundings is real: `with` is validated by the step type's model, commands run under the
process supervisor, secrets are masked.
"""

import asyncio
import hashlib
import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

from prefect_wfexec.definition.model import JSON, Step
from prefect_wfexec.errors import EngineError, StepFailed, StepStopped
from prefect_wfexec.journal.blobref import BlobRef
from prefect_wfexec.runtime.command import Command, CommandNotStarted, CommandResult, MissingProgram, StopPolicy
from prefect_wfexec.runtime.environment import step_environment
from prefect_wfexec.runtime.masking import Masker
from prefect_wfexec.runtime.supervisor import Supervisor
from prefect_wfexec.runtime.workspace import NO_WORKSPACE, Workspace
from prefect_wfexec.steps.base import OnChunk, OnEnd, RunInfo, StepContext, StepResult
from prefect_wfexec.steps.checking import CheckContext, Problem
from prefect_wfexec.steps.registry import find_step_type

STDOUT_TAIL_BYTES = 64 * 1024
TAIL_LINES = 50


class MemoryLog:
    """Keeps what a step writes, masked, as (stream, line) pairs."""

    def __init__(self, masker: Masker) -> None:
        self._masker = masker
        self._written: list[tuple[str, str]] = []

    def stdout(self, text: str) -> None:
        self._written.append(("stdout", self._masker.mask(text)))

    def stderr(self, text: str) -> None:
        self._written.append(("stderr", self._masker.mask(text)))

    def system(self, text: str) -> None:
        self._written.append(("system", self._masker.mask(text)))

    @property
    def lines(self) -> list[tuple[str, str]]:
        return [(stream, line) for stream, text in self._written for line in text.splitlines()]

    def text(self, *streams: str) -> str:
        """What was written to these streams, or to all."""
        return "".join(text for stream, text in self._written if not streams or stream in streams)


class MemoryBlobs:
    """Keeps blobs for as long as it lives; nothing is encrypted."""

    def __init__(self) -> None:
        self._blobs: dict[str, bytes] = {}

    async def put(self, data: bytes) -> BlobRef:
        digest = hashlib.sha256(data).hexdigest()
        self._blobs[digest] = data
        return BlobRef(blob=digest, size=len(data), sha256=digest)

    async def get(self, ref: BlobRef) -> bytes:
        try:
            return self._blobs[ref.blob]
        except KeyError:
            raise EngineError(f"blob {ref.blob} is gone", code="missing-blob") from None


class SupervisedCommands:
    """Runs commands under a real supervisor, with the worker's environment as steps get it."""

    def __init__(self, env: Mapping[str, str], log: MemoryLog) -> None:
        self._env = step_environment(os.environ, env)
        self._log = log
        self._supervisor = Supervisor()

    async def __call__(
        self,
        argv: list[str],
        *,
        cwd: Path,
        env: Mapping[str, str] | None = None,
        stop: StopPolicy | None = None,
        on_chunk: OnChunk | None = None,
        on_end: OnEnd | None = None,
    ) -> CommandResult:
        command = Command(argv=tuple(argv), cwd=cwd, env={**self._env, **(env or {})}, stop=stop or StopPolicy())
        written = {"stdout": bytearray(), "stderr": bytearray()}
        try:
            take = on_chunk or (lambda stream, data: written[stream].extend(data))
            return await self._supervisor.run(command, take, on_end)
        except MissingProgram as missing:
            raise StepFailed(missing.message, type="missing_tool", hint=missing.hint, retryable=False) from None
        except CommandNotStarted as fault:
            raise StepFailed(fault.message, type="not_started", hint=fault.hint) from None
        finally:
            self._log.stdout(written["stdout"].decode(errors="replace"))
            self._log.stderr(written["stderr"].decode(errors="replace"))

    async def close(self) -> None:
        await self._supervisor.close()


@dataclass(slots=True)
class Claims:
    """Remembers what was claimed, and refuses a second claim."""

    made: list[str] = field(default_factory=list)

    async def __call__(self, claim: str) -> None:
        if claim in self.made:
            raise StepFailed(f"'{claim}' was done before", type="already_claimed", retryable=False)
        self.made.append(claim)


def make_context(
    step_type_name: str,
    *,
    with_: Mapping[str, JSON] | None = None,
    run: str | None = None,
    env: Mapping[str, str] | None = None,
    folder: Path | None = None,
    secrets: tuple[str, ...] = (),
    attempt: int = 1,
    api_url: str = "",
    timeout_seconds: float | None = None,
    workspace: Path | None = None,
    trigger: Mapping[str, JSON] | None = None,
) -> StepContext:
    """What a step of this type is given.

    Args:
        step_type_name: As in `uses`.
        with_: The step's `with`, expressions already rendered.
        run: The script of a shell step.
        env: The step's own variables; secrets among them go into `secrets` too.
        folder: Where relative paths start; the current folder when left out.
        secrets: What the masker knows from the start.
        attempt: Which run of the step this is.
        api_url: Prefect's API, for steps that read saved blocks or may ask it.
        timeout_seconds: The deadline the step is told; `run_step` enforces it.
        workspace: The run's folder, for steps that make or use files there.
        trigger: What started the run.

    Raises:
        KeyError: there is no such step type.
        pydantic.ValidationError: `with_` does not fit the step type.
    """
    inputs = find_step_type(step_type_name).Inputs.model_validate(dict(with_ or {}))
    masker = Masker(secrets)
    log = MemoryLog(masker)
    step = Step(id="step", name="step", uses=step_type_name, with_=dict(with_ or {}), run=run, env=dict(env or {}))
    return StepContext(
        step=step,
        inputs=inputs,
        run=RunInfo(id="00000000-0000-4000-8000-000000000000", name="wfr_test", workflow="test", api_url=api_url),
        attempt=attempt,
        folder=folder or Path.cwd(),
        scratch_folder=Path,
        env=dict(env or {}),
        log=log,
        masker=masker,
        command=SupervisedCommands(env or {}, log),
        blobs=MemoryBlobs(),
        claim=Claims(),
        digest_key=b"a key for tests only",
        stdout_tail=lambda: _last_bytes(log.text("stdout"), STDOUT_TAIL_BYTES),
        tail=lambda: "\n".join(line for stream, line in log.lines[-TAIL_LINES:] if stream != "system"),
        timeout_seconds=timeout_seconds,
        workspace=NO_WORKSPACE if workspace is None else Workspace(workspace),
        trigger=dict(trigger or {}),
    )


async def run_step(context: StepContext, *, seen: Callable[[Path], None] | None = None) -> StepResult:
    """Run the step to its end, in a private folder that is gone afterwards.

    Args:
        context: From `make_context`.
        seen: Called with that folder once the step has ended and before the folder is removed.

    Raises:
        StepFailed: as the step says, and `type="timeout"` after the context's `timeout_seconds`.
        StepSkipped: as the step says.
    """
    with (
        tempfile.TemporaryDirectory(prefix="wfexec-step-") as scratch,
        tempfile.TemporaryDirectory(prefix="wfexec-files-") as files_folder,
    ):
        step = find_step_type(context.step.uses)()
        try:
            async with asyncio.timeout(context.timeout_seconds) as deadline:
                files = (
                    context.workspace if context.workspace != NO_WORKSPACE else Workspace(Path(files_folder) / "files")
                )
                return await step.run(replace(context, scratch_folder=lambda: Path(scratch), workspace=files))
        except TimeoutError:
            if not deadline.expired():
                raise
            raise _too_long(context) from None
        except StepStopped as stopped:
            if not deadline.expired():
                raise
            raise _too_long(context, f"\n{stopped.message}") from None
        finally:
            await cast("SupervisedCommands", context.command).close()
            if seen is not None:
                seen(Path(scratch))


async def check_step(context: StepContext) -> list[Problem]:
    """What the step type finds before the first step of a pipeline, where the whole `with` is known by then.

    Args:
        context: From `make_context`.
    """
    with tempfile.TemporaryDirectory(prefix="wfexec-check-") as scratch:
        known = CheckContext(
            step=context.step,
            known=context.inputs.model_dump(by_alias=True, exclude_unset=True),
            env=context.env,
            run=context.run,
            folder=context.folder,
            scratch=Path(scratch),
            command=context.command,
            log=context.log,
            masker=context.masker,
        )
        try:
            return await find_step_type(context.step.uses)().check(known)
        finally:
            await cast("SupervisedCommands", context.command).close()


def _too_long(context: StepContext, words: str = "") -> StepFailed:
    return StepFailed(f"the step took longer than {context.timeout_seconds:g} s{words}", type="timeout")


def log_of(context: StepContext) -> MemoryLog:
    """The log of a context that `make_context` made."""
    return cast("MemoryLog", context.log)


def _last_bytes(text: str, size: int) -> str:
    data = text.encode()
    return data[-size:].decode(errors="ignore")
