"""terraform.output: read the outputs of what is applied."""

from prefect_wfexec.errors import StepFailed
from prefect_wfexec.steps.base import StepContext, StepResult
from prefect_wfexec.steps.registry import step_type
from prefect_wfexec.steps.terraform.checked import TerraformStep
from prefect_wfexec.steps.terraform.failures import failure
from prefect_wfexec.steps.terraform.models import OutputInputs, OutputOutputs
from prefect_wfexec.steps.terraform.opening import open_session, read_values
from prefect_wfexec.steps.terraform.places import configuration_folder, data_folder, only_private_data_folder
from prefect_wfexec.steps.terraform.summaries import outputs_summary


@step_type("terraform.output", reads_only=True)
class Output(TerraformStep):
    """Reads the outputs that stand in the state."""

    Inputs = OutputInputs
    Outputs = OutputOutputs

    async def run(self, context: StepContext) -> StepResult:
        inputs: OutputInputs = context.inputs
        folder = configuration_folder(context, inputs.dir)
        data = only_private_data_folder(data_folder(context, folder))
        session = open_session(context, folder, workspace=inputs.workspace, data=data)
        read = await session.run_initialised(
            lambda: session.run(session.lines.output(), show="errors", is_captured=True)
        )
        if read.exit_code != 0:
            raise failure(context, read, "output")
        try:
            values, secret = read_values(context, read.output)
        except (ValueError, TypeError, AttributeError) as error:
            raise StepFailed("terraform output gave no JSON object", type="terraform_error") from error
        summary = outputs_summary(len(values))
        return StepResult({"summary": summary, "values": values}, summary, secret)
