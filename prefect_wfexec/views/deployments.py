"""Deployments of workflows: Prefect's own, told apart by what the compiler puts into their parameters."""

from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class DeployedDefinition:
    """The definition that a deployment was made from."""

    text: str
    digest: str


def is_workflow(schema: Any) -> bool:
    """Whether a deployment with this schema of parameters is one of a workflow."""
    return definition_of(schema) is not None


def definition_of(schema: Any) -> DeployedDefinition | None:
    """The definition in a deployment's schema of parameters; None when it is no workflow's."""
    properties = schema.get("properties") if isinstance(schema, dict) else None
    for value in (properties if isinstance(properties, dict) else {}).values():
        found = value.get("x-wfexec") if isinstance(value, dict) else None
        if isinstance(found, dict):
            return DeployedDefinition(str(found.get("definition") or ""), str(found.get("digest") or ""))
    return None
