"""What waits for a decision, locks, workflows, and who asks."""

from typing import Literal

from pydantic import Field

from prefect_wfexec.gateway.api.shapes.parts import Json, Shape, Time
from prefect_wfexec.gateway.signin.identity import Role


class Approval(Shape):
    """An open gate."""

    run: str
    workflow: str
    step: str
    message: str
    subject_digest: str
    opened: Time
    expires: Time | None
    needs: int
    waits_for: list[str]
    decided_by: str


class Decided(Shape):
    """What came of a decision."""

    run: str
    step: str
    generation: int
    decision: Literal["approve", "reject", "skip"]
    by: str
    verified_by: str | None
    subject_digest: str
    outcome: str = Field(description="The gate's outcome, `counted`, or `requested` when no engine has answered yet.")


class Lock(Shape):
    """A lock that a run holds or waits for."""

    key: str
    holder: str | None
    since: Time | None
    number: int | None
    queue: list[str]


class WorkflowInput(Shape):
    """A declared input."""

    name: str
    type: str
    description: str
    required: bool
    default: Json
    enum: list[Json]
    pattern: str | None


class WorkflowTrigger(Shape):
    """A declared trigger."""

    id: str
    type: str


class Workflow(Shape):
    """A deployed workflow."""

    workflow: str
    deployment: str
    description: str
    active: bool = Field(description="Whether schedules and triggers start it.")
    definition: str
    definition_digest: str
    inputs: list[WorkflowInput]
    triggers: list[WorkflowTrigger]
    problem: str | None = Field(description="Why this version can't compile the definition, if so.")


class Me(Shape):
    """Who is signed in."""

    name: str
    roles: list[Role]
    verified_by: str | None
    csrf_token: str | None = Field(description="What a page sends along as `x-csrf-token`; null where none is needed.")
