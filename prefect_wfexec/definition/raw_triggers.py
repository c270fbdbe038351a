"""What a person typed under `triggers`, one shape for each type."""

from typing import Annotated, Any, Literal

from pydantic import Field

from prefect_wfexec.definition.durations import Duration
from prefect_wfexec.definition.raw import TRIGGER_ID_PATTERN, Raw, Text

Globs = list[Annotated[str, Field(min_length=1)]]
EVENT_PATTERN = r"^[a-z][a-z_]*(\.[a-z_]+)*$"
Events = list[Annotated[str, Field(pattern=EVENT_PATTERN)]]


class RawTrigger(Raw):
    """What every trigger has."""

    id: Text = Field(
        "", description="Its name in the webhook's address.", json_schema_extra={"pattern": TRIGGER_ID_PATTERN}
    )
    type: Text = Field("", description="What kind of trigger it is.")
    inputs: dict[str, Any] = Field(
        default_factory=dict, description="Values of the workflow's inputs; expressions may use 'trigger'."
    )


class RawManual(RawTrigger):
    """Started by a person."""


class RawSchedule(RawTrigger):
    """Started by the clock."""

    cron: Text = Field("", min_length=1, description="Five fields: minute, hour, day of month, month, day of week.")
    interval: Duration = Field(0.0, description="How much time lies between two runs.")
    timezone: Text = Field("UTC", min_length=1, description="A time zone such as Europe/Berlin.")


class RawDelivered(RawTrigger):
    """Started by a signed request."""

    secret: Text = Field("", min_length=1, description="The saved block that holds the secret.")
    if_: Text | bool = Field(
        default=True, alias="if", description="An expression over 'trigger'; when it is false nothing starts."
    )
    deployment: Text = Field("", min_length=1, description="Which deployment to start when there are several.")


class RawGit(RawDelivered):
    """Started by a git server."""

    events: Events = Field(default_factory=list, min_length=1, description="E.g. push, pull_request, release.")
    branches: Globs = Field(default_factory=list, description="Patterns of branches; all when left out.")
    tags: Globs = Field(default_factory=list, description="Patterns of tags.")
    paths: Globs = Field(default_factory=list, description="Patterns of changed files; all when left out.")


class RawWebhook(RawDelivered):
    """Started by any program that can sign a request."""

    scheme: Literal["standard", "hmac", "bearer"] = Field("standard", description="How the request proves itself.")
    header: Text = Field("", min_length=1, description="The header that holds the signature, for 'hmac'.")


class RawIncident(RawDelivered):
    """Started by an alert."""

    provider: Literal["pagerduty", "alertmanager"] = Field("pagerduty", description="Where the alert comes from.")
    events: Events = Field(default_factory=list, description="Which events; all when left out.")


class RawAfterWorkflow(RawTrigger):
    """Started when another workflow's run ends."""

    workflow: Text = Field("", min_length=1, description="The other workflow's name.")
    on: list[Text] | Text = Field("Succeeded", description="The outcomes that start it.")
    if_: Text | bool = Field(
        default=True, alias="if", description="An expression over 'trigger'; when it is false nothing starts."
    )
    deployment: Text = Field("", min_length=1, description="Which deployment to start when there are several.")


TRIGGERS: dict[str, type[RawTrigger]] = {
    "manual": RawManual,
    "schedule": RawSchedule,
    "github": RawGit,
    "gitlab": RawGit,
    "webhook": RawWebhook,
    "incident": RawIncident,
    "workflow": RawAfterWorkflow,
}
REQUIRED: dict[str, tuple[str, ...]] = {
    "github": ("events", "secret"),
    "gitlab": ("events", "secret"),
    "webhook": ("secret",),
    "incident": ("provider", "secret"),
    "workflow": ("workflow",),
}
