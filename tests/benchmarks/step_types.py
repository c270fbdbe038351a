"""Step types that cost next to nothing, so that what is left is the engine's own cost."""

import time

from pydantic import Field

from prefect_wfexec.steps.base import OutputsModel, StepContext, StepResult, StepType, WithModel
from prefect_wfexec.steps.registry import step_type


class Nothing(WithModel):
    """No `with`."""


@step_type("bench.noop")
class NoOperation(StepType):
    """Does nothing."""

    Inputs = Nothing

    async def run(self, context: StepContext) -> StepResult:
        del context
        return StepResult()


class Stamp(OutputsModel):
    """When the step ran."""

    at: float = Field(description="Seconds since the epoch.")


@step_type("bench.stamp")
class TakeTime(StepType):
    """Says when it ran."""

    Inputs = Nothing
    Outputs = Stamp

    async def run(self, context: StepContext) -> StepResult:
        del context
        return StepResult(outputs={"at": time.time()})
