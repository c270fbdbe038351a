"""`wait`: let time pass, for a duration or until a moment."""

import asyncio
from datetime import UTC, datetime
from typing import Self

from pydantic import AwareDatetime, Field, field_validator, model_validator

from prefect_wfexec.definition.durations import Duration, format_duration
from prefect_wfexec.steps.base import NoOutputs, StepContext, StepResult, StepType, WithModel
from prefect_wfexec.steps.registry import step_type

LONGEST_NAP_SECONDS = 3600.0
"""A wait until a moment looks at the clock at least this often, since clocks are set and machines sleep."""


class WaitWith(WithModel):
    """How long, or until when; exactly one of the two."""

    for_: Duration | None = Field(default=None, alias="for", description="How long to wait, e.g. `90s` or `10m`.")
    until: AwareDatetime | None = Field(
        default=None,
        description="The moment to wait for, ISO 8601 with a zone, e.g. `2030-01-31T08:00:00Z` or `…+02:00`.",
    )

    @field_validator("until", mode="before")
    @classmethod
    def _is_text(cls, value: object) -> object:
        is_number = isinstance(value, str) and value.strip().lstrip("+-").replace(".", "", 1).isdigit()
        if value is None or (isinstance(value, str | datetime) and not is_number):
            return value
        raise ValueError("a moment is written as ISO 8601 text with a zone, e.g. 2030-01-31T08:00:00Z")

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.for_ is None) == (self.until is None):
            raise ValueError("give exactly one of 'for' and 'until'")
        return self


@step_type("wait", reads_only=True)
class Wait(StepType):
    """Waits; a moment that has passed is no wait at all."""

    uses_files = False
    Inputs = WaitWith
    Outputs = NoOutputs

    async def run(self, context: StepContext) -> StepResult:
        inputs: WaitWith = context.inputs
        if inputs.until is not None:
            return await _wait_until(inputs.until, context)
        seconds = inputs.for_ or 0.0
        context.log.system(f"waiting {format_duration(seconds)}")
        # A wait that another process began is carried on, not begun anew.
        waited = -_seconds_until(context.first_started) if context.first_started else 0.0
        await asyncio.sleep(max(0.0, seconds - waited))
        return StepResult(summary=f"Waited {format_duration(seconds)}")


async def _wait_until(moment: datetime, context: StepContext) -> StepResult:
    shown = moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
    remaining = _seconds_until(moment)
    if remaining <= 0:
        context.log.system(f"{shown} has passed, nothing to wait for")
        return StepResult(summary=f"{shown} had passed")
    context.log.system(f"waiting until {shown}, {format_duration(remaining)} from now")
    while remaining > 0:
        await asyncio.sleep(min(remaining, LONGEST_NAP_SECONDS))
        remaining = _seconds_until(moment)
    return StepResult(summary=f"Waited until {shown}")


def _seconds_until(moment: datetime) -> float:
    return (moment - datetime.now(UTC)).total_seconds()
