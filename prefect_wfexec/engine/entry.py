"""From inside a Prefect flow run into the engine, and back out with a state."""

from typing import TYPE_CHECKING, Any

from prefect_wfexec.definition.model import Workflow
from prefect_wfexec.engine.fencing import HandedOver, Superseded, Suspended
from prefect_wfexec.engine.launch import execute_run
from prefect_wfexec.engine.session import current_session
from prefect_wfexec.engine.termination import cancels_this_task
from prefect_wfexec.errors import EngineError, WfexecError, one_line
from prefect_wfexec.journal.keys import load_keys
from prefect_wfexec.status import RunStatus

if TYPE_CHECKING:
    from prefect.client.schemas.objects import State


async def run_in_flow(workflow: Workflow, parameters: dict[str, Any]) -> "State[Any]":
    """Execute the flow run of this context.

    Raises:
        prefect.exceptions.Abort: a newer engine, or another run, ends the run; this process leaves no mark.
        prefect.exceptions.Pause: the run waits, suspended, for a decision.
    """
    from prefect.client.orchestration import get_client
    from prefect.context import FlowRunContext
    from prefect.exceptions import Abort, Pause

    from prefect_wfexec.engine.flow_run import final_state

    context = FlowRunContext.get()
    if context is None or context.flow_run is None:
        raise EngineError("a workflow runs inside a Prefect flow run; call its flow instead")
    try:
        async with get_client() as client:
            keys = await load_keys(client)
            with cancels_this_task():
                return await execute_run(client, context.flow_run, parameters, workflow, keys, current_session())
    except (Superseded, HandedOver) as left:
        raise Abort(left.message) from None
    except Suspended as suspended:
        raise Pause(suspended.message) from None
    except WfexecError as error:
        return final_state(RunStatus.ERROR, one_line(error))
