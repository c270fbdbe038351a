"""The `with` keys and outputs of the Terraform steps, and the reference to a saved plan."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from prefect_wfexec.definition.model import JSON
from prefect_wfexec.steps.base import OutputsModel, WithModel


def _no_option(value: str) -> str:
    if value.startswith("-"):
        raise ValueError("must not start with '-': terraform would take it for an option")
    if not value.strip() or "\0" in value:
        raise ValueError("must not be empty")
    return value


Word = Annotated[str, AfterValidator(_no_option)]
"""Text that can't be mistaken for an option."""

Scalar = Word | int | float | bool
Duration = Annotated[str, Field(pattern=r"^(\d+(\.\d+)?(ms|s|m|h))+$")] | Annotated[int, Field(ge=0)]
"""A Go duration such as `5m`, or seconds."""


class PlanInputs(WithModel):
    """`with` of terraform.plan."""

    dir: Word = Field(".", description="Folder of the configuration, from the folder of the definition.")
    vars: dict[str, JSON] = Field({}, description="Values of the configuration's variables; they win over var_files.")
    var_files: tuple[Word, ...] = Field((), description="Variable files, from the definition's folder, else from dir.")
    workspace: Word | None = Field(None, description="Terraform workspace; made when it does not exist.")
    backend_config: dict[Word, Scalar] | tuple[Word, ...] = Field(
        {}, description="Settings the backend block leaves open, or files with them."
    )
    lock_timeout: Duration | None = Field(None, description="How long to wait for the state lock, e.g. 5m.")
    targets: tuple[Word, ...] = Field((), description="Plan only these resource addresses.")


class ApplyInputs(WithModel):
    """`with` of terraform.apply."""

    plan: JSON = Field(description="The `plan` output of a terraform.plan step.")


class DestroyInputs(WithModel):
    """`with` of terraform.destroy."""

    dir: Word = Field(".", description="Folder of the configuration, from the folder of the definition.")
    vars: dict[str, JSON] = Field({}, description="Values of the configuration's variables; they win over var_files.")
    var_files: tuple[Word, ...] = Field((), description="Variable files, from the definition's folder, else from dir.")
    workspace: Word | None = Field(None, description="Terraform workspace.")
    backend_config: dict[Word, Scalar] | tuple[Word, ...] = Field(
        {}, description="Settings the backend block leaves open, or files with them."
    )


class OutputInputs(WithModel):
    """`with` of terraform.output."""

    dir: Word = Field(".", description="Folder of the configuration, from the folder of the definition.")
    workspace: Word | None = Field(None, description="Terraform workspace.")


class Counts(BaseModel):
    """How many resources; a replacement counts as one added and one destroyed."""

    add: int = 0
    change: int = 0
    destroy: int = 0


class PlannedResource(BaseModel):
    """One resource of a plan and what is to happen to it."""

    address: str
    action: str


class PlanOutputs(OutputsModel):
    """Outputs of terraform.plan."""

    has_changes: bool
    counts: Counts
    summary: str
    text: str
    resources: list[PlannedResource]
    plan: dict[str, JSON]
    digest: str


class ApplyOutputs(OutputsModel):
    """Outputs of terraform.apply."""

    counts: Counts
    summary: str
    values: dict[str, JSON]


class DestroyOutputs(ApplyOutputs):
    """Outputs of terraform.destroy."""

    left: list[str] = Field(default_factory=list, description="The addresses that are still in the state.")


class OutputOutputs(OutputsModel):
    """Outputs of terraform.output."""

    summary: str
    values: dict[str, JSON]


class StoredBlob(BaseModel):
    """A blob as JSON holds it."""

    model_config = ConfigDict(frozen=True)

    blob: str
    size: int
    sha256: str


class PlanReference(BaseModel):
    """A saved plan and all that apply needs to find its way back to it, on any machine; no secret stands in it."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["terraform.plan"] = "terraform.plan"
    plan: StoredBlob
    changes: StoredBlob
    digest: str
    lineage: str
    serial: int
    terraform_version: str
    dir: str
    workspace: str
    backend_config: StoredBlob | None = None
    var_files: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    lock_timeout: str | None = None
    counts: Counts = Counts()
    summary: str = ""
