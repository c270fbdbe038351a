"""Deployments of workflows: Prefect's own, told apart by what the compiler puts into their parameters."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.responses import DeploymentResponse

PAGE = 200


async def workflow_deployments(client: "PrefectClient") -> "list[DeploymentResponse]":
    """Every deployment whose flow was compiled from a definition."""
    found: list[DeploymentResponse] = []
    offset = 0
    while True:
        page = await client.read_deployments(limit=PAGE, offset=offset)
        found += [one for one in page if is_workflow(one.parameter_openapi_schema)]
        offset += PAGE
        if len(page) < PAGE:
            return found


def is_workflow(schema: Any) -> bool:
    """Whether a deployment with this schema of parameters is one of a workflow."""
    properties = (schema or {}).get("properties") if isinstance(schema, dict) else None
    return any("x-wfexec" in value for value in (properties or {}).values() if isinstance(value, dict))
