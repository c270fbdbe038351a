"""Cancelling: a request in the journal, on which the run's engine stops its steps; where there is none, we end it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from prefect_wfexec.engine.cancelling import cancel_request
from prefect_wfexec.engine.fencing import HandedOver, Superseded, Suspended
from prefect_wfexec.engine.launch import execute_alone
from prefect_wfexec.engine.nudge import hint
from prefect_wfexec.engine.outline import Outline
from prefect_wfexec.engine.session import Session
from prefect_wfexec.errors import UsageError
from prefect_wfexec.journal.facts import Actor
from prefect_wfexec.journal.journal import Journal
from prefect_wfexec.journal.state import ExecutionState
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


async def request_cancel(journal: Journal, by: Actor, *, reason: str = "", cleans_up: bool = False) -> bool:
    """Ask the run to stop; whether there was anything to stop."""
    return bool(await journal.append(cancel_request(by, reason=reason, cleans_up=cleans_up)))


async def cancel(
    client: "PrefectClient",
    run: str,
    *,
    by: Actor,
    reason: str = "",
    cleans_up: bool = False,
    executes_here: bool = True,
) -> Cancelled:
    """Stop a run, in whatever state it is.

    Args:
        client: A client that stays open.
        run: The run's id or name.
        by: Who wants it.
        reason: Why.
        cleans_up: Whether what its steps have made is to be taken away after that.
        executes_here: Whether this process may bring to its end what no other does; else that is left to who watches.

    Raises:
        UsageError: it has ended.
    """
    flow_run = await find_run(client, run)
    journal = await read_journal(client, flow_run)
    _require_stoppable(flow_run, journal.state, cleans_up=cleans_up)
    if not await request_cancel(journal, by, reason=reason, cleans_up=cleans_up):
        # It may have ended since it was read.
        _require_stoppable(flow_run, journal.state, cleans_up=cleans_up)
    if executes_here or flow_run.deployment_id is not None or journal.state.opened is None:
        return Cancelled(flow_run, await carry_out(client, flow_run, journal))
    await hint(client, flow_run.id)
    return Cancelled(flow_run, "requested")


async def carry_out(
    client: "PrefectClient", flow_run: "FlowRun", journal: Journal, *, is_lost: bool = False
) -> Outcome:
    """Have a run that was asked to stop do so: by its engine if it has one, by another, or here.

    Args:
        client: A client that stays open.
        flow_run: The run.
        journal: Its journal, with the request in it.
        is_lost: Whether its engine is known to be gone.
    """
    if journal.state.opened is None and _has_not_begun(flow_run):
        await _end_unbegun(client, flow_run, journal)
        return "ended"
    if not (is_lost or _is_without_engine(flow_run, journal)):
        await hint(client, flow_run.id)
        return "requested"
    outcome = await _ended_here(client, flow_run, journal)
    if outcome is None:
        await dispatch(client, flow_run)
    return outcome or "requested"


async def dispatch(client: "PrefectClient", flow_run: "FlowRun") -> None:
    """Have a worker start a process for a run that none is left of."""
    from prefect.states import Scheduled

    if flow_run.deployment_id is not None:
        await client.set_flow_run_state(flow_run.id, Scheduled(name="Resuming"), force=True)


def _require_stoppable(flow_run: "FlowRun", state: ExecutionState, *, cleans_up: bool) -> None:
    """That there is something to stop, or to clean up after a run that has not succeeded.

    Raises:
        UsageError: there is not.
    """
    closed = state.closed
    if closed is None and (state.opened is not None or not _is_final(flow_run)):
        return
    status = closed.status.value if closed else flow_run.state.name if flow_run.state else ""
    words, hint = f"run {flow_run.name} has ended: {status}", "there is nothing to stop"
    if cleans_up and state.cleanup is not None:
        words += f"; {state.cleanup.name} cleaned up after it"
        hint = f"a cleanup that failed is retried with `wfexec retry {state.cleanup.name}`"
    elif cleans_up and closed is not None and closed.status is not RunStatus.SUCCEEDED:
        return
    elif cleans_up:
        hint = "what a run that succeeded has made is taken away by a workflow of its own"
    raise UsageError(words, hint=hint, code="ended")


def _has_not_begun(flow_run: "FlowRun") -> bool:
    return flow_run.state is not None and (flow_run.state.is_scheduled() or flow_run.state.is_pending())


def _is_without_engine(flow_run: "FlowRun", journal: Journal) -> bool:
    """Whether no process runs the run: it left, it is known to be gone, or Prefect has ended the run."""
    state, engine = flow_run.state, journal.state.engine
    if journal.state.closed is not None:
        return True
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


async def _ended_here(client: "PrefectClient", flow_run: "FlowRun", journal: Journal) -> Outcome | None:
    """Bring a run to its end in this process, unless that takes a step that needs a worker's place; what came of it."""
    workflow = pinned_workflow(journal.state)
    if workflow is None or journal.keys is None:
        return None
    if flow_run.deployment_id is not None and _has_more_to_do(Outline(workflow), journal):
        return None
    try:
        await execute_alone(client, flow_run, workflow, journal.keys, Session())
    except HandedOver:
        return "requested"
    except (Superseded, Suspended):
        return None
    return "ended"


def _has_more_to_do(outline: Outline, journal: Journal) -> bool:
    """Whether steps are to run because of the cancel."""
    return any(not journal.state.step(step.id).status.is_final for step in outline.on_cancel)
