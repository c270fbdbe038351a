"""A cleanup policy: what cancelling a run takes away, and how."""

from typing import Literal

from prefect.blocks.core import Block
from pydantic import Field, field_validator

from prefect_wfexec.definition.durations import parse_duration


class CleanupPolicy(Block):
    """How what a cancelled run has made is taken away; a definition names it with `cleanup: {policy: NAME}`.

    Attributes:
        on_cancel: What cancelling a run in Prefect's UI does.
        approval: Whether somebody approves before anything is taken away.
        attempts: How often each cleanup is tried.
        delay: How long to wait before it is tried again; doubled each time.

    Examples:
        Save a policy that cleans up whenever a run is cancelled:
        ```python
        from prefect_wfexec.blocks import CleanupPolicy

        CleanupPolicy(on_cancel="cleanup").save("sandboxes", overwrite=True)
        ```
    """

    _block_type_name = "Cleanup Policy (wfexec)"
    _block_type_slug = "cleanup-policy-wfexec"
    _description = "What becomes of what a workflow has made when its run is cancelled."

    on_cancel: Literal["stop", "cleanup"] = Field(
        default="stop", title="On cancel", description="What cancelling a run in Prefect's UI does."
    )
    approval: Literal["automatic", "required"] = Field(
        default="automatic", title="Approval", description="Whether somebody approves before anything is taken away."
    )
    attempts: int = Field(default=3, ge=1, le=20, title="Attempts", description="How often each cleanup is tried.")
    delay: str = Field(
        default="10s", title="Delay", description="How long to wait before it is tried again; doubled each time."
    )

    @field_validator("delay")
    @classmethod
    def _is_duration(cls, value: str) -> str:
        parse_duration(value)
        return value
