"""What is asked of a run: retry, skip, cancel."""

from typing import Any

from fastapi import Request
from starlette.responses import JSONResponse
from starlette.status import HTTP_202_ACCEPTED

from prefect_wfexec.engine.reset import Wanted
from prefect_wfexec.errors import UsageError
from prefect_wfexec.gateway.acting import prepare_retry, require_approver, require_deployed_run, stop, take_up
from prefect_wfexec.gateway.api.loading import load_run, shown
from prefect_wfexec.gateway.api.routing import RunName, api_router
from prefect_wfexec.gateway.api.shapes import executions as shapes
from prefect_wfexec.gateway.api.shapes.asked import Cancel, Retry, Skip
from prefect_wfexec.gateway.services import services
from prefect_wfexec.gateway.signin.requiring import Operator
from prefect_wfexec.operations.decide import decide
from prefect_wfexec.operations.retry import prepare
from prefect_wfexec.views.find import find_run

router = api_router("executions")
_DRY_RUN: dict[int | str, dict[str, Any]] = {
    200: {"model": shapes.ResetPlan, "description": "With `dry_run`: what would run again."}
}


@router.post(
    "/executions/{run}/retry", response_model=shapes.Execution, status_code=HTTP_202_ACCEPTED, responses=_DRY_RUN
)
async def retry_execution(request: Request, person: Operator, run: RunName, asked: Retry) -> Any:
    """Do again what failed in a run that has ended; a worker takes it up."""
    if asked.step and asked.from_step:
        raise UsageError("`step` and `from_step` exclude each other", hint="give one of them", code="bad-input")
    given = services(request)
    if asked.latest or not asked.dry_run:
        await require_deployed_run(given, run)
    wanted = Wanted("retry_from" if asked.from_step else "retry", asked.from_step or asked.step)
    prepared = await prepare_retry(given, run, wanted, asked.inputs, is_latest=asked.latest)
    if asked.dry_run:
        return JSONResponse(prepared.as_json())
    return await shown(given, await take_up(given, prepared, person, asked.reason))


@router.post(
    "/executions/{run}/skip", response_model=shapes.Execution, status_code=HTTP_202_ACCEPTED, responses=_DRY_RUN
)
async def skip_step(request: Request, person: Operator, run: RunName, asked: Skip) -> Any:
    """Go on without a step that failed: the run waits for what becomes of it, or it has ended with it."""
    given = services(request)
    loaded = await load_run(given, run)
    state = loaded.journal.state
    if state.closed is None and state.open_gate(asked.step) is not None:
        require_approver(person)
        if asked.dry_run:
            raise UsageError("a gate asks about this step: nothing runs again", hint="leave `dry_run` out")
        actor = person.actor
        await decide(given.client, run, "skip", step=asked.step, comment=asked.reason, vouched=actor)
        return await shown(given, loaded.flow_run)
    prepared = await prepare(given.client, run, Wanted("skip", asked.step))
    if asked.dry_run:
        return JSONResponse(prepared.as_json())
    return await shown(given, await take_up(given, prepared, person, asked.reason))


@router.post("/executions/{run}/cancel", response_model=shapes.CancelledExecution, status_code=HTTP_202_ACCEPTED)
async def cancel_execution(request: Request, person: Operator, run: RunName, asked: Cancel) -> dict[str, Any]:
    """Stop a run, in whatever state it is; it is given the time it needs."""
    given = services(request)
    flow_run = await find_run(given.client, run)
    outcome = await stop(given, flow_run, person, asked.reason, cleans_up=asked.cleanup)
    return {**await shown(given, flow_run), "outcome": outcome}
