"""A target environment: what a workflow deploys to, and what is different there."""

from typing import Any

from prefect.blocks.core import Block
from pydantic import Field


class TargetEnvironment(Block):
    """An environment that a definition names with `environment:`; its document's name is the environment's.

    Attributes:
        active: Whether runs may deploy there; those that would end before their first step.
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
    variables: dict[str, Any] = Field(
        default_factory=dict,
        title="Variables",
        description="What differs here, for expressions: environment.variables.<name>. No secrets.",
    )
