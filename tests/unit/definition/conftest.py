"""A small catalogue of step types, so that these tests need none of the real ones."""

from typing import Any, Literal, Self

import pytest
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from prefect_wfexec.definition.catalog import Catalog, StepSpec
from prefect_wfexec.definition.diagnostics import Diagnostic
from prefect_wfexec.definition.durations import Duration
from prefect_wfexec.definition.loader import check_text, load_text
from prefect_wfexec.definition.model import Workflow


class Closed(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ShellWith(Closed):
    shell: str = "sh"
    dir: str | None = None


class ShellOutputs(Closed):
    exit_code: int
    stdout: str


class PlanWith(Closed):
    dir: str
    vars: dict[str, Any] = {}
    lock: bool = True


class Counts(Closed):
    add: int
    change: int


class PlanOutputs(Closed):
    has_changes: bool
    counts: Counts
    plan: dict[str, Any]


class ApplyWith(Closed):
    plan: dict[str, Any]


class GateWith(Closed):
    message: str = ""
    subject: Any = None
    approvers: list[str] = []
    quorum: int = Field(1, ge=1)
    expires: Duration | None = None
    fields: dict[str, Any] = {}
    policy: str | None = None
    notify: list[str] = []
    allow_self: bool = False


class WaitWith(Closed):
    for_: Duration | None = Field(None, alias="for")
    until: str | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.for_ is None) == (self.until is None):
            raise ValueError("give exactly one of 'for' and 'until'")
        return self


class CallWith(Closed):
    url: str
    method: Literal["GET", "POST"] = "GET"
    token: str = ""
    tries: int = 1
    nested: list[GateWith] = []

    @field_validator("token")
    @classmethod
    def _is_short(cls, token: str) -> str:
        if len(token) > 10:
            raise ValueError(f"the token {token} is too long")
        return token


class Nothing(Closed):
    """No outputs."""


SPECS = (
    StepSpec("shell", ShellWith, ShellOutputs, open_outputs=True, accepts_run=True),
    StepSpec("terraform.plan", PlanWith, PlanOutputs, reads_only=True),
    StepSpec("terraform.apply", ApplyWith, PlanOutputs, changes_infrastructure=True),
    StepSpec("approval", GateWith, Nothing, open_outputs=True, is_gate=True),
    StepSpec("wait", WaitWith, Nothing),
    StepSpec("call", CallWith, Nothing),
)


@pytest.fixture(scope="session")
def catalog() -> Catalog:
    return Catalog.of(SPECS)


class Language:
    """Definitions with a head already written."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog

    def check(self, text: str) -> list[Diagnostic]:
        return check_text(f"version: 1\nname: example\n{text}", None, self.catalog)

    def codes(self, text: str) -> list[str]:
        return [found.code for found in self.check(text)]

    def load(self, text: str) -> Workflow:
        return load_text(f"version: 1\nname: example\n{text}", None, self.catalog)


@pytest.fixture(scope="session")
def language(catalog: Catalog) -> Language:
    return Language(catalog)
