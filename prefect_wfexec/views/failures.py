"""What went wrong in a run, and what to do about it: the steps' own failures apart from errors of the run. Pure."""

import json
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from prefect_wfexec.engine.failures import Action, FailureCard, actions_for, failure_cards, look_first
from prefect_wfexec.engine.outcome import BLOB_GONE, OUTCOME_UNKNOWN, PLATFORM_FAULTS
from prefect_wfexec.runtime.ansi import strip_ansi
from prefect_wfexec.status import RunStatus, StepStatus
from prefect_wfexec.views.execution import Execution


@dataclass(frozen=True, slots=True)
class RunError:
    """An error of a run that is no failure of a step.

    Attributes:
        what: What failed: ours, Prefect's or the machine's.
        said: The message there is, empty when there is none.
        advice: What to do.
        at_work: What a process that is gone was at: the steps, each with what to know of it.
    """

    what: str
    said: str
    advice: str
    at_work: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Failures:
    """All that went wrong in a run."""

    error: RunError | None
    cards: tuple[FailureCard, ...]
    actions: tuple[Action, ...]


_OURS, _PREFECT, _MACHINE = "wfexec itself", "Prefect", "the machine or the process"
_BY_TYPE = {
    OUTCOME_UNKNOWN: (_MACHINE, "look at what the step has changed, then retry"),
    "supervisor": (_MACHINE, "look at what the step has changed, then retry"),
    BLOB_GONE: (
        "Prefect's database or storage: something that was kept there is gone or was changed",
        "find out who deletes a run's inputs or the blobs in storage; a retry makes what is gone anew",
    ),
    "journal": (_PREFECT, "see that Prefect's API answers and that all processes have one key (`wfexec doctor`)"),
    "unreachable": (_PREFECT, "see that Prefect's API answers (`wfexec doctor`), then retry"),
    "internal": (_OURS, "retry; if it happens again, report it with what `wfexec audit` and `wfexec logs` print"),
}
_BY_WORDS = (
    ("and was killed", "the stop of a step: it did not end in time and was killed", "look at what it left, then retry"),
    ("no space left on device", "the machine: its disk is full", "make room, then retry"),
    ("disk quota exceeded", "the machine: the disk quota is used up", "make room, then retry"),
    ("too many open files", "the machine: too many open files", "raise the limit (ulimit -n), then retry"),
    ("memoryerror", "the machine: out of memory", "give the process more memory, then retry"),
    ("cannot allocate memory", "the machine: out of memory", "give the process more memory, then retry"),
    ("another key", "the key: this process has another one than the run", "give the process the key of the run"),
    ("can't be opened with this key", "the key: this process has another one than the run", "give it the run's key"),
    ("can't be reached", _PREFECT, "see that Prefect's API answers (`wfexec doctor`), then retry"),
    ("all connection attempts failed", _PREFECT, "see that Prefect's API answers (`wfexec doctor`), then retry"),
    (
        "failed to submit flow run",
        "the worker: it could not start the run's process",
        "see the worker's log, then retry",
    ),
    ("non-zero status code", _MACHINE, "find out what ended it (memory, a restart), then retry"),
)
_NO_WORD = (_MACHINE, "find out what ended the process (memory, a restart), then retry")


def failures_of(execution: Execution) -> Failures:
    """What went wrong in a run, as it is now."""
    workflow, state = execution.workflow, execution.state
    error = _run_error(execution)
    is_over = _is_over(execution)
    name = execution.header.name
    if workflow is None:
        return Failures(error, (), ())
    cards = failure_cards(workflow, state, execution.ended or execution.now)
    actions: list[Action] = []
    if cards or error is not None or execution.status in _BAD:
        actions += actions_for(workflow, state, name, is_over=is_over)
        if is_over and not any(action.action == "retry" for action in actions):
            actions += _run_again(execution)
    return Failures(error, tuple(cards), tuple(actions))


def shown_json(execution: Execution) -> dict[str, Any]:
    """The run in JSON, with what can be done about it."""
    actions = [action.as_json() for action in failures_of(execution).actions]
    return {**execution.as_json(), "actions": actions}


_BAD = frozenset(
    {RunStatus.FAILED, RunStatus.ERROR, RunStatus.APPROVAL_REJECTED, RunStatus.TERMINATION_FAILED, RunStatus.TERMINATED}
)


def _is_over(execution: Execution) -> bool:
    return execution.status.is_final or bool(execution.lost)


def _run_error(execution: Execution) -> RunError | None:
    if execution.status is not RunStatus.ERROR and not execution.lost:
        return None
    for step in execution.state.steps.values():
        fault = step.fault
        if step.status is StepStatus.FAILED and fault is not None and fault.type in PLATFORM_FAULTS:
            what, advice = _known(fault.message, _BY_TYPE.get(fault.type, _NO_WORD))
            return RunError(what, f"step '{step.id}': {_first_line(fault.message)}", advice)
    said = execution.lost or execution.reason or execution.header.message
    what, advice = _known(said, _NO_WORD if execution.lost or not said else _BY_TYPE["internal"])
    return RunError(what, _first_line(said), advice, tuple(_left_running(execution)))


def _left_running(execution: Execution) -> Iterator[str]:
    for step in execution.workflow.steps if execution.workflow is not None else ():
        if execution.state.step(step.id).status is StepStatus.RUNNING:
            first = "; ".join(look_first(step, execution.state))
            yield f"step '{step.id}' was at work, and how far it came is not known; {first}"


def _known(message: str, otherwise: tuple[str, str]) -> tuple[str, str]:
    """What is known to be behind a message."""
    folded = message.lower()
    return next(((what, advice) for words, what, advice in _BY_WORDS if words in folded), otherwise)


def _first_line(text: str) -> str:
    return next((line.strip() for line in strip_ansi(text).splitlines() if line.strip()), "")


def _run_again(execution: Execution) -> Iterator[Action]:
    opened = execution.state.opened
    if opened is not None and opened.path:
        inputs = "".join(f" -i {shlex.quote(f'{name}={_as_input(value)}')}" for name, value in opened.inputs.items())
        yield Action("run_again", "Run Again", f"wfexec run {shlex.quote(opened.path)}{inputs}")


def _as_input(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
