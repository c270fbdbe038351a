"""What a Terraform step needs around it, small and real: a command runner, a blob store in memory, a log that masks."""

import asyncio
import hashlib
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prefect_wfexec.definition.model import Step
from prefect_wfexec.errors import StepFailed
from prefect_wfexec.journal.blobref import BlobRef
from prefect_wfexec.runtime.command import Command, CommandResult, StopPolicy
from prefect_wfexec.runtime.environment import step_environment
from prefect_wfexec.runtime.masking import Masker
from prefect_wfexec.runtime.supervisor import Supervisor
from prefect_wfexec.steps.base import OnChunk, OnEnd, RunInfo, StepContext, StepResult
from prefect_wfexec.steps.registry import find_step_type

DEADLINE_SECONDS = 60.0


class Log:
    """Keeps masked lines with their stream."""

    def __init__(self, masker: Masker) -> None:
        self._masker = masker
        self.lines: list[tuple[str, str]] = []
        self.grew = asyncio.Event()

    def stdout(self, text: str) -> None:
        self._add("stdout", text)

    def stderr(self, text: str) -> None:
        self._add("stderr", text)

    def system(self, text: str) -> None:
        self._add("system", text)

    def _add(self, stream: str, text: str) -> None:
        self.lines.append((stream, self._masker.mask(text)))
        self.grew.set()

    def text(self, stream: str | None = None) -> str:
        return "\n".join(text for name, text in self.lines if stream in {None, name})

    async def until(self, part: str) -> None:
        """Wait until a line holds `part`."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            while part not in self.text():
                self.grew.clear()
                await self.grew.wait()


@dataclass
class Blobs:
    """Blobs in memory."""

    kept: dict[str, bytes] = field(default_factory=dict)

    async def put(self, data: bytes) -> BlobRef:
        digest = hashlib.sha256(data).hexdigest()
        self.kept[digest] = data
        return BlobRef(digest, len(data), digest)

    async def get(self, ref: BlobRef) -> bytes:
        return self.kept[ref.blob]


@dataclass
class Runner:
    """Runs commands under the real supervisor, and remembers them."""

    environment: Mapping[str, str]
    supervisor: Supervisor = field(default_factory=Supervisor)
    commands: list[list[str]] = field(default_factory=list)
    results: list[CommandResult] = field(default_factory=list)

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
        assert stop is not None and stop.terminate_seconds is None
        assert on_chunk is not None
        self.commands.append(argv)
        command = Command(tuple(argv), cwd, {**self.environment, **(env or {})}, stop)

        def ended(result: CommandResult) -> None:
            self.results.append(result)
            if on_end is not None:
                on_end(result)

        return await self.supervisor.run(command, on_chunk, ended)


def path_without_terraform() -> str:
    """PATH with the folders left out that hold a terraform or tofu."""
    folders = os.environ["PATH"].split(os.pathsep)
    return os.pathsep.join(
        folder for folder in folders if not any(Path(folder, name).exists() for name in ("terraform", "tofu"))
    )


@dataclass
class Desk:
    """Runs Terraform steps in one definition folder and keeps what they left.

    Attributes:
        folder: The definition's folder.
        scratch: Where scratch folders are made.
        env: The steps' own variables.
    """

    folder: Path
    scratch: Path
    env: dict[str, str] = field(default_factory=dict)
    blobs: Blobs = field(default_factory=Blobs)
    masker: Masker = field(default_factory=Masker)
    claims: list[str] = field(default_factory=list)
    supervisor: Supervisor = field(default_factory=Supervisor)
    refuses_second_claim: bool = True
    digest_key: bytes = b"a key"

    def __post_init__(self) -> None:
        self.log = Log(self.masker)
        self.runner = Runner(step_environment(os.environ, self.env), self.supervisor)

    def write(self, files: Mapping[str, str]) -> None:
        for name, text in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def another_process(self) -> "Desk":
        """The same run seen from a fresh process: nothing known but the blobs and claims."""
        return Desk(self.folder, self.scratch, self.env, self.blobs, claims=self.claims, supervisor=self.supervisor)

    def another_run(self) -> "Desk":
        """Another run of the same definition."""
        return Desk(self.folder, self.scratch, self.env, supervisor=self.supervisor)

    async def run(self, uses: str, **with_: Any) -> StepResult:
        """Run one step to its end, in a scratch folder of its own."""
        step_type = find_step_type(uses)
        scratch = self.scratch / f"{uses}-{len(list(self.scratch.iterdir()))}"
        scratch.mkdir(mode=0o700)
        context = StepContext(
            step=Step(id="step", name="step", uses=uses),
            inputs=step_type.Inputs(**with_),
            run=RunInfo("run", "wfr_run", "workflow", "http://127.0.0.1:4200/api"),
            attempt=1,
            folder=self.folder,
            scratch_folder=lambda: scratch,
            env=self.env,
            log=self.log,
            masker=self.masker,
            command=self.runner,
            blobs=self.blobs,
            claim=self._claim,
            digest_key=self.digest_key,
            tail=lambda: self.log.text()[-4000:],
        )
        try:
            result = await step_type().run(context)
            step_type.Outputs.model_validate(result.outputs)
            return result
        finally:
            shutil.rmtree(scratch)

    async def fail(self, uses: str, **with_: Any) -> StepFailed:
        """Run a step that has to fail and give its error."""
        try:
            result = await self.run(uses, **with_)
        except StepFailed as failed:
            return failed
        raise AssertionError(f"{uses} succeeded: {result.summary}")

    async def plan_and_apply(self, **with_: Any) -> StepResult:
        planned = await self.run("terraform.plan", **with_)
        return await self.run("terraform.apply", plan=planned.outputs["plan"])

    async def _claim(self, what: str) -> None:
        if what in self.claims and self.refuses_second_claim:
            raise StepFailed("this plan was applied before", type="claimed", retryable=False)
        self.claims.append(what)
