"""Who may approve, and how: rules that stand outside of definitions."""

from typing import Literal

from prefect.blocks.core import Block
from pydantic import Field, field_validator, model_validator

from prefect_wfexec.definition.durations import parse_duration
from prefect_wfexec.definition.notify import Notify
from prefect_wfexec.errors import UsageError


class ApprovalPolicy(Block):
    """The rules of a gate, named by an approval step with `policy:`, or by a target environment for all its gates.

    Where several rules apply the stricter wins: a definition can't loosen what stands here.

    Attributes:
        approvers: Who may decide.
        quorum: How many different people have to approve.
        allow_self: Whether who started the run may approve it.
        expires: How long a gate stays open.
        on_expire: What a gate that expired does to its run.
        hold: How long a deployed run that only waits keeps its process.
        notify: Who is told that a decision is wanted.
        reuse: Whether an approval covers a later plan that changes nothing else.

    Examples:
        Save the policy `production`:
        ```python
        from prefect_wfexec.blocks import ApprovalPolicy

        policy = ApprovalPolicy(
            approvers=["jane@example.com", "joe@example.com", "ann@example.com"],
            quorum=2,
            expires="4h",
            notify=[{"mail": ["ops@example.com"]}],
        )
        policy.save("production", overwrite=True)
        ```
    """

    _block_type_name = "Approval Policy (wfexec)"
    _block_type_slug = "approval-policy-wfexec"
    _description = "Who may approve, how many of them it takes, until when, and how they are told."

    approvers: list[str] = Field(
        default=[],
        title="Approvers",
        description="Who may decide, best by mail address: personal codes are sent there.",
    )
    quorum: int = Field(
        default=1, ge=1, title="Quorum", description="How many different people have to approve; one rejection ends it."
    )
    allow_self: bool = Field(
        default=False, title="Allow self-approval", description="Whether who started the run may approve it."
    )
    expires: str = Field(
        default="",
        title="Expires after",
        description="How long a gate stays open, e.g. 4h or 2d; without it, until somebody decides.",
    )
    on_expire: Literal["reject", "cancel"] = Field(
        default="reject",
        title="When it expires",
        description="Whether the run then fails as rejected, or is cancelled.",
    )
    hold: str = Field(
        default="",
        title="Hold",
        description="How long a deployed run that only waits keeps its process, e.g. 30s; then it is suspended.",
    )
    notify: list[Notify] = Field(
        default=[], title="Notify", description="Who is told that a decision is wanted: Slack channels, mail addresses."
    )
    reuse: Literal["covered", "never"] = Field(
        default="covered",
        title="Reuse of an approval",
        description="`covered`: a retry is asked again only when its plan changes more than was approved. "
        "`never`: always.",
    )

    @field_validator("approvers")
    @classmethod
    def _named_once(cls, approvers: list[str]) -> list[str]:
        folded = [approver.strip().casefold() for approver in approvers]
        if "" in folded or len(set(folded)) < len(folded):
            raise ValueError("approvers are named once each, and not by an empty name")
        return [approver.strip() for approver in approvers]

    @field_validator("expires", "hold", mode="before")
    @classmethod
    def _is_duration(cls, value: object) -> str:
        # Text in any case: of a field that may be null Prefect's page makes two.
        if value is None or not str(value).strip():
            return ""
        try:
            parse_duration(value)
        except UsageError as error:
            raise ValueError(f"{error.message}: {error.hint}") from None
        return str(value).strip()

    @model_validator(mode="after")
    def _reachable_quorum(self) -> "ApprovalPolicy":
        if self.approvers and self.quorum > len(self.approvers):
            raise ValueError(f"a quorum of {self.quorum} can't be reached by {len(self.approvers)} approvers")
        return self
