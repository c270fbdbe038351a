"""The words for what a step or a run is doing, and how Prefect's own words map onto them."""

from collections.abc import Sequence
from enum import StrEnum


class StepStatus(StrEnum):
    """What one step of a run is doing."""

    PENDING = "Pending"
    WAITING = "Waiting"
    RUNNING = "Running"
    SUCCESS = "Success"
    FAILED = "Failed"
    SKIPPED = "Skipped"
    CANCELLED = "Cancelled"

    @property
    def is_final(self) -> bool:
        return self in _FINAL_STEP

    @property
    def icon(self) -> str:
        return _STEP_ICON[self]

    @property
    def color(self) -> str:
        """A colour name that both rich and CSS know."""
        return _STEP_COLOR[self]


_FINAL_STEP = frozenset({StepStatus.SUCCESS, StepStatus.FAILED, StepStatus.SKIPPED, StepStatus.CANCELLED})
_STEP_ICON = {
    StepStatus.PENDING: "○",
    StepStatus.WAITING: "⏳",
    StepStatus.RUNNING: "▶",
    StepStatus.SUCCESS: "✓",
    StepStatus.FAILED: "✗",
    StepStatus.SKIPPED: "⊘",
    StepStatus.CANCELLED: "⊗",
}
_STEP_COLOR = {
    StepStatus.PENDING: "grey50",
    StepStatus.WAITING: "yellow",
    StepStatus.RUNNING: "blue",
    StepStatus.SUCCESS: "green",
    StepStatus.FAILED: "red",
    StepStatus.SKIPPED: "grey50",
    StepStatus.CANCELLED: "grey50",
}


def status_of_all(statuses: Sequence[StepStatus]) -> StepStatus:
    """The one word for several steps: what they do, and once all have ended the worst of how they did.

    Some that were skipped among others that succeeded do not matter.
    """
    if any(not status.is_final for status in statuses):
        if all(status is StepStatus.PENDING for status in statuses):
            return StepStatus.PENDING
        is_waiting = StepStatus.WAITING in statuses and StepStatus.RUNNING not in statuses
        return StepStatus.WAITING if is_waiting else StepStatus.RUNNING
    for worst in (StepStatus.FAILED, StepStatus.CANCELLED, StepStatus.SUCCESS):
        if worst in statuses:
            return worst
    return StepStatus.SKIPPED


class RunStatus(StrEnum):
    """What a run is doing, or how it ended."""

    PENDING = "Pending"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    ERROR = "Error"
    DEPLOYMENT_PENDING = "Deployment Pending"
    APPROVAL_PENDING = "Approval Pending"
    APPROVAL_REJECTED = "Approval Rejected"
    TERMINATING = "Terminating"
    TERMINATED = "Terminated"
    TERMINATION_FAILED = "Termination Failed"

    @property
    def is_final(self) -> bool:
        return self in _FINAL_RUN

    @property
    def icon(self) -> str:
        """The mark behind the status word in a summary, empty while the run goes on."""
        if self is RunStatus.SUCCEEDED:
            return "✓"
        if self in {RunStatus.TERMINATED, RunStatus.TERMINATION_FAILED}:
            return "⊗"
        return "✗" if self.is_final else ""


_FINAL_RUN = frozenset(
    {
        RunStatus.SUCCEEDED,
        RunStatus.FAILED,
        RunStatus.ERROR,
        RunStatus.APPROVAL_REJECTED,
        RunStatus.TERMINATED,
        RunStatus.TERMINATION_FAILED,
    }
)

_FROM_PREFECT = {
    "scheduled": RunStatus.PENDING,
    "late": RunStatus.PENDING,
    "awaitingretry": RunStatus.PENDING,
    "awaitingconcurrencyslot": RunStatus.PENDING,
    "resuming": RunStatus.RUNNING,
    "retrying": RunStatus.RUNNING,
    "cancelling": RunStatus.TERMINATING,
    "completed": RunStatus.SUCCEEDED,
    "success": RunStatus.SUCCEEDED,
    "crashed": RunStatus.ERROR,
    "cancelled": RunStatus.TERMINATED,
    "timedout": RunStatus.FAILED,
    "paused": RunStatus.APPROVAL_PENDING,
    "suspended": RunStatus.APPROVAL_PENDING,
}
_BY_NAME = {status.value.lower(): status for status in RunStatus}
_BY_TYPE = {
    "SCHEDULED": RunStatus.PENDING,
    "PENDING": RunStatus.PENDING,
    "RUNNING": RunStatus.RUNNING,
    "PAUSED": RunStatus.APPROVAL_PENDING,
    "COMPLETED": RunStatus.SUCCEEDED,
    "FAILED": RunStatus.FAILED,
    "CRASHED": RunStatus.ERROR,
    "CANCELLING": RunStatus.TERMINATING,
    "CANCELLED": RunStatus.TERMINATED,
}


def run_status_named(word: str) -> RunStatus | None:
    """The status a person means by `word`: ours, Prefect's or a synonym, case ignored; None when unknown."""
    folded = " ".join(word.lower().split())
    return _BY_NAME.get(folded) or _FROM_PREFECT.get(folded)


def run_status_of_state(state_type: str, state_name: str | None) -> RunStatus:
    """The status shown for a Prefect flow-run state.

    Args:
        state_type: The state's type, e.g. `"COMPLETED"`.
        state_name: Its name, ours or Prefect's; unknown names fall back to the type.
    """
    return (state_name and run_status_named(state_name)) or _BY_TYPE.get(state_type, RunStatus.PENDING)


def state_names_of(status: RunStatus) -> frozenset[str]:
    """The names a Prefect state may have that is shown as `status`: ours and Prefect's own."""
    prefect = {_PREFECT_SPELLING.get(name, name.capitalize()) for name in _FROM_PREFECT}
    return frozenset({status.value} | {name for name in prefect if run_status_named(name) is status})


_PREFECT_SPELLING = {
    "awaitingretry": "AwaitingRetry",
    "awaitingconcurrencyslot": "AwaitingConcurrencySlot",
    "timedout": "TimedOut",
}


class TriggerKind(StrEnum):
    """Who or what started a run, as the history's Triggered By column shows it."""

    MANUAL = "Manual"
    SCHEDULE = "Schedule"
    WEBHOOK = "Webhook"
    GIT = "Git"
    INCIDENT = "Incident"
    WORKFLOW = "Workflow"
