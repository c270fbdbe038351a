"""`start` and `execute`: schedule a run of a deployed workflow for a worker."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from prefect_wfexec.cli.inputs import parse_inputs
from prefect_wfexec.cli.output import note, say
from prefect_wfexec.cli.show import report_scheduled
from prefect_wfexec.definition.loader import load_definition
from prefect_wfexec.definition.model import Workflow
from prefect_wfexec.engine.context import manual_context
from prefect_wfexec.errors import UsageError
from prefect_wfexec.operations.connection import connected, reachable
from prefect_wfexec.operations.deployed import choose_deployment, deployed_workflow, find_deployment, start_run
from prefect_wfexec.operations.saving import find_project, save
from prefect_wfexec.steps.registry import catalog
from prefect_wfexec.views.deployments import definition_of

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.responses import DeploymentResponse


async def start(arguments: argparse.Namespace) -> int:
    """Start a deployment."""
    async with reachable():
        async with connected() as client:
            deployment = await find_deployment(client, arguments.deployment)
            return await _start(client, deployment, deployed_workflow(deployment), arguments)


async def execute(arguments: argparse.Namespace) -> int:
    """Check a definition, save it into its deployment when it has changed, and start that."""
    path = Path(arguments.path)
    workflow = load_definition(path, catalog())
    # Before anything is saved: a run that can't be started changes nothing.
    parse_inputs(workflow, arguments.inputs)
    async with reachable():
        async with connected() as client:
            deployment = await _saved(client, path, workflow)
            return await _start(client, deployment, workflow, arguments)


async def _saved(client: "PrefectClient", path: Path, workflow: Workflow) -> "DeploymentResponse":
    """The workflow's deployment, holding this definition."""
    name, deployment = await choose_deployment(client, workflow.name)
    if _digest(deployment) == workflow.digest:
        return deployment
    project = find_project(path)
    if project is None or project.deployment != deployment.name:
        raise UsageError(
            f"deployment '{name}' has another definition than {path}",
            hint="deploy it with `prefect deploy`; no prefect.yaml above it does that",
            code="not-deployed",
        )
    note(f"saving {path} into {name}")
    await save(project)
    deployment = await client.read_deployment(deployment.id)
    if _digest(deployment) != workflow.digest:
        raise UsageError(
            f"deployment '{name}' still has another definition than {path} after `prefect deploy`",
            hint=f"see what {project.folder / 'prefect.yaml'} deploys",
            code="not-deployed",
        )
    return deployment


def _digest(deployment: "DeploymentResponse") -> str:
    definition = definition_of(deployment.parameter_openapi_schema)
    return definition.digest if definition is not None else ""


async def _start(
    client: "PrefectClient", deployment: "DeploymentResponse", workflow: Workflow, arguments: argparse.Namespace
) -> int:
    inputs = parse_inputs(workflow, arguments.inputs)
    flow_run = await start_run(client, deployment, inputs, manual_context())
    announce = note if arguments.json else say
    announce(f"Run {flow_run.name}")
    return await report_scheduled(client, flow_run, arguments)
