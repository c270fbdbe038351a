"""Step types of a later version: they validate, and running one fails with the reason."""

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from prefect_wfexec.errors import StepFailed
from prefect_wfexec.steps.base import OutputsModel, StepContext, StepResult, StepType, WithModel
from prefect_wfexec.steps.registry import step_type

Severity = Literal["any", "critical", "high", "medium", "low", "never"]


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


class ScanWith(WithModel):
    """What to scan, and which findings fail the step."""

    path: str | None = Field(default=None, description="A folder or file.")
    image: str | None = Field(default=None, description="A container image.")
    fail_on: Severity = Field(
        default="high", description="The least severity that fails the step; `any` finding, or `never`."
    )

    @model_validator(mode="after")
    def _at_most_one(self) -> Self:
        if self.path is not None and self.image is not None:
            raise ValueError("give at most one of 'path' and 'image'")
        return self


class DetectSecretsWith(ScanWith):
    """What to search for secrets; every finding counts as high."""

    baseline: str | None = Field(default=None, description="A baseline file of known findings.")


class SonarQubeWith(ScanWith):
    """What to analyse, and with which server."""

    project: str | None = Field(default=None, description="The project's key.")
    block: str | None = Field(default=None, description="The saved credentials block to use.")


class ScanScriptWith(ScanWith):
    """What `run`, a scanner of one's own, scans, and the report it writes."""

    report: str | None = Field(default=None, description="The report it writes: JSON or SARIF.")


class ScanCounts(OutputsModel):
    """How many findings of each severity."""

    critical: int = 0
    high: int = 0
    medium: int = 0
    low: int = 0


class ScanOutputs(OutputsModel):
    """What a scan found."""

    counts: ScanCounts = Field(description="The findings by severity.")
    report: Any = Field(default=None, description="Reference to the report.")


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


@step_type("git.clone", is_available=False, reads_only=True)
class GitClone(Planned):
    Inputs = GitCloneWith
    Outputs = GitCloneOutputs


@step_type("scan.detect_secrets", is_available=False, reads_only=True)
class ScanDetectSecrets(Planned):
    Inputs = DetectSecretsWith
    Outputs = ScanOutputs


@step_type("scan.trivy", is_available=False, reads_only=True)
class ScanTrivy(Planned):
    Inputs = ScanWith
    Outputs = ScanOutputs


@step_type("scan.sonarqube", is_available=False)
class ScanSonarQube(Planned):
    Inputs = SonarQubeWith
    Outputs = ScanOutputs


@step_type("scan.script", is_available=False, accepts_run=True)
class ScanScript(Planned):
    Inputs = ScanScriptWith
    Outputs = ScanOutputs


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
