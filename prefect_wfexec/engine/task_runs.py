"""The one module that touches Prefect's task engine: one task run per step, for the life of the run.

`run_task_async` with a task run of our own keeps the same node in Prefect's graph across attempts, resumes and crashes,
and costs no API call. It is importable but not documented; tests pin what we rely on.
"""

import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any
from uuid import UUID

from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, StateDetails, StateType, TaskRun, TaskRunPolicy, TaskRunResult
from prefect.logging import get_run_logger
from prefect.states import Cancelled, Completed, Failed
from prefect.task_engine import run_task_async
from prefect.tasks import Task
from prefect.utilities.engine import emit_task_run_state_change_event

from prefect_wfexec.engine.task_run_ids import task_run_id
from prefect_wfexec.status import StepStatus

if TYPE_CHECKING:
    from prefect_wfexec.definition.model import Step

Sink = Callable[[str, str], None]
Work = Callable[[Sink], Awaitable[tuple[StepStatus, str]]]
"""The step's work, given where its log goes; gives the status it ended with and a line for Prefect's state."""

LEVELS = {"stdout": logging.INFO, "stderr": logging.WARNING, "system": logging.INFO}


async def run_as_task(step: "Step", flow_run_id: UUID, attempt: int, work: Work) -> None:
    """Run one attempt of a step inside its task run."""

    async def attempt_of_step() -> State[Any]:
        status, message = await work(_sink(get_run_logger()))
        return _final_state(status, message)

    task = Task(
        attempt_of_step,
        name=step.id,
        task_run_name=step.id,
        cache_policy=NO_CACHE,
        persist_result=False,
        log_prints=False,
    )
    run = _task_run(step, flow_run_id, attempt)
    await run_task_async(task, task_run=run, parameters={}, return_type="state")


def write_task_run(step: "Step", flow_run_id: UUID, status: StepStatus, message: str, attempt: int = 0) -> None:
    """Show a step that did no work of its own, skipped, cancelled or waiting, as its task run.

    Written as an event, as the task engine writes its own states; it is a picture, nothing is decided from it.
    """
    run = _task_run(step, flow_run_id, attempt)
    initial = run.state
    state = _final_state(status, message) if status.is_final else _waiting_state(status, message)
    state.state_details = StateDetails(task_run_id=run.id, flow_run_id=flow_run_id)
    run.state, run.state_id, run.state_type, run.state_name = state, state.id, state.type, state.name
    emit_task_run_state_change_event(run, initial, state)


def _task_run(step: "Step", flow_run_id: UUID, attempt: int) -> TaskRun:
    own_id = task_run_id(flow_run_id, step.id)
    state: State[Any] = State(
        type=StateType.PENDING, state_details=StateDetails(task_run_id=own_id, flow_run_id=flow_run_id)
    )
    return TaskRun(
        id=own_id,
        name=step.id,
        flow_run_id=flow_run_id,
        task_key=step.id,
        dynamic_key=step.id,
        empirical_policy=TaskRunPolicy(retries=0),
        task_inputs={"wait_for": _inputs(flow_run_id, step.needs)} if step.needs else {},
        run_count=max(attempt - 1, 0),
        expected_start_time=state.timestamp,
        state_id=state.id,
        state_type=state.type,
        state_name=state.name,
        state=state,
        created=state.timestamp,
        updated=state.timestamp,
    )


def _inputs(flow_run_id: UUID, needs: Iterable[str]) -> list[Any]:
    return [TaskRunResult(id=task_run_id(flow_run_id, need)) for need in needs]


def _final_state(status: StepStatus, message: str) -> State[Any]:
    if status is StepStatus.SUCCESS:
        return Completed(name=status.value, message=message)
    if status is StepStatus.FAILED:
        return Failed(name=status.value, message=message)
    # A state of type CANCELLED is drawn grey, as a skipped step should be.
    return Cancelled(name=status.value, message=message)


def _waiting_state(status: StepStatus, message: str) -> State[Any]:
    kind = StateType.RUNNING if status is StepStatus.RUNNING else StateType.PAUSED
    return State(type=kind, name=status.value, message=message)


def _sink(logger: "logging.Logger | logging.LoggerAdapter[Any]") -> Sink:
    children = {stream: _child(logger, stream) for stream in LEVELS}

    def write(stream: str, text: str) -> None:
        children[stream].log(LEVELS[stream], "%s", text.rstrip("\n"))

    return write


def _child(logger: Any, stream: str) -> Any:
    return logger.getChild(stream)
