"""Pausing a deployed workflow, so that no schedule and no trigger starts it, and activating it again."""

import logging
from typing import TYPE_CHECKING

from prefect_wfexec.errors import UsageError
from prefect_wfexec.journal.facts import Actor
from prefect_wfexec.operations.deployed import choose_deployment, deployments_of

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.responses import DeploymentResponse

logger = logging.getLogger(__name__)


async def set_active(
    client: "PrefectClient", workflow: str, deployment: str | None, by: Actor, *, is_active: bool
) -> "DeploymentResponse":
    """Activate or pause a deployment of a workflow; the deployment as it is then.

    Args:
        client: A client that stays open.
        workflow: The workflow's name.
        deployment: The deployment's, without the workflow's; None: the only one there is.
        by: Who wants it; it stands in the log of this process.
        is_active: Whether it takes triggers and schedules from now on.

    Raises:
        UsageError: there is none, or more than one.
    """
    if deployment is None:
        name, found = await choose_deployment(client, workflow)
    else:
        name, found = await _named(client, workflow, deployment)
    await (client.resume_deployment if is_active else client.pause_deployment)(found.id)
    logger.info("%s was %s by %s", name, "activated" if is_active else "paused", by.name)
    return await client.read_deployment(found.id)


async def _named(client: "PrefectClient", workflow: str, deployment: str) -> "tuple[str, DeploymentResponse]":
    for name, found in await deployments_of(client, workflow):
        if found.name == deployment:
            return name, found
    raise UsageError(
        f"workflow '{workflow}' has no deployment '{deployment}'",
        hint="see `prefect deployment ls`",
        code="no-deployment",
    )
