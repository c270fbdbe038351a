"""A target environment: what a workflow deploys to, and what is different there."""

from typing import Any, Literal

from prefect.blocks.core import Block
from pydantic import Field, model_validator

from prefect_wfexec.blocks.approval import ApprovalPolicy


class TargetEnvironment(Block):
    """An environment that a definition names with `environment:`; its document's name is the environment's.

    Attributes:
        active: Whether runs may deploy there; those that would end before their first step.
        deployment: Whether a deploy step goes on by itself there, or waits until somebody says so.
        approvers: Who may say so, where no policy does.
        protected: Whether nothing is applied, destroyed or deployed there without an approval by named people.
        policy: Who may approve there, and how; a definition can't loosen it.
        lock_key: What only one run at a time may hold there.
        variables: What expressions read as `environment.variables.<name>`; no secrets, they are shown.

    Examples:
        Save the environment `production`:
        ```python
        from prefect_wfexec.blocks import TargetEnvironment

        variables = {"api_endpoint": "https://api.example.com"}
        TargetEnvironment(variables=variables).save("production", overwrite=True)
        ```
    """

    _block_type_name = "Target Environment (wfexec)"
    _block_type_slug = "target-environment-wfexec"
    _description = "What a workflow deploys to: whether it is open for deployments, and what differs there."

    active: bool = Field(
        default=True,
        title="Active",
        description="Whether runs may deploy here. A run for an inactive environment ends before its first step.",
    )
    deployment: Literal["automatic", "manual"] = Field(
        default="automatic",
        title="Deployment",
        description="Of a step with `environments`: `automatic` deploys at once; `manual` waits until somebody "
        "approves, one of the approvers or of the policy where there are some.",
    )
    approvers: list[str] = Field(
        default=[],
        title="Approvers",
        description="Who may approve here, best by mail address. For more rules than names take a policy instead.",
    )
    protected: bool = Field(
        default=False,
        title="Protected",
        description="Whether nothing is applied, destroyed or deployed here without an approval by named people.",
    )
    policy: ApprovalPolicy | str | None = Field(
        default=None,
        title="Approval policy",
        description="Who may approve here, and how: a saved Approval Policy, or its name. Definitions can't loosen it.",
    )
    lock_key: str = Field(
        default="", title="Lock key", description="What only one run at a time may hold here, e.g. `tf/network`."
    )
    variables: dict[str, Any] = Field(
        default_factory=dict,
        title="Variables",
        description="What differs here, for expressions: `environment.variables.name`. No secrets.",
    )

    @model_validator(mode="after")
    def _one_source_of_rules(self) -> "TargetEnvironment":
        if self.approvers and self.policy:
            raise ValueError("approvers stand here or in the policy, not in both")
        return self
