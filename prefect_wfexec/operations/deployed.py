"""Starting runs of deployed workflows: a worker executes them."""

from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import httpx

from prefect_wfexec.definition.diagnostics import DefinitionError
from prefect_wfexec.definition.loader import load_text
from prefect_wfexec.definition.model import JSON, Workflow
from prefect_wfexec.engine.context import PARAMETER, RunContext
from prefect_wfexec.engine.flow_run import labels_for, run_name, tags_for
from prefect_wfexec.errors import UsageError, join_names
from prefect_wfexec.operations.connection import refusal_of
from prefect_wfexec.steps.registry import catalog
from prefect_wfexec.views.deployments import definition_of, workflow_deployments

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.objects import FlowRun
    from prefect.client.schemas.responses import DeploymentResponse

_REFUSALS = frozenset({HTTPStatus.CONFLICT, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNPROCESSABLE_ENTITY})


async def find_deployment(client: "PrefectClient", name: str) -> "DeploymentResponse":
    """The deployment a person means, by `FLOW/NAME`, by NAME alone when only one has it, or by id.

    Raises:
        UsageError: there is none, or more than one, or it is no workflow's.
    """
    from prefect.exceptions import ObjectNotFound

    try:
        if "/" in name:
            found = [await client.read_deployment_by_name(name)]
        elif _is_id(name):
            found = [await client.read_deployment(UUID(name))]
        else:
            found = [one for one in await workflow_deployments(client) if one.name == name]
    except (ObjectNotFound, ValueError):
        found = []
    if not found:
        raise UsageError(f"there is no deployment '{name}'", hint="see `prefect deployment ls`", code="no-deployment")
    if len(found) > 1:
        raise UsageError(f"more than one deployment is named '{name}'", hint="write FLOW/NAME", code="ambiguous")
    if definition_of(found[0].parameter_openapi_schema) is None:
        raise UsageError(
            f"deployment '{name}' is not of a workflow of this package",
            hint="start it with `prefect deployment run`",
            code="no-workflow",
        )
    return found[0]


async def deployments_of(client: "PrefectClient", workflow: str) -> "list[tuple[str, DeploymentResponse]]":
    """The deployments of a workflow, each with its full name."""
    from prefect.client.schemas.filters import FlowFilter, FlowFilterName

    flows = await client.read_flows(flow_filter=FlowFilter(name=FlowFilterName(any_=[workflow])))
    ids = {flow.id for flow in flows}
    found = [one for one in await workflow_deployments(client) if one.flow_id in ids]
    return [(f"{workflow}/{one.name}", one) for one in found]


async def choose_deployment(client: "PrefectClient", workflow: str) -> "tuple[str, DeploymentResponse]":
    """The one deployment of a workflow.

    Raises:
        UsageError: there is none, or more than one.
    """
    found = await deployments_of(client, workflow)
    if len(found) == 1:
        return found[0]
    if not found:
        raise UsageError(
            f"workflow '{workflow}' has no deployment",
            hint="add it to prefect.yaml and run `prefect deploy`, or execute it here with `wfexec run`",
            code="no-deployment",
        )
    names = join_names([name for name, _ in found])
    raise UsageError(
        f"workflow '{workflow}' has the deployments {names}", hint="use `wfexec start FLOW/NAME`", code="ambiguous"
    )


def deployed_workflow(deployment: "DeploymentResponse") -> Workflow:
    """The definition that stands in a deployment.

    Raises:
        UsageError: this version can't compile it.
    """
    definition = definition_of(deployment.parameter_openapi_schema)
    text = definition.text if definition is not None else ""
    try:
        return _compiled(text)
    except DefinitionError as error:
        first = error.diagnostics[0]
        raise UsageError(
            f"the definition in deployment '{deployment.name}' does not compile: {first.message}",
            hint="mend it and deploy it again",
            code="bad-deployment",
        ) from None


@lru_cache(maxsize=128)
def _compiled(text: str) -> Workflow:
    return load_text(text, None, catalog())


async def start_run(
    client: "PrefectClient",
    deployment: "DeploymentResponse",
    inputs: dict[str, JSON],
    context: RunContext,
    *,
    idempotency_key: str | None = None,
) -> "FlowRun":
    """Schedule a run; it is in history from now on.

    Args:
        client: A client that stays open.
        deployment: What to start.
        inputs: The workflow's inputs, checked.
        context: Who or what starts it.
        idempotency_key: Asked for again with the same key, the run that is there already is returned.

    Raises:
        UsageError: Prefect refuses the inputs, because they are too large for it, say.
    """
    parameters: dict[str, Any] = {**inputs, PARAMETER: context.as_text()}
    try:
        return await client.create_flow_run_from_deployment(
            deployment.id,
            parameters=parameters,
            name=run_name(uuid4()),
            tags=sorted(tags_for(context.triggered_by, context.user)),
            labels=dict(labels_for(context.triggered_by, context.trigger)),
            idempotency_key=idempotency_key,
        )
    except httpx.HTTPStatusError as error:
        if error.response.status_code not in _REFUSALS:
            raise
        raise UsageError(f"prefect refused the run: {refusal_of(error)}", code="bad-input") from error


def _is_id(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
