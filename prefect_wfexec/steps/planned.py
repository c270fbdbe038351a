"""Step types of a later version: they validate, and running one fails with the reason."""

from typing import Literal

from pydantic import ConfigDict, Field

from prefect_wfexec.errors import StepFailed
from prefect_wfexec.steps.base import NoOutputs, OutputsModel, StepContext, StepResult, StepType, WithModel
from prefect_wfexec.steps.registry import step_type


class Planned(StepType):
    """Base of a step type that can be written but not run yet."""

    async def run(self, context: StepContext) -> StepResult:
        raise StepFailed(
            f"step type '{context.step.uses}' isn't available in this version",
            type="not_available",
            retryable=False,
            hint="use a shell step for now",
        )


class DeployKubernetesWith(WithModel):
    """What to deploy, and where."""

    manifests: str | list[str] = Field(description="Manifests: paths of files or folders.")
    image: str | None = Field(default=None, description="The image to put into them.")
    namespace: str = Field(default="default", description="The namespace.")
    block: str | None = Field(default=None, description="The saved Kubernetes credentials block to use.")


class DeployScriptWith(WithModel):
    """What `run`, a script that deploys, is given."""

    shell: Literal["bash", "sh", "python"] = Field(default="bash", description="What runs the script.")
    dir: str = Field(default=".", description="The folder it runs in.")
    image: str | None = Field(default=None, description="The image it deploys; the script finds it as `$IMAGE`.")


class DeployScriptOutputs(OutputsModel):
    """What the script gave."""

    model_config = ConfigDict(extra="allow")

    exit_code: int = Field(description="The script's exit code.")


@step_type("deploy.kubernetes", is_available=False, changes_infrastructure=True)
class DeployKubernetes(Planned):
    Inputs = DeployKubernetesWith
    Outputs = NoOutputs


@step_type("deploy.script", is_available=False, changes_infrastructure=True, open_outputs=True, accepts_run=True)
class DeployScript(Planned):
    Inputs = DeployScriptWith
    Outputs = DeployScriptOutputs
