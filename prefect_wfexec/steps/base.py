"""What a step type is, what it is given, and what it gives back."""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar, Protocol

from pydantic import BaseModel, ConfigDict

from prefect_wfexec.definition.catalog import StepSpec
from prefect_wfexec.definition.model import JSON, Step
from prefect_wfexec.journal.blobref import BlobRef
from prefect_wfexec.runtime.command import CommandResult, StopPolicy
from prefect_wfexec.runtime.masking import Masker
from prefect_wfexec.runtime.workspace import NO_WORKSPACE, Workspace
from prefect_wfexec.steps.checking import BlockUse, CheckContext, Problem


class WithModel(BaseModel):
    """Base of every `with` model: unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class OutputsModel(BaseModel):
    """Base of every outputs model."""

    model_config = ConfigDict(extra="forbid")


class NoOutputs(OutputsModel):
    """A step that gives nothing."""


@dataclass(frozen=True, slots=True)
class RunInfo:
    """The run a step belongs to."""

    id: str
    name: str
    workflow: str
    api_url: str
    """Prefect's API, without a trailing slash."""
    ui_url: str = ""
    """The run's page in Prefect's UI."""
    cleanup_of: str = ""
    """The id of the run that this one cleans up after; empty for one that is no cleanup."""


@dataclass(frozen=True, slots=True)
class Artifact:
    """A page for Prefect's UI, keyed to the run."""

    key: str
    markdown: str
    description: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """A file of a scan or a check that is kept with the run.

    Attributes:
        name: Its file name, e.g. `detect-secrets.sarif`.
        kind: What it is: `sarif`, `json`, `junit` or `text`.
        data: The bytes; masked before they are kept.
    """

    name: str
    kind: str
    data: bytes


@dataclass(slots=True)
class StepResult:
    """What a step that succeeded gives.

    Attributes:
        outputs: The outputs, JSON values, in clear.
        summary: One line for the step list, e.g. `3 to add, 1 to change`.
        sensitive: Paths into `outputs` whose values are secret, e.g. `("values", "db_password")`.
        artifacts: Pages for Prefect's UI, masked.
        reports: Files that are kept with the run.
    """

    outputs: dict[str, JSON] = field(default_factory=dict)
    summary: str = ""
    sensitive: frozenset[tuple[str, ...]] = frozenset()
    artifacts: tuple[Artifact, ...] = ()
    reports: tuple[Report, ...] = ()


class StepLog(Protocol):
    """Where a step writes; every line is masked on the way."""

    def stdout(self, text: str) -> None:
        """Write lines of normal output."""

    def stderr(self, text: str) -> None:
        """Write lines of error output."""

    def system(self, text: str) -> None:
        """Write a line of ours about the step, e.g. what command runs."""


OnChunk = Callable[[str, bytes], None]
"""Called with ("stdout" | "stderr", raw bytes) as they arrive, in order for each stream."""

OnEnd = Callable[[CommandResult], None]
"""Told how a command ended, also when it was stopped and its caller gets no result."""


class CommandRunner(Protocol):
    """Runs a command under the process supervisor."""

    def __call__(
        self,
        argv: list[str],
        *,
        cwd: Path,
        env: Mapping[str, str] | None = None,
        stop: StopPolicy | None = None,
        on_chunk: OnChunk | None = None,
        on_end: OnEnd | None = None,
    ) -> Awaitable[CommandResult]:
        """Run `argv` to its end.

        Args:
            argv: The program and its arguments.
            cwd: The folder it runs in.
            env: Variables on top of the step's cleaned environment.
            stop: How to stop it; by default SIGINT, SIGTERM, SIGKILL in turn.
            on_chunk: Takes the raw output instead of the step's log: the caller then logs what it wants.
            on_end: Told how it ended, also when it was stopped.

        Raises:
            StepFailed: the program is not there (`type="missing_tool"`), or could not be started.
            SupervisorError: the supervisor died; the outcome of the command is unknown.
            asyncio.CancelledError: the step was cancelled or has timed out; the command has been stopped first.
        """


class BlobStore(Protocol):
    """Encrypted values that outlive the process."""

    async def put(self, data: bytes, /) -> BlobRef: ...

    async def get(self, ref: BlobRef, /) -> bytes:
        """The plain bytes.

        Raises:
            EngineError: the blob is gone or was changed.
        """
        ...


async def no_lock() -> None:
    """The check of a run that needs no lock."""


@dataclass(frozen=True, slots=True)
class StepContext:
    """What a step is given when it runs.

    Attributes:
        step: The step's definition.
        inputs: Its `with`, rendered and validated.
        run: The run it belongs to.
        attempt: 1 for the first run of the step.
        folder: Where relative paths start.
        scratch_folder: Makes the private folder that `scratch` is.
        env: The step's own `env`, rendered, secrets in clear.
        log: Where it writes.
        masker: Knows every secret of the run so far; a step adds the ones it meets *before* it writes anything.
        command: Runs a command under the supervisor, its output going to the log.
        blobs: Keeps large or secret values.
        claim: Puts a fact into the journal before a deed that must not be done twice; raises StepFailed when the
            same claim stands already (apply claims its plan's sha256).
        check_lock: Makes sure, right before a deed that needs the run's lock, that the run holds it; raises StepFailed
            when it was taken away.
        digest_key: Key for digests of values that may be guessed.
        stdout_tail: The last 64 KiB of normal output so far, masked.
        tail: The last lines of both streams so far, masked.
        timeout_seconds: The step's deadline, None without one.
        first_started: When the step's first attempt began, which may have been in another process.
        workspace: The run's folder on this machine, for files that later steps need.
        trigger: What started the run, as expressions see it.
        environment: The name of the target environment; empty without one.
    """

    step: Step
    inputs: Any
    run: RunInfo
    attempt: int
    folder: Path
    scratch_folder: Callable[[], Path]
    env: Mapping[str, str]
    log: StepLog
    masker: Masker
    command: CommandRunner
    blobs: BlobStore
    claim: Callable[[str], Awaitable[None]]
    check_lock: Callable[[], Awaitable[None]] = no_lock
    digest_key: bytes = b""
    stdout_tail: Callable[[], str] = str
    tail: Callable[[], str] = str
    timeout_seconds: float | None = None
    first_started: datetime | None = None
    workspace: Workspace = NO_WORKSPACE
    trigger: Mapping[str, JSON] = field(default_factory=dict)
    environment: str = ""

    @property
    def scratch(self) -> Path:
        """A private folder (0700), removed when the step ends, however it ends."""
        return self.scratch_folder()


class StepType(ABC):
    """Base of every step type; register a subclass with `@step_type("name")`.

    Validation, the first step of a pipeline, looks at what `tools` and `blocks` say and at what `check` finds.
    """

    spec: ClassVar[StepSpec]
    uses_files: ClassVar[bool] = True
    """Whether it may need files that earlier steps left: they are brought to its machine first."""

    tools: ClassVar[tuple[tuple[str, ...], ...]] = ()
    """The programs it needs on PATH; of each group one does, e.g. `(("git",), ("buildah", "docker"))`."""

    blocks: ClassVar[tuple[BlockUse, ...]] = ()
    """The saved blocks it needs."""

    Inputs: ClassVar[type[WithModel]]
    Outputs: ClassVar[type[OutputsModel]] = NoOutputs

    @abstractmethod
    async def run(self, context: StepContext) -> StepResult:
        """Do the step's work.

        Raises:
            StepFailed: it did not succeed.
            StepSkipped: there is nothing to do.
        """

    def working_folder(self, context: StepContext) -> Path:
        """Where the step runs: where paths under `artifacts` start."""
        return context.folder / str(getattr(context.inputs, "dir", None) or ".")

    async def check(self, context: CheckContext) -> list[Problem]:
        """Look, before the first step of a pipeline, at what would keep a step from succeeding.

        It changes nothing, and takes no longer than seconds. What it can't know yet is no problem. Files that steps
        make are not there yet.

        Args:
            context: What is known of the step so far.

        Returns:
            What is wrong, each with its mend; registry logins that are refused, for one.
        """
        del context
        return []

    async def restore(  # noqa: B027 - most steps leave no files behind
        self, context: StepContext, outputs: Mapping[str, JSON]
    ) -> None:
        """Make the files of a step that succeeded elsewhere again, before a step that needs it starts here.

        Args:
            context: As for `run`, of the attempt that succeeded.
            outputs: What that attempt gave; paths in it are this machine's.

        Raises:
            StepFailed: the files can't be had again.
        """
