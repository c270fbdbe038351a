"""How a status looks: an icon and a word beside the colour, which is never the only sign."""

from prefect_wfexec.status import RunStatus, StepStatus

_RUN = {
    RunStatus.PENDING: ("○", "idle"),
    RunStatus.RUNNING: ("▶", "going"),
    RunStatus.SUCCEEDED: ("✓", "good"),
    RunStatus.FAILED: ("✗", "bad"),
    RunStatus.ERROR: ("✗", "bad"),
    RunStatus.DEPLOYMENT_PENDING: ("⏳", "waits"),
    RunStatus.APPROVAL_PENDING: ("⏳", "waits"),
    RunStatus.APPROVAL_REJECTED: ("✗", "bad"),
    RunStatus.TERMINATING: ("⊗", "going"),
    RunStatus.TERMINATED: ("⊗", "idle"),
    RunStatus.TERMINATION_FAILED: ("⊗", "bad"),
}
_STEP = {
    StepStatus.PENDING: "idle",
    StepStatus.WAITING: "waits",
    StepStatus.RUNNING: "going",
    StepStatus.SUCCESS: "good",
    StepStatus.FAILED: "bad",
    StepStatus.SKIPPED: "idle",
    StepStatus.CANCELLED: "idle",
}


def run_icon(status: str) -> str:
    """The icon of a run's status."""
    return _RUN[RunStatus(status)][0]


def run_look(status: str) -> str:
    """The class of style of a run's status."""
    return _RUN[RunStatus(status)][1]


def step_look(status: str) -> str:
    """The class of style of a step's status."""
    return _STEP[StepStatus(status)]
