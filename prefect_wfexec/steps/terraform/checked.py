"""What every step of terraform needs before the run's first step: a terraform."""

from prefect_wfexec.errors import StepFailed
from prefect_wfexec.steps.base import StepType
from prefect_wfexec.steps.checking import CheckContext, Problem
from prefect_wfexec.steps.terraform.binary import binary


class TerraformStep(StepType):
    """Base of the step types of terraform."""

    async def check(self, context: CheckContext) -> list[Problem]:
        try:
            binary(context.env)
        except StepFailed as missing:
            return [Problem(missing.message, missing.hint or "")]
        return []
