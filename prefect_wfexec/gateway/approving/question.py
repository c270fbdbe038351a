"""What somebody is asked: a gate, with the run it belongs to, as the journal has it at this moment."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

import httpx

from prefect_wfexec.definition.model import JSON, Workflow
from prefect_wfexec.engine.approvals.forms import plan_step_of
from prefect_wfexec.engine.approvals.links import Binding, NoLink
from prefect_wfexec.engine.flow_run import page_of
from prefect_wfexec.engine.notices.about import About, about_gate
from prefect_wfexec.engine.outputs import hide, load_outputs
from prefect_wfexec.errors import JournalError, Unreachable
from prefect_wfexec.gateway.services import Services
from prefect_wfexec.journal.blobs import Blobs
from prefect_wfexec.journal.journal import Journal
from prefect_wfexec.journal.state import ExecutionState, Gate
from prefect_wfexec.views.load import pinned_workflow

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun

PATIENCE_SECONDS = 20.0
"""How long Prefect's API is waited for while somebody looks at a page that loads."""


@dataclass(frozen=True, slots=True)
class Question:
    """A gate and its run.

    Attributes:
        binding: What the link or button is about, and whose it is.
        flow_run: The run.
        journal: Its journal, read with the key.
        workflow: Its definition, None when this version can't read it.
    """

    binding: Binding
    flow_run: "FlowRun"
    journal: Journal
    workflow: Workflow | None

    @property
    def gate(self) -> Gate:
        """The gate as it is by now."""
        key = (self.binding.step, self.binding.generation)
        return next(gate for gate in self.journal.state.gates if (gate.step, gate.generation) == key)

    @property
    def is_over(self) -> bool:
        """Whether the run has ended, and with it its gates."""
        return self.journal.state.closed is not None


async def load_question(services: Services, binding: Binding) -> Question:
    """The question that a link or a button is about.

    Raises:
        NoLink: its run is gone, or asks something else by now.
        Unreachable: Prefect's API does not answer.
    """
    from prefect.exceptions import ObjectNotFound

    try:
        flow_run = await services.client.read_flow_run(UUID(binding.run))
    except ObjectNotFound:
        raise NoLink("the run is gone", was_one=True) from None
    journal = Journal(services.client, flow_run.id, services.keys)
    await journal.catch_up()
    newest = next((gate for gate in reversed(journal.state.gates) if gate.step == binding.step), None)
    if journal.is_foreign or newest is None or not binding.fits(newest):
        raise NoLink("the gate asks something else by now", was_one=True)
    return Question(binding, flow_run, journal, pinned_workflow(journal.state))


@asynccontextmanager
async def within_reach() -> AsyncIterator[None]:
    """Ask Prefect within bounds.

    Raises:
        Unreachable: its API does not answer in time, or answers what it should not.
    """
    from prefect.exceptions import PrefectException

    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            yield
    except (TimeoutError, JournalError, PrefectException, httpx.HTTPError) as error:
        raise Unreachable(f"prefect's API can't be used: {type(error).__name__}") from error


def about(services: Services, question: Question) -> About:
    """What is said about it, on a page or in Slack."""
    run_url = page_of(services.client, question.flow_run.id)
    return about_gate(question.gate, question.workflow, question.journal.state, question.flow_run.name, run_url)


async def whole_plan(services: Services, question: Question) -> dict[str, JSON]:
    """The outputs of the plan that is decided on, in full but for what is secret; empty when there is none.

    Raises:
        EngineError: they can't be read any more.
    """
    return await plan_of_gate(services, question.flow_run.id, question.gate, question.workflow, question.journal.state)


async def plan_of_gate(
    services: Services, run_id: UUID, gate: Gate, workflow: Workflow | None, state: ExecutionState
) -> dict[str, JSON]:
    """The same for a gate of any run.

    Raises:
        EngineError: they can't be read any more.
    """
    step = plan_step_of(gate, workflow, state)
    if step is None:
        return {}
    if not step.outputs_ref:
        return dict(step.outputs)
    found, secret = await load_outputs(step.outputs_ref, Blobs(services.client, run_id, services.keys))
    return hide(found, secret)
