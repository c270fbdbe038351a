"""Our side: definitions compiled and run the way `wfexec run` does it."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prefect_wfexec.definition.loader import load_text
from prefect_wfexec.definition.model import Workflow
from prefect_wfexec.engine.context import manual_context
from prefect_wfexec.engine.session import Session
from prefect_wfexec.engine.steplog import read_stored_log
from prefect_wfexec.journal.blobs import Blobs
from prefect_wfexec.journal.journal import Journal
from prefect_wfexec.journal.keys import load_keys
from prefect_wfexec.operations.connection import connected
from prefect_wfexec.operations.start import create_run, execute_here
from prefect_wfexec.status import RunStatus
from prefect_wfexec.steps.registry import catalog
from prefect_wfexec.views.find import read_journal
from tests.benchmarks import step_types

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun

assert step_types.NoOperation.spec.name, "the benchmark's own step types are registered"


def loaded(text: str, folder: Path) -> Workflow:
    """The workflow of a definition written into the folder."""
    path = folder / "workflow.yaml"
    path.write_text(text)
    return load_text(text, path, catalog())


async def run(workflow: Workflow) -> "FlowRun":
    """Run it to its end.

    Raises:
        RuntimeError: it did not succeed, so what was measured is worth nothing.
    """
    async with connected() as client:
        flow, flow_run = await create_run(client, workflow, {}, manual_context("bench"))
        await execute_here(flow, flow_run, Session())
        return flow_run


async def ended(flow_run: "FlowRun") -> Journal:
    """The journal of a run that succeeded.

    Raises:
        RuntimeError: it did not.
    """
    async with connected() as client:
        journal = await read_journal(client, flow_run)
    closed = journal.state.closed
    if closed is None or closed.status is not RunStatus.SUCCEEDED:
        raise RuntimeError(f"the run ended as {closed}")
    return journal


async def stored_lines(flow_run: "FlowRun", journal: Journal) -> int:
    """How many lines the stored logs of a run hold."""
    async with connected() as client:
        blobs = Blobs(client, flow_run.id, await load_keys(client))
        count = 0
        for step in journal.state.steps.values():
            for attempt in step.attempts:
                count += len(await read_stored_log(attempt.log, blobs))
        return count


def run_now(coroutine: Any) -> Any:
    return asyncio.run(coroutine)
