"""What requests say."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from prefect_wfexec.gateway.api.shapes.parts import Asked, Json, Name, ShortText, Text


class Start(Asked):
    """Start a run of a deployment."""

    deployment: Name = Field(description="FLOW/NAME, or NAME alone when one deployment only has it.")
    inputs: dict[str, Json] = Field(default={}, description="The workflow's inputs, by name.")


class Decide(Asked):
    """Decide on an open gate."""

    decision: Literal["approve", "reject", "skip"]
    step: Name | None = Field(default=None, description="The gate's step, when more than one is open.")
    comment: Text = ""
    fields: dict[str, Json] = Field(default={}, description="The gate's own fields, by name.")
    generation: int | None = Field(default=None, description="The gate that was seen: refused when it is another now.")
    subject_digest: Name | None = Field(default=None, description="What it asked about: refused when it is other now.")
    code: Annotated[str, StringConstraints(max_length=100)] | None = Field(
        default=None, description="A personal code, where the sign-in does not prove who decides."
    )


class Retry(Asked):
    """Take a run up again that has ended."""

    step: Name | None = Field(default=None, description="Only this step, of those that failed.")
    from_step: Name | None = Field(default=None, description="This step and all behind it, whatever they did.")
    inputs: dict[str, Json] = Field(default={}, description="The inputs that are to be others.")
    latest: bool = Field(default=False, description="Go on with the definition as it is now.")
    reason: ShortText = ""
    dry_run: bool = Field(default=False, description="Tell what would run again, and change nothing.")


class Skip(Asked):
    """Go on without a step that failed."""

    step: Name
    reason: Annotated[str, StringConstraints(min_length=1, max_length=1000)]
    dry_run: bool = Field(default=False, description="Tell what would run again, and change nothing.")


class Cancel(Asked):
    """Stop a run."""

    cleanup: bool = Field(default=False, description="Then take away what its steps have made.")
    reason: ShortText = ""
