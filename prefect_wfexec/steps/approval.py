"""`approval`: a gate that a person's decision opens. The engine handles gates; this is what one may say."""

import math
import re
from typing import Literal, Self

from pydantic import ConfigDict, Field, field_validator, model_validator

from prefect_wfexec.definition.durations import Duration
from prefect_wfexec.definition.model import JSON
from prefect_wfexec.definition.notify import Notify
from prefect_wfexec.errors import EngineError
from prefect_wfexec.steps.base import OutputsModel, StepContext, StepResult, StepType, WithModel
from prefect_wfexec.steps.registry import step_type

RESERVED_FIELDS = frozenset({"decision", "by", "comment", "approver", "code"})
"""Names the form and the outputs use themselves."""
_FIELD_NAME = re.compile(r"[a-z][a-z0-9_]*")


class ApprovalField(WithModel):
    """One more thing the approver fills in."""

    type: Literal["string", "choice", "integer", "number", "boolean"] = Field(
        default="string", description="What it takes."
    )
    title: str = Field(default="", description="Its label; its name when left out.")
    description: str = Field(default="", description="Shown beside the field.")
    enum: list[str | int | float] = Field(default=[], description="The only values it takes; a choice needs some.")
    default: str | int | float | bool | None = Field(default=None, description="What it holds at first.")
    required: bool = Field(default=True, description="Whether an approval without it is refused.")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.type == "choice" and not self.enum:
            raise ValueError("a choice needs an 'enum' to choose from")
        if self.type == "boolean" and self.enum:
            raise ValueError("a boolean takes no 'enum'")
        for value in (*self.enum, *(() if self.default is None else (self.default,))):
            if not self.takes(value):
                raise ValueError(f"{value!r} is no {'text' if self.type in ('string', 'choice') else self.type}")
        if self.default is not None and self.enum and self.default not in self.enum:
            raise ValueError(f"the default {self.default!r} is not among the values of 'enum'")
        return self

    def takes(self, value: object) -> bool:
        """Whether a value is of the field's type."""
        if isinstance(value, bool):
            return self.type == "boolean"
        if self.type == "integer":
            return isinstance(value, int)
        if self.type == "number":
            return isinstance(value, int | float) and math.isfinite(value)
        return isinstance(value, str) and self.type != "boolean"


class ApprovalWith(WithModel):
    """What is to be decided, by whom, and until when."""

    subject: JSON = Field(default=None, description="What the decision covers, e.g. a saved plan; any value.")
    message: str = Field(default="", description="What the approver is asked; markdown.")
    approvers: list[str] = Field(default=[], description="Who may decide; empty: anyone, recorded as unverified.")
    quorum: int = Field(default=1, ge=1, description="How many different people have to approve.")
    expires: Duration | None = Field(default=None, description="How long the gate stays open, e.g. `4h`.")
    on_expire: Literal["reject", "fail", "cancel"] = Field(
        default="reject",
        description="What an expired gate is: a rejection, a failed step that can be retried, or a cancel of the run.",
    )
    allow_self: bool = Field(default=False, description="Whether who started the run may approve it.")
    fields: dict[str, ApprovalField] = Field(default={}, description="More fields of the form, by name.")
    policy: str | None = Field(default=None, description="A saved Approval Policy block that sets the rules.")
    notify: list[Notify] = Field(default=[], description="Who is told that a decision is wanted.")

    @field_validator("notify", mode="before")
    @classmethod
    def _one_or_many(cls, value: object) -> object:
        return [value] if isinstance(value, dict) else value

    @field_validator("approvers")
    @classmethod
    def _distinct(cls, approvers: list[str]) -> list[str]:
        folded = [approver.strip().casefold() for approver in approvers]
        if "" in folded or len(set(folded)) < len(folded):
            raise ValueError("approvers are named once each, and not by an empty name")
        return [approver.strip() for approver in approvers]

    @field_validator("fields")
    @classmethod
    def _names(cls, fields: dict[str, ApprovalField]) -> dict[str, ApprovalField]:
        for name in fields:
            if name in RESERVED_FIELDS or not _FIELD_NAME.fullmatch(name):
                raise ValueError(
                    f"'{name}' can't be a field: names are lower case letters, digits and _, "
                    f"and not one of {', '.join(sorted(RESERVED_FIELDS))}"
                )
        return fields

    @model_validator(mode="after")
    def _reachable_quorum(self) -> Self:
        if self.approvers and self.quorum > len(self.approvers):
            raise ValueError(f"a quorum of {self.quorum} can't be reached by {len(self.approvers)} approvers")
        return self


class ApprovalOutputs(OutputsModel):
    """The decision, and the author's fields beside it."""

    model_config = ConfigDict(extra="allow")

    decision: str = Field(description="`approve` or `reject`.")
    by: str = Field(description="Who decided last.")
    comment: str = Field(default="", description="What they said.")


@step_type("approval", is_gate=True, open_outputs=True)
class Approval(StepType):
    """A gate; it is opened, waited for and closed by the engine."""

    uses_files = False
    Inputs = ApprovalWith
    Outputs = ApprovalOutputs

    async def run(self, context: StepContext) -> StepResult:
        raise EngineError(f"step '{context.step.id}' is a gate and was run as a step; gates are the engine's")
