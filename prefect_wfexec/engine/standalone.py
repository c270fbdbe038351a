"""An engine without a flow's process around it: brings a run to its end whose own process is gone, or never was."""

from typing import TYPE_CHECKING, Any

from prefect_wfexec.engine.context import PARAMETER, read_context
from prefect_wfexec.engine.engine import Engine
from prefect_wfexec.engine.session import Session

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.objects import FlowRun, State

    from prefect_wfexec.definition.model import Workflow
    from prefect_wfexec.journal.keys import Keys


async def execute_alone(
    client: "PrefectClient", flow_run: "FlowRun", workflow: "Workflow", keys: "Keys"
) -> "State[Any]":
    """Run a run to its end here, and show Prefect how it ended.

    Raises:
        Superseded: another engine took over.
        EngineError: a fault of ours, of Prefect or of the machine.
    """
    from prefect.settings import get_current_settings

    parameters = dict(flow_run.parameters)
    engine = Engine(
        workflow=workflow,
        client=client,
        flow_run=flow_run,
        context=read_context(str(parameters.pop(PARAMETER, "{}")), flow_run),
        inputs=parameters,
        keys=keys,
        home=get_current_settings().home,
        session=Session(),
    )
    state = await engine.execute()
    await client.set_flow_run_state(flow_run.id, state, force=True)
    return state
