"""What there is to know of the steps of a run that failed, and what can be done about them: a pure function of both."""

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from prefect_wfexec.definition.model import JSON, Step, Workflow
from prefect_wfexec.engine.outcome import OUTCOME_UNKNOWN, PLATFORM_FAULTS
from prefect_wfexec.engine.outline import Outline
from prefect_wfexec.engine.progress import step_seconds
from prefect_wfexec.engine.reset import CannotReset, Wanted, reset_set
from prefect_wfexec.journal.state import ExecutionState, Gate, StepFault, StepState
from prefect_wfexec.runtime.ansi import strip_ansi
from prefect_wfexec.status import RunStatus, StepStatus
from prefect_wfexec.steps.registry import find_step_type
from prefect_wfexec.steps.terraform.summaries import NO_CHANGES

LONGEST_MESSAGE_LINES = 30
LONGEST_TAIL_LINES = 12
LONGEST_LINE = 500
MOST_STEPS = 10
"""How many of the steps that failed are shown, and told what can be done about."""
NO_CLUE = StepFault("failed", "the step failed and said no reason")
_CHANGES = frozenset({"terraform.apply", "terraform.destroy"})


@dataclass(frozen=True, slots=True)
class Action:
    """Something that can be done now.

    Attributes:
        action: Its name in JSON: `errors`, `logs`, `retry`, `retry_from`, `skip`, `abort`, `cancel`, `cleanup` or
            `run_again`.
        words: What it is called.
        command: The command, to be pasted.
        step: The step it is about; empty when it is about the run.
    """

    action: str
    words: str
    command: str
    step: str = ""

    def as_json(self) -> dict[str, JSON]:
        return {"action": self.action, "command": self.command, "step": self.step or None}


@dataclass(frozen=True, slots=True)
class FailureCard:
    """One step that failed.

    Attributes:
        step: Its id.
        name: Its display name.
        status: Failed, or Waiting as long as it is asked what becomes of it.
        is_error: Whether it was no failure of the step's own but a fault of ours, of Prefect or of the machine.
        attempt: Its latest attempt.
        attempts: How many it could have at most.
        seconds: How long it worked.
        exit_code: Its command's exit code, when there was one.
        kind: The type of its error.
        message: The error, at most `LONGEST_MESSAGE_LINES` lines of it.
        more_lines: How many lines of the error are left out.
        done: What a change of infrastructure had done until then, in words.
        tail: The last lines of its output, where the error does not tell enough.
        advice: What to know before anything is done.
    """

    step: str
    name: str
    status: StepStatus
    is_error: bool
    attempt: int
    attempts: int
    seconds: float | None
    exit_code: int | None
    kind: str
    message: tuple[str, ...]
    more_lines: int = 0
    done: str = ""
    tail: tuple[str, ...] = ()
    advice: tuple[str, ...] = ()


def failure_cards(workflow: Workflow, state: ExecutionState, now: datetime) -> list[FailureCard]:
    """A card for each step that has failed or is asked about, in the order of the definition."""
    failed = (step for step in workflow.steps if _is_failed(state.step(step.id)))
    return [_card(step, state, now) for step in failed]


def _card(step: Step, state: ExecutionState, now: datetime) -> FailureCard:
    current = state.step(step.id)
    fault = current.fault or NO_CLUE
    message, tail = _lines(fault.message or fault.type), _lines(fault.tail)
    if _is_diagnosed(step, fault, message):
        tail = []
    else:
        message, tail = _without_repetition(message, tail)
    return FailureCard(
        step=step.id,
        name=strip_ansi(step.name),
        status=current.status,
        is_error=fault.type in PLATFORM_FAULTS,
        attempt=current.attempt,
        attempts=max(current.attempt, current.attempts_before + step.retry.attempts),
        seconds=current.active_seconds if current.asks else step_seconds(current, now),
        exit_code=fault.exit_code,
        kind=fault.type,
        message=tuple(message[:LONGEST_MESSAGE_LINES]),
        more_lines=max(0, len(message) - LONGEST_MESSAGE_LINES),
        done=_done(step, current),
        tail=tuple(tail[-LONGEST_TAIL_LINES:]),
        advice=tuple(look_first(step, state)) if fault.type == OUTCOME_UNKNOWN else (),
    )


def _is_diagnosed(step: Step, fault: StepFault, message: list[str]) -> bool:
    """Whether terraform's diagnostics stand in the error: they say all that its output says."""
    before = 3 if fault.type == "timeout" else 1
    return step.uses.startswith("terraform.") and fault.type not in PLATFORM_FAULTS and len(message) > before


def _done(step: Step, current: StepState) -> str:
    summary = current.outputs.get("summary") if step.uses in _CHANGES else None
    if not isinstance(summary, str):
        return ""
    return "nothing" if summary == NO_CHANGES else strip_ansi(summary)


def _lines(text: str) -> list[str]:
    lines = strip_ansi(text).strip("\n").splitlines()
    return [line if len(line) <= LONGEST_LINE else f"{line[: LONGEST_LINE - 1]}…" for line in lines]


def _without_repetition(message: list[str], tail: list[str]) -> tuple[list[str], list[str]]:
    """A script's error repeats its last lines of output: they are shown once."""
    repeated = [line.strip() for line in message[1:] if line.strip()]
    said = [line.strip() for line in tail if line.strip()]
    if repeated and said[-len(repeated) :] == repeated and len(said) > len(repeated):
        return [message[0].rstrip(":")], tail
    is_told = {line.strip() for line in message}.issuperset(said)
    return message, [] if is_told else tail


def look_first(step: Step, state: ExecutionState) -> Iterator[str]:
    """What to know of a step of which nobody knows how it went, before it runs again, where it still may."""
    if step.uses not in _CHANGES:
        yield "look at what the step has changed before it runs again"
        return
    yield "look first: compare the state with what exists, and look for a state lock"
    if state.cleanup is not None:
        return
    if step.uses == "terraform.apply":
        yield "a retry plans anew and asks about what is new; the old plan is never applied again"
    else:
        yield "a retry destroys what is still in the state then"


def actions_for(workflow: Workflow, state: ExecutionState, run: str, *, is_over: bool) -> list[Action]:
    """What can be done about the failures of a run, as it is now.

    Args:
        workflow: Its definition.
        state: What its journal says.
        run: Its name.
        is_over: Whether it has ended, or nothing goes on with it.
    """
    outline = Outline(workflow)
    failed = [step.id for step in workflow.steps if _is_failed(state.step(step.id))][:MOST_STEPS]
    ran = [step_id for step_id in failed if not find_step_type(outline.steps[step_id].uses).spec.is_gate]
    found = [action for step_id in ran for action in _logs(run, step_id)]
    for step_id in failed:
        gate = state.open_gate(step_id)
        if gate is not None and not is_over:
            found += _at_gate(gate, run)
    found += _after_the_end(outline, state, run, failed) if is_over else ()
    is_ended_well = state.closed is not None and state.closed.status is RunStatus.SUCCEEDED
    if (failed or is_over) and not is_ended_well and state.cleanup is None:
        found += _stopping(workflow, state, run)
    return found


def _is_failed(current: StepState) -> bool:
    return current.status is StepStatus.FAILED or current.asks


def _logs(run: str, step_id: str) -> Iterator[Action]:
    command = logs_command(run, step_id)
    yield Action("errors", "View Errors", f"{command} --stream errors", step_id)
    yield Action("logs", "View Full Log", command, step_id)


def logs_command(run: str, step_id: str) -> str:
    """The command that prints the whole log of a step."""
    return f"wfexec logs {run} --step {shlex.quote(step_id)}"


def _at_gate(gate: Gate, run: str) -> Iterator[Action]:
    step, code = shlex.quote(gate.step), " --code …" if gate.is_governed else ""
    if "retry" in gate.choices:
        yield Action("retry", "Retry Step", f"wfexec approve {run} --step {step}{code}", gate.step)
    if "skip" in gate.choices:
        yield Action("skip", "Skip Step", f'wfexec skip {run} --step {step} --reason "…"{code}', gate.step)
    if "abort" in gate.choices:
        yield Action("abort", "Abort", f"wfexec reject {run} --step {step}{code}", gate.step)


def _after_the_end(outline: Outline, state: ExecutionState, run: str, failed: list[str]) -> Iterator[Action]:
    if state.cleanup is not None:
        return
    is_invalid = state.validation is not None and bool(state.validation.problem)
    # One that is not closed has lost its process, and goes on with another.
    if is_invalid or state.closed is None or _can(outline, state, Wanted("retry")):
        yield Action("retry", "Retry Step", f"wfexec retry {run}")
    for step_id in failed:
        step = shlex.quote(step_id)
        if _can(outline, state, Wanted("retry_from", step_id)):
            yield Action("retry_from", "Retry From Here", f"wfexec retry {run} --from {step}", step_id)
        if _can(outline, state, Wanted("skip", step_id)):
            yield Action("skip", "Skip Step", f'wfexec skip {run} --step {step} --reason "…"', step_id)


def _can(outline: Outline, state: ExecutionState, wanted: Wanted) -> bool:
    try:
        return bool(reset_set(outline, state, wanted))
    except CannotReset:
        return False


def _stopping(workflow: Workflow, state: ExecutionState, run: str) -> Iterator[Action]:
    """A run that has been closed can only be cleaned up after; one whose process is gone can be cancelled too."""
    asked = state.cancel.data if state.cancel is not None else None
    if asked is None and state.closed is None:
        yield Action("cancel", "Cancel", f"wfexec cancel {run}")
    if not (asked or {}).get("cleanup") and any(_leaves_something(step, state) for step in workflow.steps):
        yield Action("cleanup", "Cancel with Cleanup", f"wfexec cancel {run} --cleanup")


def _leaves_something(step: Step, state: ExecutionState) -> bool:
    return step.cleanup is not None and state.step(step.id).first_started is not None
