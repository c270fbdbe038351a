"""The one shape of errors."""

from pydantic import Field

from prefect_wfexec.gateway.api.shapes.parts import Shape


class Diagnostic(Shape):
    """One fault, with its place."""

    file: str | None
    line: int | None
    column: int | None
    severity: str
    code: str
    message: str
    hint: str | None


class Error(Shape):
    """What is wrong, and what to do."""

    code: str = Field(description="A short name of the fault, stable across versions.")
    message: str
    hint: str | None
    diagnostics: list[Diagnostic]


class Failed(Shape):
    """A request that was not served."""

    error: Error
