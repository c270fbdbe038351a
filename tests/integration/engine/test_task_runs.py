"""Task runs as Prefect's server records them: what we rely on in Prefect's events."""

import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.client.schemas.objects import TaskRun

from prefect_wfexec.definition.loader import load_text
from prefect_wfexec.definition.model import Workflow
from prefect_wfexec.engine.context import manual_context
from prefect_wfexec.engine.session import Session
from prefect_wfexec.engine.task_run_ids import task_run_id
from prefect_wfexec.operations.start import create_run, execute_here
from prefect_wfexec.steps.registry import catalog
from tests.support.server import PrefectServer

DEADLINE_SECONDS = 60.0

DEFINITION = """\
version: 1
name: task-runs
steps:
  - {id: slow, run: sleep 0.5}
  - {id: quick, uses: wait, with: {for: 0s}}
  - {id: left_out, if: "false", run: "true"}
  - {id: broken, run: exit 3}
  - {id: after, run: "true"}
"""


def workflow() -> Workflow:
    return load_text(DEFINITION, None, catalog())


async def recorded(flow_run_id: UUID, is_complete: Callable[[dict[str, TaskRun]], bool]) -> dict[str, TaskRun]:
    """The task runs by name, once the server has recorded what is waited for: it does so in its own time."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    async with get_client() as client:
        while True:
            found = await client.read_task_runs(flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[flow_run_id])))
            runs = {run.name: run for run in found}
            if is_complete(runs):
                return runs
            assert time.monotonic() < deadline, {name: run.state_name for name, run in runs.items()}


async def state_names(task_run: UUID) -> list[str]:
    async with get_client() as client:
        states: Any = await client.read_task_run_states(task_run)
        return [state.name for state in sorted(states, key=lambda state: state.timestamp)]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # connections Prefect leaves open
async def test_every_step_has_one_task_run_that_ends_as_the_step_did(api: PrefectServer) -> None:
    async with get_client() as client:
        flow, flow_run = await create_run(client, workflow(), {}, manual_context("jane"))
        await execute_here(flow, flow_run, Session())

    runs = await recorded(
        flow_run.id, lambda found: len(found) == 5 and all(run.state and run.state.is_final() for run in found.values())
    )

    assert {name: run.state_name for name, run in runs.items()} == {
        "slow": "Success",
        "quick": "Success",
        "left_out": "Skipped",
        "broken": "Failed",
        "after": "Skipped",
    }
    assert {name: run.id for name, run in runs.items()} == {name: task_run_id(flow_run.id, name) for name in runs}
    slow, quick = runs["slow"], runs["quick"]
    assert await state_names(slow.id) == ["Running", "Success"]
    assert (await state_names(quick.id))[-1] == "Success"
    assert slow.total_run_time.total_seconds() >= 0.5
    assert slow.start_time is not None and slow.end_time is not None and slow.end_time > slow.start_time
    assert quick.start_time is not None and quick.end_time is not None and quick.start_time >= slow.end_time
    assert [needed.id for needed in quick.task_inputs["wait_for"]] == [slow.id]
