"""The run that a cleanup cleans up after: read before, and brought to its end after."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from prefect_wfexec.definition.model import Workflow
from prefect_wfexec.engine.cleanup.workflow import CleanupPlan, cleanup_workflow
from prefect_wfexec.engine.context import RunContext
from prefect_wfexec.engine.flow_run import page_of
from prefect_wfexec.engine.outline import Outline
from prefect_wfexec.engine.outputs import load_values
from prefect_wfexec.engine.retrying import pinned
from prefect_wfexec.engine.scope import Scopes
from prefect_wfexec.errors import EngineError
from prefect_wfexec.journal.blobs import Blobs
from prefect_wfexec.journal.facts import Fact, Kind
from prefect_wfexec.journal.journal import Journal
from prefect_wfexec.journal.keys import Keys, foreign_journal
from prefect_wfexec.journal.state import ExecutionState
from prefect_wfexec.status import RunStatus
from prefect_wfexec.steps.base import RunInfo

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.objects import FlowRun

    from prefect_wfexec.runtime.masking import Masker

TRIGGER = "cleanup"
"""The type of the trigger of a cleanup; its id is the run that is cleaned up."""


@dataclass(frozen=True, slots=True)
class Parent:
    """The run, as its journal says that it was handed over.

    Attributes:
        flow_run: The run.
        journal: Its journal.
        workflow: What it ran.
        plan: What is to be taken away.
        scopes: What its expressions saw.
        blobs: Where it kept what is large or secret.
    """

    flow_run: "FlowRun"
    journal: Journal
    workflow: Workflow
    plan: CleanupPlan
    scopes: Scopes
    blobs: Blobs

    @property
    def cleanup(self) -> Workflow:
        """The workflow of the cleanup."""
        return cleanup_workflow(self.workflow, self.plan)

    async def load(self, masker: "Masker") -> None:
        """Read in clear what its steps gave; what is secret of that is masked from now on."""
        await load_values(self.journal.state, self.scopes.values, self.blobs, masker)


async def parent_of(
    client: "PrefectClient", flow_run: "FlowRun", given: Workflow, context: RunContext, keys: Keys
) -> Parent | None:
    """The run that this one cleans up after; None for one that is no cleanup.

    Raises:
        EngineError: it says that it is one, and the other run's journal does not.
    """
    if context.trigger.get("type") != TRIGGER:
        return None
    parent = await client.read_flow_run(UUID(str(context.trigger.get("id"))))
    journal = Journal(client, parent.id, keys)
    await journal.catch_up()
    if journal.is_foreign:
        raise foreign_journal(parent.id)
    cleanup = journal.state.cleanup
    if cleanup is None or cleanup.run != str(flow_run.id):
        raise EngineError(f"run {parent.name} was not handed over to {flow_run.name}", code="no-cleanup")
    workflow = pinned(given, journal.state)
    info = RunInfo(str(parent.id), parent.name, workflow.name, str(client.api_url), page_of(client, parent.id))
    scopes = Scopes(workflow, Outline(workflow), info)
    plan = CleanupPlan.from_json(cleanup.plan)
    await _show_terminating(client, parent)
    return Parent(parent, journal, workflow, plan, scopes, Blobs(client, parent.id, keys))


async def _show_terminating(client: "PrefectClient", parent: "FlowRun") -> None:
    """Whoever cancelled it with Prefect's means sees it Cancelled already; it is not."""
    from prefect.client.schemas.objects import State, StateType

    state: State[Any] = State(type=StateType.RUNNING, name=RunStatus.TERMINATING.value)
    if parent.state is None or parent.state.name != state.name:
        await client.set_flow_run_state(parent.id, state, force=True)


async def report_end(parent: Parent, flow_run: "FlowRun", state: ExecutionState) -> None:
    """Put on record in the parent's journal how its cleanup ended, and what it saw that is left."""
    closed = state.closed
    if closed is None:
        return
    left = [str(one) for step in state.steps.values() for one in step.outputs.get("left") or ()]
    data = {"run": str(flow_run.id), "status": closed.status.value, "reason": closed.reason, "left": left}
    fact = Fact(Kind.CLEANUP_FINISHED, {key: value for key, value in data.items() if value})

    def decide(now: ExecutionState) -> list[Fact]:
        known = now.cleanup
        is_told = known is None or known.run != str(flow_run.id) or known.status is closed.status
        return [] if is_told else [fact]

    await parent.journal.append(decide)
