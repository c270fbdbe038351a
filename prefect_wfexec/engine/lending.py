"""What an engine lends to every attempt: the run's identity, its secrets, blobs and commands, and claims."""

from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from prefect_wfexec.definition.model import JSON, Step
from prefect_wfexec.engine import fencing
from prefect_wfexec.engine.commands import Commands
from prefect_wfexec.engine.flow_run import page_of, run_name
from prefect_wfexec.engine.locks import RunLock
from prefect_wfexec.engine.restoring import MakeContext, Restorer
from prefect_wfexec.engine.secret_values import load_secrets
from prefect_wfexec.errors import StepFailed
from prefect_wfexec.journal.blobs import Blobs
from prefect_wfexec.journal.facts import Fact, Kind
from prefect_wfexec.journal.journal import Journal
from prefect_wfexec.journal.keys import Keys
from prefect_wfexec.journal.state import ExecutionState
from prefect_wfexec.journal.wire import Wire
from prefect_wfexec.runtime.masking import Masker
from prefect_wfexec.runtime.supervisor import Supervisor
from prefect_wfexec.runtime.workspace import Workspace
from prefect_wfexec.steps.base import RunInfo

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.objects import FlowRun


class Lending:
    """One per engine; see `attempt.Services`.

    Args:
        engine: The engine's id, which claims are made in the name of.
        client: A Prefect client that stays open.
        flow_run: The run.
        workflow: The workflow's name.
        keys: The key of its journal and blobs.
        home: Prefect's home, where traces of commands are left, and files of runs.
        owner: The run whose files and lock its steps use, when it is another.
    """

    def __init__(
        self,
        engine: str,
        client: "PrefectClient",
        flow_run: "FlowRun",
        workflow: str,
        keys: Keys,
        home: Path,
        owner: UUID | None = None,
    ) -> None:
        self._engine = engine
        self._client = client
        self.masker = Masker()
        self.wire = Wire(client)
        self.journal = Journal(client, flow_run.id, keys, self.wire)
        self.blobs = Blobs(client, flow_run.id, keys)
        self.digest_key = keys.digests
        self.folder = Path()
        self.run = RunInfo(
            id=str(flow_run.id),
            name=flow_run.name if flow_run.name.startswith("wfr_") else run_name(flow_run.id),
            workflow=workflow,
            api_url=str(client.api_url).rstrip("/"),
            ui_url=page_of(client, flow_run.id),
        )
        self.lock = RunLock(engine, client, self.journal, self.run, keys, home, owner)
        self.supervisor = Supervisor()
        traces = home / "wfexec" / "runs" / str(flow_run.id)
        self.commands = Commands(self.supervisor, traces, lambda: self.masker.secrets)
        self.workspace = Workspace.of(str(owner or flow_run.id), home)
        self.restorer: Restorer | None = None

    def is_protected(self, step: Step) -> bool:
        """Whether a step's environment is protected: it gets no more of this process's variables than is listed."""
        state = self.journal.state
        target = state.target(step.environment)
        is_protected = state.validation is not None and state.validation.is_protected
        return is_protected or (target is not None and target.is_protected)

    async def secrets(self, names: frozenset[str]) -> dict[str, JSON]:
        """The values of the Secret blocks behind `names`."""
        return await load_secrets(self._client, names) if names else {}

    async def check_lock(self) -> None:
        """Make sure that the run still holds its lock.

        Raises:
            StepFailed: it does not (`type="lock_lost"`).
        """
        await self.lock.check()

    async def restore(self, step: Step, make_context: MakeContext) -> None:
        """Have the files here that a step may need of earlier ones.

        Raises:
            StepFailed: some can't be had.
        """
        if self.restorer is not None:
            await self.restorer.restore(step, self.folder, make_context)

    async def claim(self, step_id: str, claim: str) -> None:
        """Put a claim on record before a deed that must not be done twice.

        Raises:
            StepFailed: it was done, or begun, before.
            Superseded: a newer engine runs this run.
        """

        def decide(state: ExecutionState) -> list[Fact]:
            # A superseded engine finishes what it runs: the newer one waits for exactly that.
            if state.step(step_id).engine != self._engine:
                raise fencing.Superseded("a newer engine runs this run")
            taken = [step.id for step in state.steps.values() if claim in step.claims]
            if taken:
                raise StepFailed(
                    f"this saved plan was used by step '{taken[0]}' already and is never applied twice",
                    type="plan_used",
                    hint="plan again, and have the new plan approved",
                    retryable=False,
                )
            return [Fact(Kind.STEP_CLAIMED, {"step": step_id, "claim": claim, "engine": self._engine})]

        await self.journal.append(decide)
