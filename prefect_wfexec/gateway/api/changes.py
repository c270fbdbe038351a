"""What is asked of a run: retry, skip, cancel."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from fastapi import Request
from starlette.responses import JSONResponse
from starlette.status import HTTP_202_ACCEPTED

from prefect_wfexec.engine.reset import Wanted
from prefect_wfexec.errors import UsageError
from prefect_wfexec.gateway.api.loading import load_run, shown
from prefect_wfexec.gateway.api.routing import RunName, api_router
from prefect_wfexec.gateway.api.shapes import executions as shapes
from prefect_wfexec.gateway.api.shapes.asked import Cancel, Retry, Skip
from prefect_wfexec.gateway.services import Services, services
from prefect_wfexec.gateway.signin.faults import NotAllowed
from prefect_wfexec.gateway.signin.identity import Identity, Role
from prefect_wfexec.gateway.signin.requiring import Operator
from prefect_wfexec.operations.cancel import Cancelled, cancel
from prefect_wfexec.operations.decide import decide
from prefect_wfexec.operations.inputs import changed_inputs
from prefect_wfexec.operations.retry import Prepared, dispatch, prepare, request_retry
from prefect_wfexec.views.find import find_run

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun

logger = logging.getLogger(__name__)
router = api_router("executions")
ANSWER_SECONDS = 20.0
_DRY_RUN: dict[int | str, dict[str, Any]] = {
    200: {"model": shapes.ResetPlan, "description": "With `dry_run`: what would run again."}
}
_going: set[asyncio.Task[Cancelled]] = set()


@router.post(
    "/executions/{run}/retry", response_model=shapes.Execution, status_code=HTTP_202_ACCEPTED, responses=_DRY_RUN
)
async def retry_execution(request: Request, person: Operator, run: RunName, asked: Retry) -> Any:
    """Do again what failed in a run that has ended; a worker takes it up."""
    if asked.step and asked.from_step:
        raise UsageError("`step` and `from_step` exclude each other", hint="give one of them", code="bad-input")
    given = services(request)
    if asked.latest or not asked.dry_run:
        _require_deployment(await find_run(given.client, run))
    wanted = Wanted("retry_from" if asked.from_step else "retry", asked.from_step or asked.step)
    prepared = await prepare(given.client, run, wanted, is_latest=asked.latest)
    changes = changed_inputs(prepared.workflow, asked.inputs)
    if changes:
        changed = Wanted(wanted.kind, wanted.step, changes)
        prepared = await prepare(given.client, run, changed, is_latest=asked.latest)
    if asked.dry_run:
        return JSONResponse(prepared.as_json())
    return await _take_up(given, prepared, person, asked.reason)


@router.post(
    "/executions/{run}/skip", response_model=shapes.Execution, status_code=HTTP_202_ACCEPTED, responses=_DRY_RUN
)
async def skip_step(request: Request, person: Operator, run: RunName, asked: Skip) -> Any:
    """Go on without a step that failed: the run waits for what becomes of it, or it has ended with it."""
    given = services(request)
    loaded = await load_run(given, run)
    state = loaded.journal.state
    if state.closed is None and state.open_gate(asked.step) is not None:
        _require_approver(person)
        if asked.dry_run:
            raise UsageError("a gate asks about this step: nothing runs again", hint="leave `dry_run` out")
        actor = person.actor
        await decide(given.client, run, "skip", step=asked.step, comment=asked.reason, vouched=actor)
        return await shown(given, loaded.flow_run)
    prepared = await prepare(given.client, run, Wanted("skip", asked.step))
    if asked.dry_run:
        return JSONResponse(prepared.as_json())
    _require_deployment(prepared.flow_run)
    return await _take_up(given, prepared, person, asked.reason)


@router.post("/executions/{run}/cancel", response_model=shapes.CancelledExecution, status_code=HTTP_202_ACCEPTED)
async def cancel_execution(request: Request, person: Operator, run: RunName, asked: Cancel) -> dict[str, Any]:
    """Stop a run, in whatever state it is; it is given the time it needs."""
    given = services(request)
    flow_run = await find_run(given.client, run)
    work = cancel(
        given.client,
        str(flow_run.id),
        by=person.actor,
        reason=asked.reason,
        cleans_up=asked.cleanup,
        executes_here=False,
    )
    done = await _within(ANSWER_SECONDS, work)
    return {**await shown(given, flow_run), "outcome": done.outcome if done else "requested"}


async def _take_up(given: Services, prepared: Prepared, person: Identity, reason: str) -> dict[str, Any]:
    await request_retry(prepared, person.actor, reason)
    return await shown(given, await dispatch(given.client, prepared.flow_run))


def _require_deployment(flow_run: "FlowRun") -> None:
    """That a worker can take a run up; nothing of the machine it was started on is read here."""
    if flow_run.deployment_id is None:
        words = f"run {flow_run.name} was started without a deployment: no worker can take it up"
        raise UsageError(words, hint=f"retry it where it ran: wfexec retry {flow_run.name}", code="not-deployed")


def _require_approver(person: Identity) -> None:
    if not person.may(Role.APPROVER):
        words = f"{person.name} is no approver, and a gate asks what becomes of this step"
        raise NotAllowed(words, hint=f"this needs the role '{Role.APPROVER.value}'")


async def _within(seconds: float, work: Coroutine[Any, Any, Cancelled]) -> Cancelled | None:
    """What comes of it; None when that takes longer: it goes on meanwhile."""
    task = asyncio.create_task(work)
    _going.add(task)
    task.add_done_callback(_ended)
    done, _ = await asyncio.wait({task}, timeout=seconds)
    return task.result() if done else None


def _ended(task: "asyncio.Task[Cancelled]") -> None:
    _going.discard(task)
    if not task.cancelled() and task.exception() is not None:
        logger.warning("a cancel was not carried out: %s", task.exception())
