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


class GitCloneWith(WithModel):
    """What to check out."""

    url: str = Field(description="The repository: https or ssh.")
    ref: str | None = Field(default=None, description="Branch, tag or commit; the default branch when left out.")
    depth: int | None = Field(default=None, ge=1, description="How many commits of history to fetch.")
    submodules: bool = Field(default=False, description="Whether submodules are checked out too.")
    block: str | None = Field(default=None, description="The saved credentials block to use.")


class GitCloneOutputs(OutputsModel):
    """The commit that was checked out, and where."""

    path: str = Field(description="The folder of the checkout.")
    sha: str = Field(description="The commit.")
    short_sha: str = Field(description="Its first seven digits.")
    ref: str = Field(description="The ref that was asked for.")
    author: str = Field(description="Who wrote the commit.")
    message: str = Field(description="Its message.")


class ImageBuildWith(WithModel):
    """What to build."""

    context: str = Field(default=".", description="The build context, a folder.")
    file: str | None = Field(default=None, description="The Dockerfile; `Dockerfile` in the context when left out.")
    tag: str = Field(description="The image's name and tag.")
    platform: str | None = Field(default=None, description="E.g. `linux/amd64`.")
    args: dict[str, str] = Field(default={}, description="Build arguments.")
    target: str | None = Field(default=None, description="The stage to build.")
    labels: dict[str, str] = Field(default={}, description="Labels of the image.")


class ImageRefWith(WithModel):
    """Which image, and with which credentials."""

    ref: str = Field(description="The image, with tag or digest.")
    block: str | None = Field(default=None, description="The saved registry credentials block to use.")


class ImageOutputs(OutputsModel):
    """One image, by name and by content."""

    ref: str = Field(description="The image as it was named.")
    digest: str = Field(description="`sha256:…` of the image.")
    digest_ref: str = Field(description="The image by its digest.")


class KubernetesJobWith(WithModel):
    """Which job, and where."""

    manifest: str = Field(description="The job's manifest, a path.")
    namespace: str = Field(default="default", description="The namespace.")
    block: str | None = Field(default=None, description="The saved Kubernetes credentials block to use.")


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


@step_type("git.clone", is_available=False, reads_only=True)
class GitClone(Planned):
    Inputs = GitCloneWith
    Outputs = GitCloneOutputs


@step_type("image.build", is_available=False)
class ImageBuild(Planned):
    Inputs = ImageBuildWith
    Outputs = ImageOutputs


@step_type("image.push", is_available=False)
class ImagePush(Planned):
    Inputs = ImageRefWith
    Outputs = ImageOutputs


@step_type("image.fetch", is_available=False, reads_only=True)
class ImageFetch(Planned):
    Inputs = ImageRefWith
    Outputs = ImageOutputs


@step_type("kubernetes.job", is_available=False)
class KubernetesJob(Planned):
    Inputs = KubernetesJobWith
    Outputs = NoOutputs


@step_type("deploy.kubernetes", is_available=False, changes_infrastructure=True)
class DeployKubernetes(Planned):
    Inputs = DeployKubernetesWith
    Outputs = NoOutputs


@step_type("deploy.script", is_available=False, changes_infrastructure=True, open_outputs=True, accepts_run=True)
class DeployScript(Planned):
    Inputs = DeployScriptWith
    Outputs = DeployScriptOutputs
