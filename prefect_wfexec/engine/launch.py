"""One flow run, executed by an engine: a run of a workflow, or one that takes away what another has made."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from prefect_wfexec.definition.model import Workflow
from prefect_wfexec.engine.cleanup.parent import Parent, parent_of, report_end
from prefect_wfexec.engine.context import PARAMETER, read_context
from prefect_wfexec.engine.engine import Engine
from prefect_wfexec.engine.fencing import HandedOver
from prefect_wfexec.engine.session import Session
from prefect_wfexec.journal.journal import Journal
from prefect_wfexec.journal.state import ExecutionState
from prefect_wfexec.runtime.console import go_on_unread

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.objects import FlowRun, State

    from prefect_wfexec.journal.keys import Keys


async def execute_run(
    client: "PrefectClient",
    flow_run: "FlowRun",
    parameters: Mapping[str, Any],
    workflow: Workflow,
    keys: "Keys",
    session: Session,
) -> "State[Any]":
    """Run a run to its end here; the state Prefect gets.

    Args:
        client: A client that stays open.
        flow_run: The run.
        parameters: What its flow was called with, the context among it.
        workflow: The definition at hand.
        keys: The key of its journal.
        session: Who watches.

    Raises:
        Superseded: another engine took over.
        Suspended: it waits for a decision without a process.
        HandedOver: a worker takes away what it has made, and ends it then.
        EngineError: a fault of ours, of Prefect or of the machine.
    """
    from prefect.settings import get_current_settings

    go_on_unread()
    inputs = dict(parameters)
    context = read_context(str(inputs.pop(PARAMETER, "{}")), flow_run)
    parent = await parent_of(client, flow_run, workflow, context, keys)
    engine = Engine(
        workflow=parent.cleanup if parent is not None else workflow,
        client=client,
        flow_run=flow_run,
        inputs=inputs,
        context=context,
        keys=keys,
        home=get_current_settings().home,
        session=session,
        parent=parent,
    )
    try:
        state = await engine.execute()
    except HandedOver:
        cleanup = engine.handed_over
        if flow_run.deployment_id is not None or cleanup is None:
            raise
        # No worker would run it: what started this run takes away what it has made.
        await execute_alone(client, cleanup, workflow, keys, session)
        return await engine.execute()
    if parent is not None:
        await _end_parent(client, parent, flow_run, engine.state, keys)
    return state


async def _end_parent(
    client: "PrefectClient", parent: Parent, flow_run: "FlowRun", state: ExecutionState, keys: "Keys"
) -> None:
    await report_end(parent, flow_run, state)
    await execute_alone(client, parent.flow_run, parent.workflow, keys, Session())


async def finish_cleanup(client: "PrefectClient", flow_run: "FlowRun", workflow: Workflow, keys: "Keys") -> None:
    """Bring the run to its end that a cleanup which has ended has cleaned up after.

    Args:
        client: A client that stays open.
        flow_run: The cleanup.
        workflow: The definition of the run it cleaned up after.
        keys: The key of their journals.
    """
    context = read_context(str(flow_run.parameters.get(PARAMETER, "{}")), flow_run)
    parent = await parent_of(client, flow_run, workflow, context, keys)
    journal = Journal(client, flow_run.id, keys)
    await journal.catch_up()
    if parent is not None:
        await _end_parent(client, parent, flow_run, journal.state, keys)


async def execute_alone(
    client: "PrefectClient", flow_run: "FlowRun", workflow: Workflow, keys: "Keys", session: Session
) -> "State[Any]":
    """Run a run to its end without a flow's process around it, and show Prefect how it ended.

    Raises:
        Superseded, Suspended, HandedOver, EngineError: as above.
    """
    state = await execute_run(client, flow_run, flow_run.parameters, workflow, keys, session)
    await client.set_flow_run_state(flow_run.id, state, force=True)
    return state
