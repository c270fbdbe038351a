"""The schedules of a definition, kept as schedules of its deployment: Prefect makes the runs."""

import logging
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from prefect_wfexec.definition.model import Trigger, Workflow
from prefect_wfexec.engine.context import PARAMETER
from prefect_wfexec.errors import WfexecError
from prefect_wfexec.operations.deployed import deployed_workflow
from prefect_wfexec.status import TriggerKind
from prefect_wfexec.triggers.context import RunContext, trigger_context
from prefect_wfexec.triggers.event import Event
from prefect_wfexec.triggers.inputs import inputs_of
from prefect_wfexec.views.deployments import workflow_deployments

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.actions import DeploymentScheduleCreate
    from prefect.client.schemas.objects import DeploymentSchedule
    from prefect.client.schemas.responses import DeploymentResponse

logger = logging.getLogger(__name__)
PREFIX = "wfexec-"
"""What the slugs of schedules begin with that are kept here; others are somebody else's, and left alone."""


@dataclass(frozen=True, slots=True)
class Synced:
    """A schedule that was made, changed or taken away.

    Attributes:
        deployment: The deployment's name.
        schedule: Its slug.
        act: `made`, `changed` or `removed`.
    """

    deployment: str
    schedule: str
    act: str


def schedules_of(workflow: Workflow) -> "dict[str, DeploymentScheduleCreate]":
    """The schedules that a deployment of this workflow is to have, by slug.

    Raises:
        WfexecError: the `inputs` of one can't be evaluated.
    """
    from prefect.client.schemas.actions import DeploymentScheduleCreate

    found = {}
    for trigger in workflow.triggers:
        if trigger.type == "schedule":
            slug = _slug(trigger)
            found[slug] = DeploymentScheduleCreate(
                schedule=_schedule(trigger), slug=slug, parameters=_parameters(workflow, trigger), active=True
            )
    return found


async def sync_all_schedules(client: "PrefectClient") -> list[Synced]:
    """Do so for every deployment; one whose definition can't be used is logged and passed over."""
    done: list[Synced] = []
    for deployment in await workflow_deployments(client):
        try:
            done += await sync_schedules(client, deployment, deployed_workflow(deployment))
        except WfexecError as error:
            logger.warning("the schedules of deployment '%s' are left alone: %s", deployment.name, error.message)
    return done


async def sync_schedules(client: "PrefectClient", deployment: "DeploymentResponse", workflow: Workflow) -> list[Synced]:
    """Make the deployment's schedules those of the definition; one that a person has paused stays paused.

    Raises:
        WfexecError: the `inputs` of a schedule can't be evaluated.
    """
    wanted = schedules_of(workflow)
    standing: dict[str, DeploymentSchedule] = {
        one.slug: one for one in deployment.schedules if one.slug and one.slug.startswith(PREFIX)
    }
    done = []
    for slug, schedule in wanted.items():
        known = standing.pop(slug, None)
        if known is None:
            await client.create_deployment_schedules(deployment.id, [schedule])
            done.append(Synced(deployment.name, slug, "made"))
        elif not _is_same(known, schedule):
            await client.update_deployment_schedule(
                deployment.id, known.id, schedule=schedule.schedule, parameters=schedule.parameters
            )
            done.append(Synced(deployment.name, slug, "changed"))
    for slug, gone in standing.items():
        await client.delete_deployment_schedule(deployment.id, gone.id)
        done.append(Synced(deployment.name, slug, "removed"))
    return done


def _slug(trigger: Trigger) -> str:
    return PREFIX + re.sub("_", "--", trigger.id)


def _schedule(trigger: Trigger) -> Any:
    from prefect.client.schemas.schedules import CronSchedule, IntervalSchedule

    timezone = str(trigger.options.get("timezone", "UTC"))
    if "cron" in trigger.options:
        return CronSchedule(cron=str(trigger.options["cron"]), timezone=timezone)
    seconds = float(str(trigger.options["interval"]))
    return IntervalSchedule(interval=timedelta(seconds=seconds), timezone=timezone)


def _parameters(workflow: Workflow, trigger: Trigger) -> dict[str, Any]:
    event = Event("schedule", f"Schedule ({trigger.id})", TriggerKind.SCHEDULE, delivery_id="")
    context = trigger_context(trigger, event)
    kept = {key: context.trigger[key] for key in ("type", "id", "text")}
    text = RunContext(context.triggered_by, None, kept).as_text()
    return {**inputs_of(workflow, trigger, context), PARAMETER: text}


def _is_same(known: "DeploymentSchedule", wanted: "DeploymentScheduleCreate") -> bool:
    """Whether nothing has to change; the anchor of an interval is the day it was first made."""
    left, right = known.schedule.model_dump(), wanted.schedule.model_dump()
    left.pop("anchor_date", None)
    right.pop("anchor_date", None)
    return left == right and known.parameters == wanted.parameters
