"""The one module that writes Prefect's task runs: one for each step, for the life of the run.

A task run is what its state events say: the server records them, and they cost no API call. They are written here
just as Prefect's task engine writes its own, but without the task engine around each step: its transaction, result
store, caching and source lookup have nothing to do for a step and cost several times what the events do. The function
that emits them is importable but not documented; tests pin what we rely on.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any
from uuid import UUID

from prefect.client.schemas.objects import State, StateType, TaskRun, TaskRunPolicy, TaskRunResult
from prefect.context import FlowRunContext, TaskRunContext
from prefect.logging.loggers import task_run_logger
from prefect.utilities.engine import emit_task_run_state_change_event

from prefect_wfexec.engine.task_run_ids import task_run_id
from prefect_wfexec.status import StepStatus

if TYPE_CHECKING:
    from prefect.events import Event
    from prefect.tasks import Task

    from prefect_wfexec.definition.model import Step

Sink = Callable[[str, str], None]
Work = Callable[[Sink], Awaitable[tuple[StepStatus, str]]]
"""The step's work, given where its log goes; gives the status it ended with and a line for Prefect's state."""

LEVELS = {"stdout": logging.INFO, "stderr": logging.WARNING, "system": logging.INFO}

QUICK_SECONDS = 0.1
"""A step that ends sooner is shown by its end alone, with its start and duration: half the events, half the rows."""


async def run_as_task(step: "Step", flow_run_id: UUID, attempt: int, work: Work) -> None:
    """Run one attempt of a step inside its task run.

    Raises:
        BaseException: what the work raised; the task run then shows the step as failed.
    """
    run = _task_run(step, flow_run_id, attempt)
    begun = _Beginning(run)
    try:
        with _context(run):
            status, message = await work(_sink(run))
    except BaseException as fault:
        # Only the type: the text of a fault may hold what was never masked.
        begun.end(_final_state(StepStatus.FAILED, f"the engine stopped on {type(fault).__name__}"))
        raise
    begun.end(_final_state(status, message))


def write_task_run(
    step: "Step", flow_run_id: UUID, status: StepStatus, message: str, attempt: int = 0, since: datetime | None = None
) -> None:
    """Show a step that did no work of its own, skipped, cancelled or waiting, as its task run.

    It is a picture; nothing is decided from it.

    Args:
        step: The step.
        flow_run_id: The run.
        status: What it shows.
        message: A line for Prefect's state.
        attempt: The attempt's number.
        since: When a gate that has ended began to wait, in whatever process; Prefect draws it from then on.
    """
    run = _task_run(step, flow_run_id, attempt)
    assert run.state is not None, "a task run of ours always has a state"
    if status.is_final:
        # Without a start there is no end, and Prefect draws a bar that grows for ever.
        begun = since or run.state.timestamp
        run.expected_start_time = run.start_time = begun  # type: ignore[assignment]  # as Prefect's own task engine does
    before = _enter(run, _final_state(status, message) if status.is_final else _waiting_state(status, message))
    _emit(run, before)


class _Beginning:
    """A task run that has begun, and says so to Prefect unless it ends at once."""

    def __init__(self, run: TaskRun) -> None:
        self._run = run
        self._before = _enter(run, State(type=StateType.RUNNING))
        self._event: Event | None = None
        self._timer = asyncio.get_running_loop().call_later(QUICK_SECONDS, self._tell)

    def _tell(self) -> None:
        self._event = _emit(self._run, self._before)

    def end(self, state: State[Any]) -> None:
        self._timer.cancel()
        before = _enter(self._run, state)
        _emit(self._run, before, self._event)


def _enter(run: TaskRun, state: State[Any]) -> State[Any]:
    """Put the task run into a state, with the fields that follow from it; the state it was in before."""
    before = run.state
    assert before is not None, "a task run of ours always has a state"
    if state.timestamp <= before.timestamp:
        # Prefect keeps a run's states by time: two of one moment would hide each other.
        state.timestamp = before.timestamp + timedelta(microseconds=1)
    if before.is_running():
        run.total_run_time += timedelta(seconds=state.timestamp.timestamp() - before.timestamp.timestamp())
    if state.is_running():
        run.run_count += 1
        run.start_time = state.timestamp  # type: ignore[assignment]  # as Prefect's own task engine does
    if state.is_final() and run.start_time:
        run.end_time = state.timestamp  # type: ignore[assignment]  # as Prefect's own task engine does
    run.state, run.state_id, run.state_type, run.state_name = state, state.id, state.type, state.name
    return before


def _emit(run: TaskRun, before: State[Any], follows: "Event | None" = None) -> "Event | None":
    assert run.state is not None, "a task run of ours always has a state"
    return emit_task_run_state_change_event(run, before, run.state, follows)


def _task_run(step: "Step", flow_run_id: UUID, attempt: int) -> TaskRun:
    state: State[Any] = State(type=StateType.PENDING)
    flow = FlowRunContext.get()
    values = {
        "id": task_run_id(flow_run_id, step.id),
        "name": step.id,
        "flow_run_id": flow_run_id,
        "task_key": step.id,
        "dynamic_key": step.id,
        "task_inputs": {"wait_for": _inputs(flow_run_id, step.needs)} if step.needs else {},
        "run_count": max(attempt - 1, 0),
        "flow_run_run_count": flow.flow_run.run_count if flow and flow.flow_run else 0,
        "expected_start_time": state.timestamp,
        "state_id": state.id,
        "state_type": state.type,
        "state_name": state.name,
        "state": state,
        "created": state.timestamp,
        "updated": state.timestamp,
    }
    return _blank().model_copy(update=values)


@cache
def _blank() -> TaskRun:
    """A task run to make others from: checking all its fields again for each step would cost more than the rest."""
    return TaskRun(name="", task_key="", dynamic_key="", empirical_policy=TaskRunPolicy(retries=0))


def _inputs(flow_run_id: UUID, needs: Iterable[str]) -> list[Any]:
    return [TaskRunResult(id=task_run_id(flow_run_id, need)) for need in needs]


_FINAL_TYPES = {StepStatus.SUCCESS: StateType.COMPLETED, StepStatus.FAILED: StateType.FAILED}


def _final_state(status: StepStatus, message: str) -> State[Any]:
    # A state of type CANCELLED is drawn grey, as a skipped step should be.
    return State(type=_FINAL_TYPES.get(status, StateType.CANCELLED), name=status.value, message=message)


def _waiting_state(status: StepStatus, message: str) -> State[Any]:
    kinds = {StepStatus.RUNNING: StateType.RUNNING, StepStatus.PENDING: StateType.PENDING}
    return State(type=kinds.get(status, StateType.PAUSED), name=status.value, message=message)


@contextmanager
def _context(run: TaskRun) -> Iterator[None]:
    """What a step type sees that asks Prefect where it runs: its run logger, its task run."""
    flow = FlowRunContext.get()
    if flow is None:
        yield
        return
    with TaskRunContext(
        task=_task(),
        task_run=run,
        parameters={},
        result_store=flow.result_store,
        persist_result=False,
        client=flow.client,
    ):
        yield


@cache
def _task() -> "Task[..., Any]":
    """The task all steps share: Prefect wants one in the context of a task run."""
    from prefect.cache_policies import NO_CACHE
    from prefect.tasks import Task

    async def step() -> None:
        raise AssertionError("unreachable: steps are run by our own engine")

    return Task(step, name="step", cache_policy=NO_CACHE, persist_result=False, log_prints=False)


def _sink(run: TaskRun) -> Sink:
    """Where a step's log goes: Prefect's logger, a child of it for each stream."""
    children: dict[str, Any] = {}

    def write(stream: str, text: str) -> None:
        if not children:
            logger: Any = task_run_logger(run)
            children.update({name: logger.getChild(name) for name in LEVELS})
        children[stream].log(LEVELS[stream], "%s", text.rstrip("\n"))

    return write
