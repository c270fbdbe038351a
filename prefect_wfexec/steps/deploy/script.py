"""`deploy.script`: deploy by a script of one's own; it is told what and where, and is never run again by itself."""

from collections.abc import Mapping

from pydantic import Field, field_validator

from prefect_wfexec.errors import StepFailed
from prefect_wfexec.steps.base import StepContext, StepResult
from prefect_wfexec.steps.checking import CheckContext, Problem
from prefect_wfexec.steps.image.access import BLOCK, sign_in
from prefect_wfexec.steps.image.signed_in import refused_login
from prefect_wfexec.steps.registry import step_type
from prefect_wfexec.steps.shell import ShellStep, ShellWith


class DeployScriptWith(ShellWith):
    """What `run`, a script that deploys, is given."""

    image: str | None = Field(default=None, description="The image it deploys; the script finds it as `$IMAGE`.")
    environment: str | None = Field(
        default=None,
        description="Where it deploys to; the script finds it as `$WFEXEC_ENVIRONMENT`. The run's target environment "
        "when left out.",
    )
    block: str | None = Field(
        default=None,
        min_length=1,
        description="The saved Registry Credentials that programs of the script sign in with: skopeo, buildah and "
        "podman by `$REGISTRY_AUTH_FILE`, docker by `$DOCKER_CONFIG`.",
    )

    @field_validator("image", "environment")
    @classmethod
    def _is_a_value(cls, value: str | None) -> str | None:
        if value is not None and (value.startswith("-") or "\0" in value or "\n" in value):
            raise ValueError("this is no name: it starts with '-' or has more than one line")
        return value


@step_type("deploy.script", changes_infrastructure=True, open_outputs=True, accepts_run=True)
class DeployScript(ShellStep):
    """Runs the step's `run`; once it has begun, only a person runs it again."""

    Inputs = DeployScriptWith
    blocks = (BLOCK,)

    async def check(self, context: CheckContext) -> list[Problem]:
        return [*await super().check(context), *await refused_login(context)]

    async def variables(self, context: StepContext) -> Mapping[str, str]:
        """What the script learns beside what every script does."""
        inputs: DeployScriptWith = context.inputs
        environment = inputs.environment or context.environment
        known = {"IMAGE": inputs.image or "", "WFEXEC_ENVIRONMENT": environment}
        login = await sign_in(context, inputs.block)
        if login.folder is None:
            return known
        files = {"REGISTRY_AUTH_FILE": str(login.file), "DOCKER_CONFIG": str(login.folder)}
        return known | files | {"REGISTRY_TLS_VERIFY": "true" if login.tls_verify else "false"}

    async def run(self, context: StepContext) -> StepResult:
        await context.check_lock()
        try:
            return await super().run(context)
        except StepFailed as failed:
            # Nobody knows how far it came: running it again is a person's to decide.
            failed.retryable = False
            raise
