"""Executions, as `history` and `show` give them."""

from typing import Literal

from prefect_wfexec.gateway.api.shapes.parts import Json, Seconds, Shape, Time
from prefect_wfexec.status import RunStatus, StepStatus


class HistoryRow(Shape):
    """An execution in a list."""

    id: str
    name: str
    workflow: str
    status: RunStatus
    triggered_by: str
    user: str | None
    triggered_at: Time | None
    started: Time | None
    duration_seconds: Seconds | None
    reports: int
    trigger: str
    approval_seconds: Seconds | None


class Trigger(Shape):
    """What started an execution."""

    type: str
    id: str | None
    text: str


class StepFault(Shape):
    """Why a step failed."""

    type: str
    message: str
    exit_code: int | None
    tail: str


class Step(Shape):
    """A step of an execution."""

    id: str
    name: str
    uses: str
    phase: str | None
    status: StepStatus
    attempt: int
    started: Time | None
    ended: Time | None
    duration_seconds: Seconds | None
    summary: str
    reason: str
    error: StepFault | None
    outputs: dict[str, Json]
    needs: list[str]


class GateDecision(Shape):
    """A decision on a gate that counts."""

    decision: str
    by: str
    verified_by: str | None
    comment: str
    at: Time


class Notice(Shape):
    """A message about a gate."""

    notice: str
    at: Time
    error: str | None


class Gate(Shape):
    """A step that waits, or waited, for a decision."""

    step: str
    generation: int
    status: str
    subject_digest: str
    quorum: int
    approvers: list[str]
    expires: Time | None
    covered_by: int | None
    news: list[str]
    decisions: list[GateDecision]
    notices: list[Notice]


class Report(Shape):
    """A report of a step."""

    step: str
    name: str
    kind: str
    size: int


class Cleanup(Shape):
    """The run that takes away what this one has made."""

    run: str
    status: RunStatus | None
    reason: str
    left: list[str]


class Action(Shape):
    """What can be done now, as the command that does it."""

    action: str
    command: str
    step: str | None


class Execution(Shape):
    """An execution."""

    id: str
    name: str
    workflow: str
    definition_digest: str | None
    status: RunStatus
    triggered_by: str
    user: str | None
    trigger: Trigger
    triggered_at: Time | None
    started: Time | None
    ended: Time | None
    duration_seconds: Seconds | None
    elapsed_seconds: Seconds | None
    inputs: dict[str, Json]
    outputs: dict[str, Json]
    reports: list[Report]
    steps: list[Step]
    gates: list[Gate]
    reason: str
    cleanup: Cleanup | None
    actions: list[Action]


class CancelledExecution(Execution):
    """An execution that was asked to stop."""

    outcome: Literal["requested", "ended"]


class RunError(Shape):
    """An error of a run that is no failure of a step."""

    what: str
    said: str
    advice: str
    at_work: list[str]


class FailureCard(Shape):
    """A step that failed, with what there is to know of it."""

    step: str
    name: str
    status: StepStatus
    is_error: bool
    attempt: int
    attempts: int
    seconds: Seconds | None
    exit_code: int | None
    kind: str
    message: list[str]
    more_lines: int
    done: str
    tail: list[str]
    advice: list[str]


class Failure(Shape):
    """What went wrong in an execution, and what can be done about it."""

    error: RunError | None
    cards: list[FailureCard]
    actions: list[Action]


class Actor(Shape):
    """Who did it, and how the name was shown."""

    name: str
    verified_by: str | None


class Fact(Shape):
    """One thing that happened."""

    id: str
    time: Time
    kind: str
    actor: Actor
    data: dict[str, Json]


class Entry(Shape):
    """One numbered entry of a journal."""

    number: int
    id: str
    digest: str
    prev: str
    keyed: bool
    facts: list[Fact]


class Audit(Shape):
    """A journal, and what checking it says."""

    entries: list[Entry]
    verified: bool
    keyed: bool
    head: str
    faults: list[str]


class LogLine(Shape):
    """A line of a log."""

    time: Time
    step: str
    attempt: int
    stream: str
    level: str
    message: str


class LogPage(Shape):
    """Some lines of a log."""

    lines: list[LogLine]
    cursor: str
    complete: bool


class ResetStep(Shape):
    """A step that would run again."""

    step: str
    status: StepStatus
    reason: str


class ResetPlan(Shape):
    """What would run again."""

    run: str
    kind: str
    reset: list[ResetStep]
    replan: bool
    asks: list[str]
