"""Handing a run over to its cleanup: a run of its own, made once."""

from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from prefect_wfexec.definition.model import Workflow
from prefect_wfexec.engine.cleanup.parent import TRIGGER
from prefect_wfexec.engine.cleanup.policy import plan_of, read_rules
from prefect_wfexec.engine.cleanup.workflow import steps_to_clean
from prefect_wfexec.engine.compiler import compile_workflow
from prefect_wfexec.engine.context import PARAMETER, RunContext
from prefect_wfexec.engine.fencing import entering, is_current
from prefect_wfexec.engine.flow_run import CLEANUP_TAG, run_name
from prefect_wfexec.engine.outcome import wants_cleanup
from prefect_wfexec.journal.facts import Fact, Kind
from prefect_wfexec.journal.journal import Journal
from prefect_wfexec.journal.state import ExecutionState, Request
from prefect_wfexec.status import RunStatus, TriggerKind

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.objects import FlowRun


def is_to_be_cleaned(workflow: Workflow, state: ExecutionState) -> bool:
    """Whether what the run has made is still to be taken away."""
    is_done = state.cleanup is not None and state.cleanup.status is not None
    return wants_cleanup(state) and not is_done and bool(steps_to_clean(workflow, state))


def cleanup_request(state: ExecutionState) -> Request | None:
    """What asks that a run which has ended be cleaned up; None when nothing does."""
    wanted = [one for one in state.requests.values() if one.what == "cancel" and one.data.get("cleanup") is True]
    may_be_cleaned = state.closed is not None and state.closed.status is not RunStatus.SUCCEEDED
    return wanted[-1] if wanted and may_be_cleaned else None


async def reopen(journal: Journal, engine: str) -> None:
    """Enter a run that has ended, to have it cleaned up."""

    def decide(state: ExecutionState) -> list[Fact]:
        request = cleanup_request(state)
        if request is None:
            return []
        data = {"request": request.id, "what": "cancel", "reset": [], "reasons": {}}
        return [Fact(Kind.RESET, data, request.actor), entering(engine)]

    await journal.append(decide)


async def hand_over(
    client: "PrefectClient", flow_run: "FlowRun", workflow: Workflow, journal: Journal, engine: str
) -> "FlowRun":
    """The run that cleans up, on record and about to be run by a worker, if the run has a deployment."""
    known = journal.state.cleanup
    if known is None or known.status is not None:
        await _begin(client, flow_run, workflow, journal, engine)
    known = journal.state.cleanup
    assert known is not None, "either this engine has put it on record, or another"
    cleanup = await client.read_flow_run(UUID(known.run))
    if flow_run.deployment_id is not None and cleanup.state is not None and cleanup.state.is_pending():
        from prefect.states import Scheduled

        await client.set_flow_run_state(cleanup.id, Scheduled(), force=True)
    return cleanup


async def _begin(
    client: "PrefectClient", flow_run: "FlowRun", workflow: Workflow, journal: Journal, engine: str
) -> None:
    state = journal.state
    plan = plan_of(workflow, steps_to_clean(workflow, state), await read_rules(workflow), state)
    cleanup = await _create(client, flow_run, workflow, state)
    data = {"engine": engine, "run": str(cleanup.id), "name": cleanup.name, "plan": plan.as_json()}

    def decide(now: ExecutionState) -> list[Fact]:
        is_begun = now.cleanup is not None and now.cleanup.status is None
        return [] if is_begun or not is_current(now, engine) else [Fact(Kind.CLEANUP_STARTED, data)]

    if not await journal.append(decide):
        await client.delete_flow_run(cleanup.id)


async def _create(client: "PrefectClient", flow_run: "FlowRun", workflow: Workflow, state: ExecutionState) -> "FlowRun":
    """A run that nobody executes yet: it counts once the journal names it."""
    from prefect.states import Pending

    actor = state.cancel.actor.name if state.cancel else None
    trigger = {"type": TRIGGER, "id": str(flow_run.id), "text": f"Cleanup of {flow_run.name}"}
    context = RunContext(TriggerKind.MANUAL, actor, trigger)
    opened = state.opened
    parameters: dict[str, Any] = {**(opened.inputs if opened else {}), PARAMETER: context.as_text()}
    name, tags = run_name(uuid4()), [CLEANUP_TAG, f"cleanup-of:{flow_run.name}"]
    if flow_run.deployment_id is None:
        flow = compile_workflow(workflow)
        return await client.create_flow_run(flow, parameters=parameters, name=name, tags=tags, state=Pending())
    return await client.create_flow_run_from_deployment(
        flow_run.deployment_id, parameters=parameters, name=name, tags=tags, state=Pending()
    )
