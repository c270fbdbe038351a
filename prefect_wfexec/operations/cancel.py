"""Cancelling: a request in the journal, on which the run's engine stops its steps; where there is none, we end it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from prefect_wfexec.engine.cancelling import cancel_request
from prefect_wfexec.engine.fencing import Superseded, Suspended
from prefect_wfexec.engine.outline import Outline
from prefect_wfexec.engine.standalone import execute_alone
from prefect_wfexec.errors import UsageError
from prefect_wfexec.journal.facts import Actor
from prefect_wfexec.journal.journal import Journal
from prefect_wfexec.operations.nudge import hint
from prefect_wfexec.status import RunStatus
from prefect_wfexec.views.find import find_run, read_journal
from prefect_wfexec.views.load import lost_engine, pinned_workflow

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.objects import FlowRun

Outcome = Literal["requested", "ended"]


@dataclass(frozen=True, slots=True)
class Cancelled:
    """What came of asking a run to stop: its engine was asked, or it has ended here and now."""

    flow_run: "FlowRun"
    outcome: Outcome


async def request_cancel(journal: Journal, by: str, *, reason: str = "", cleans_up: bool = False) -> bool:
    """Ask the run to stop; whether there was anything to stop."""
    return bool(await journal.append(cancel_request(Actor(by), reason=reason, cleans_up=cleans_up)))


async def cancel(client: "PrefectClient", run: str, *, by: str, reason: str = "", cleans_up: bool = False) -> Cancelled:
    """Stop a run, in whatever state it is.

    Args:
        client: A client that stays open.
        run: The run's id or name.
        by: Who wants it, as they say.
        reason: Why.
        cleans_up: Whether what its steps have made is to be taken away after that.

    Raises:
        UsageError: it has ended.
    """
    flow_run = await find_run(client, run)
    journal = await read_journal(client, flow_run)
    _require_open(flow_run, journal)
    await request_cancel(journal, by, reason=reason, cleans_up=cleans_up)
    await journal.catch_up()
    return Cancelled(flow_run, await carry_out(client, flow_run, journal))


async def carry_out(client: "PrefectClient", flow_run: "FlowRun", journal: Journal) -> Outcome:
    """Have a run that was asked to stop do so: by its engine if it has one, by another, or here."""
    if journal.state.opened is None and _has_not_begun(flow_run):
        await _end_unbegun(client, flow_run, journal)
        return "ended"
    if not _is_without_engine(flow_run, journal):
        await hint(client, flow_run.id)
        return "requested"
    if await _ended_here(client, flow_run, journal):
        return "ended"
    await _dispatch(client, flow_run)
    return "requested"


async def _dispatch(client: "PrefectClient", flow_run: "FlowRun") -> None:
    """Have a worker start a process for a run that none is left of."""
    from prefect.states import Scheduled

    if flow_run.deployment_id is not None:
        await client.set_flow_run_state(flow_run.id, Scheduled(name="Resuming"), force=True)


def _require_open(flow_run: "FlowRun", journal: Journal) -> None:
    closed = journal.state.closed
    is_over = journal.state.opened is None and flow_run.state is not None and flow_run.state.is_final()
    if closed is None and not is_over:
        return
    status = closed.status.value if closed else flow_run.state.name if flow_run.state else ""
    words = f"run {flow_run.name} has ended: {status}"
    raise UsageError(words, hint="there is nothing to stop", code="ended")


def _has_not_begun(flow_run: "FlowRun") -> bool:
    return flow_run.state is not None and (flow_run.state.is_scheduled() or flow_run.state.is_pending())


def _is_without_engine(flow_run: "FlowRun", journal: Journal) -> bool:
    """Whether no process runs the run: it left, it is known to be gone, or Prefect has ended the run."""
    state, engine = flow_run.state, journal.state.engine
    is_waiting = state is not None and (state.is_scheduled() or state.is_paused() or state.is_final())
    return engine is None or (engine.left and is_waiting) or bool(lost_engine(journal.state)) or _is_final(flow_run)


def _is_final(flow_run: "FlowRun") -> bool:
    return flow_run.state is not None and flow_run.state.is_final()


async def _end_unbegun(client: "PrefectClient", flow_run: "FlowRun", journal: Journal) -> None:
    """A run that nobody has begun ends at once: nothing was done, and nothing is to be stopped."""
    from prefect.client.schemas.objects import State, StateType

    cancelled = journal.state.cancel
    words = f"cancelled by {cancelled.actor.name} before it began" if cancelled else "cancelled before it began"
    state: State[None] = State(type=StateType.CANCELLED, name=RunStatus.TERMINATED.value, message=words)
    await client.set_flow_run_state(flow_run.id, state, force=True)


async def _ended_here(client: "PrefectClient", flow_run: "FlowRun", journal: Journal) -> bool:
    """Bring a run to its end in this process, when that takes no step that needs a worker's; whether it has ended."""
    workflow = pinned_workflow(journal.state)
    if workflow is None or journal.keys is None:
        return False
    if flow_run.deployment_id is not None and _has_more_to_do(Outline(workflow), journal):
        return False
    try:
        await execute_alone(client, flow_run, workflow, journal.keys)
    except (Superseded, Suspended):
        return False
    return True


def _has_more_to_do(outline: Outline, journal: Journal) -> bool:
    """Whether steps are to run because of the cancel."""
    return any(not journal.state.step(step.id).status.is_final for step in outline.on_cancel)
