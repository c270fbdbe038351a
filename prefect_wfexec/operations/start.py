"""Starting a run in this process."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from prefect_wfexec.definition.expansion import expand
from prefect_wfexec.definition.model import JSON, Workflow
from prefect_wfexec.engine.compiler import compile_workflow
from prefect_wfexec.engine.context import PARAMETER, RunContext
from prefect_wfexec.engine.environment import NotDeployable
from prefect_wfexec.engine.flow_run import labels_for, run_name, tags_for
from prefect_wfexec.engine.requirements import wants_others
from prefect_wfexec.engine.session import Session, session
from prefect_wfexec.engine.validation import read_rules, read_targets
from prefect_wfexec.errors import UsageError

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.objects import FlowRun
    from prefect.flows import Flow


async def refuse_yes(workflow: Workflow, inputs: Mapping[str, JSON]) -> None:
    """Refuse to approve every gate of a run in advance, where one of them wants other people, or a proof.

    Raises:
        UsageError: one of them does.
    """
    scope: dict[str, JSON] = {"inputs": dict(inputs), "trigger": {}, "steps": {}, "run": {}, "workflow": {}, "env": {}}
    try:
        expanded = expand(workflow, inputs)
        rules = await read_rules(expanded, scope)
        targets, faults = await read_targets(expanded)
        step = wants_others(expanded, *rules, targets) if not faults else None
    except NotDeployable:
        return  # the run's own validation tells why
    if step is not None:
        words = f"--yes can't approve the gate '{step}': it wants other people, a proof, or filled in fields"
        raise UsageError(words, hint="leave --yes out; who may decide then does", code="yes-refused")


async def create_run(
    client: "PrefectClient", workflow: Workflow, inputs: dict[str, JSON], context: RunContext
) -> tuple["Flow[..., Any]", "FlowRun"]:
    """The flow and a new run of it, in history from now on."""
    from prefect.states import Pending

    flow = compile_workflow(workflow)
    flow_run = await client.create_flow_run(
        flow,
        parameters={**inputs, PARAMETER: context.as_text()},
        tags=sorted(tags_for(context.triggered_by, context.user)),
        name=run_name(uuid4()),
        state=Pending(),
    )
    labels = labels_for(context.triggered_by, context.trigger)
    await client.update_flow_run_labels(flow_run.id, dict(labels))
    flow_run.labels.update(labels)
    return flow, flow_run


async def execute_here(flow: "Flow[..., Any]", flow_run: "FlowRun", watching: Session) -> bool:
    """Run a flow run in this process; how it ended stands in its journal.

    Returns:
        Whether it was run to its end here; False when another process took it over.
    """
    from prefect.exceptions import Abort
    from prefect.flow_engine import run_flow_async

    with session(watching):
        try:
            await run_flow_async(flow, flow_run=flow_run, parameters=flow_run.parameters, return_type="state")
        except Abort:
            return False
    return True
