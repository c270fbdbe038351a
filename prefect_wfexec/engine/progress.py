"""The step list as text: how far a run is, with icons, durations and result lines."""

from collections.abc import Iterator
from datetime import datetime

from prefect_wfexec.definition.model import Step, Workflow
from prefect_wfexec.journal.facts import utc_now
from prefect_wfexec.journal.state import ExecutionState, StepState
from prefect_wfexec.runtime.ansi import strip_ansi
from prefect_wfexec.status import RunStatus, StepStatus, status_of_all

RULE = "─" * 37


def shown_status(step: Step, state: ExecutionState) -> StepStatus:
    """The status a person sees: Waiting rather than Pending when something the step needs is at work."""
    current = state.step(step.id)
    if current.status is StepStatus.PENDING:
        busy = {StepStatus.RUNNING, StepStatus.WAITING}
        if any(state.step(need).status in busy for need in step.needs):
            return StepStatus.WAITING
    return current.status


def run_status(state: ExecutionState) -> RunStatus:
    """The run's status as its journal tells it."""
    if state.closed is not None:
        return state.closed.status
    if state.cancel is not None:
        return RunStatus.TERMINATING
    if not state.engines or (state.lacks_lock and state.lock is not None):
        return RunStatus.PENDING
    if not state.open_gates:
        return RunStatus.RUNNING
    only_triggers = all(gate.only_triggers for gate in state.open_gates)
    return RunStatus.DEPLOYMENT_PENDING if only_triggers else RunStatus.APPROVAL_PENDING


def lock_words(state: ExecutionState) -> str:
    """What is to be said of the run's lock: for whom the run waits, or why it has the lock no more; mostly nothing."""
    lock = state.lock
    if lock is None or state.closed is not None or lock.status == "held":
        return ""
    if lock.status == "lost":
        return f"lost lock '{lock.key}': {' '.join(strip_ansi(lock.reason).split())}"
    since = f" since {lock.since.isoformat(timespec='seconds')}".replace("+00:00", "Z") if lock.since else ""
    held = f"held by {lock.holder}{since}" if lock.holder else "which is free and not for this run yet"
    others = lock.ahead - 1 if lock.holder else 0
    more = f"; {others} more come{'s' if others == 1 else ''} first" if others > 0 else ""
    return f"waits for lock '{lock.key}', {held}{more}"


def duration_text(seconds: float | None) -> str:
    """A duration as in the step list: `12s`, `4m 32s`, `1h 5m`."""
    if seconds is None:
        return ""
    whole = max(0, round(seconds))
    hours, minutes, rest = whole // 3600, whole % 3600 // 60, whole % 60
    if hours:
        return f"{hours}h {minutes}m"
    return f"{minutes}m {rest}s" if minutes else f"{rest}s"


def step_seconds(step: StepState, now: datetime) -> float | None:
    """How long a step has worked, all attempts together; None before it started."""
    if step.started is None:
        return None
    running = (now - step.started).total_seconds() if step.ended is None and step.retry_at is None else 0.0
    return step.active_seconds + max(0.0, running)


def progress_lines(workflow: Workflow, state: ExecutionState, now: datetime | None = None) -> Iterator[str]:
    """The numbered step list, result lines below; the phases of a pipeline stand above their steps."""
    now = now or utc_now()
    width = max((len(step.name) for step in workflow.steps), default=0)
    digits = len(str(len(workflow.steps)))
    phase = None
    for place, step in enumerate(workflow.steps, 1):
        if step.phase != phase:
            phase = step.phase
            yield _phase_line(str(phase), workflow, state)
        current, status = state.step(step.id), shown_status(step, state)
        words = _words(current, status, now)
        yield f"{place:>{digits}}. {step.name:<{width}} {status.icon} {words}".rstrip()
        note = result_line(current, status)
        if note:
            yield f"{' ' * digits}  └─ {note}"


def _phase_line(phase: str, workflow: Workflow, state: ExecutionState) -> str:
    return f"{phase_title(phase)} {phase_status(phase, workflow, state).icon}"


def phase_title(phase: str) -> str:
    """A phase as lists name it: `Pre-Build`."""
    return phase.replace("_", "-").title()


def phase_status(phase: str, workflow: Workflow, state: ExecutionState) -> StepStatus:
    """What a phase is doing, or how it ended."""
    return status_of_all([state.step(step.id).status for step in workflow.steps if step.phase == phase])


def _words(step: StepState, status: StepStatus, now: datetime) -> str:
    if status in {StepStatus.SKIPPED, StepStatus.CANCELLED, StepStatus.PENDING, StepStatus.WAITING}:
        worked = step_seconds(step, now) if status is StepStatus.CANCELLED else None
        return " ".join(part for part in (status.value, duration_text(worked)) if part)
    seconds = duration_text(step_seconds(step, now))
    if status is StepStatus.SUCCESS:
        has_failed = any(one.status is StepStatus.FAILED for one in step.attempts)
        return f"{seconds} ← Retry succeeded" if has_failed else seconds
    retried = f" (attempt {step.attempt})" if step.attempt > 1 else ""
    failed = " ← FAILED" if status is StepStatus.FAILED else ""
    return f"{seconds}{retried}{failed}"


def result_line(step: StepState, status: StepStatus) -> str:
    """The one line below a step: what it did, why it was skipped, what it waits for. No control characters."""
    return " ".join(strip_ansi(_result(step, status)).split())


def _result(step: StepState, status: StepStatus) -> str:
    if status is StepStatus.FAILED and step.fault is not None:
        first = next((line for line in step.fault.message.splitlines() if line.strip()), step.fault.type)
        return first.rstrip().rstrip(":")
    if status is StepStatus.WAITING and step.retry_at is not None:
        return f"attempt {step.attempt} failed, next at {step.retry_at.isoformat(timespec='seconds')}"
    return step.summary or step.reason
