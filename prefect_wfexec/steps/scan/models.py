"""What every scan takes and gives."""

from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from prefect_wfexec.steps.base import OutputsModel, WithModel

FailOn = Literal["any", "critical", "high", "medium", "low", "never"]


class ScanWith(WithModel):
    """What to scan, and which findings fail the step."""

    path: str | None = Field(default=None, min_length=1, description="A folder or file.")
    image: str | None = Field(default=None, min_length=1, description="A container image.")
    fail_on: FailOn = Field(
        default="high", description="The least severity that fails the step; `any` finding, or `never`."
    )

    @field_validator("image")
    @classmethod
    def _no_option(cls, value: str | None) -> str | None:
        if value is not None and (value.startswith("-") or not value.isprintable() or " " in value):
            raise ValueError("this is no image")
        return value

    @model_validator(mode="after")
    def _at_most_one(self) -> Self:
        if self.path is not None and self.image is not None:
            raise ValueError("give at most one of 'path' and 'image'")
        return self


class FileScanWith(ScanWith):
    """What to scan, for a scanner that looks at files only."""

    @model_validator(mode="after")
    def _files_only(self) -> Self:
        if self.image is not None:
            raise ValueError("this scanner looks at files, not at images: give a 'path'")
        return self


class ScanCounts(OutputsModel):
    """How many findings of each severity."""

    critical: int = 0
    high: int = 0
    medium: int = 0
    low: int = 0
    unknown: int = 0


class ScanOutputs(OutputsModel):
    """What a scan found."""

    counts: ScanCounts = Field(description="The findings by severity.")
    report: Any = Field(default=None, description="Which report it is: the step, and the name of the SARIF file.")
