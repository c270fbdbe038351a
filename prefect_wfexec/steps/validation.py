"""`validation`: the first step of every pipeline. The engine adds it and runs it; no definition names it."""

from prefect_wfexec.definition.raw import VALIDATION
from prefect_wfexec.errors import EngineError
from prefect_wfexec.steps.base import NoOutputs, StepContext, StepResult, StepType, WithModel
from prefect_wfexec.steps.registry import step_type


class ValidationWith(WithModel):
    """It takes no values."""


@step_type(VALIDATION, reads_only=True)
class Validation(StepType):
    """Looks at everything a run needs before anything is done."""

    Inputs = ValidationWith
    Outputs = NoOutputs

    async def run(self, context: StepContext) -> StepResult:
        raise EngineError(f"step '{context.step.id}' looks at the whole run, which only the engine can")
