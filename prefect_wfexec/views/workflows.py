"""The workflows that are deployed: their definitions, and whether they take triggers and schedules now."""

from typing import TYPE_CHECKING, Any
from uuid import UUID

from prefect_wfexec.definition.diagnostics import DefinitionError
from prefect_wfexec.definition.loader import load_text
from prefect_wfexec.definition.model import Input, Workflow
from prefect_wfexec.steps.registry import catalog
from prefect_wfexec.views.deployments import DeployedDefinition, definition_of, workflow_deployments

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.responses import DeploymentResponse

PAGE = 200


async def load_workflows(client: "PrefectClient") -> list[dict[str, Any]]:
    """Every deployment of a workflow, by name."""
    deployments = await workflow_deployments(client)
    names = await _flow_names(client, {one.flow_id for one in deployments})
    rows = [_row(one, names.get(one.flow_id, "")) for one in deployments]
    return sorted(rows, key=lambda row: str(row["deployment"]))


async def load_workflow(client: "PrefectClient", deployment: "DeploymentResponse") -> dict[str, Any]:
    """One of them."""
    names = await _flow_names(client, {deployment.flow_id})
    return _row(deployment, names.get(deployment.flow_id, ""))


async def _flow_names(client: "PrefectClient", ids: set[UUID]) -> dict[UUID, str]:
    from prefect.client.schemas.filters import FlowFilter, FlowFilterId

    found: dict[UUID, str] = {}
    wanted = sorted(ids)
    for start in range(0, len(wanted), PAGE):
        some = FlowFilter(id=FlowFilterId(any_=wanted[start : start + PAGE]))
        found |= {flow.id: flow.name for flow in await client.read_flows(flow_filter=some, limit=PAGE)}
    return found


def _row(deployment: "DeploymentResponse", flow: str) -> dict[str, Any]:
    definition = definition_of(deployment.parameter_openapi_schema) or DeployedDefinition("", "")
    workflow, problem = _compiled(definition.text)
    return {
        "workflow": flow,
        "deployment": f"{flow}/{deployment.name}",
        "description": workflow.description if workflow else deployment.description or "",
        "active": not deployment.paused,
        "definition": definition.text,
        "definition_digest": definition.digest,
        "inputs": [_input(one) for one in workflow.inputs] if workflow else [],
        "triggers": [{"id": one.id, "type": one.type} for one in workflow.triggers] if workflow else [],
        "problem": problem,
    }


def _compiled(text: str) -> tuple[Workflow | None, str | None]:
    try:
        return load_text(text, None, catalog()), None
    except DefinitionError as error:
        return None, error.diagnostics[0].message


def _input(declared: Input) -> dict[str, Any]:
    return {
        "name": declared.name,
        "type": declared.type,
        "description": declared.description,
        "required": declared.required,
        "default": declared.default,
        "enum": list(declared.enum),
        "pattern": declared.pattern,
    }
