"""Retry, skip, cancel: each asks once more on a page of its own, and says there what would happen."""

import json
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from prefect_wfexec.definition.model import JSON, Input
from prefect_wfexec.engine.reset import Wanted, inputs_are_decided
from prefect_wfexec.errors import UsageError
from prefect_wfexec.gateway.acting import prepare_retry, require_deployment, stop, take_up
from prefect_wfexec.gateway.answers import status_of
from prefect_wfexec.gateway.api.routing import RunName
from prefect_wfexec.gateway.console.faults import words_of
from prefect_wfexec.gateway.console.forms import read_form
from prefect_wfexec.gateway.console.inputs import fields_of, read_inputs
from prefect_wfexec.gateway.console.pages import back, page
from prefect_wfexec.gateway.console.run_pages import Watched, watched
from prefect_wfexec.gateway.services import services
from prefect_wfexec.gateway.signin.identity import Identity
from prefect_wfexec.gateway.signin.requiring import Operator
from prefect_wfexec.operations.retry import Prepared

router = APIRouter(include_in_schema=False)
Step = Annotated[str, Query(max_length=200, pattern=r"^[^\x00]*$")]
FromStep = Annotated[str, Query(alias="from", max_length=200, pattern=r"^[^\x00]*$")]
LONGEST_REASON = 1000


def _wanted(step: str, from_step: str) -> Wanted:
    return Wanted("retry_from" if from_step else "retry", from_step or step or None)


@router.get("/console/executions/{run}/retry")
async def ask_retry(
    request: Request, person: Operator, run: RunName, step: Step = "", from_step: FromStep = ""
) -> Response:
    """What would run again, and the inputs to change."""
    return await _retry_page(request, person, run, _wanted(step, from_step))


@router.post("/console/executions/{run}/retry")
async def do_retry(
    request: Request, person: Operator, run: RunName, step: Step = "", from_step: FromStep = ""
) -> Response:
    """Do it, and show the execution."""
    return await _taken_up(request, person, run, _wanted(step, from_step))


@router.get("/console/executions/{run}/skip")
async def ask_skip(request: Request, person: Operator, run: RunName, step: Step) -> Response:
    """What would run without the step."""
    return await _retry_page(request, person, run, Wanted("skip", step))


@router.post("/console/executions/{run}/skip")
async def do_skip(request: Request, person: Operator, run: RunName, step: Step) -> Response:
    """Do it, and show the execution."""
    return await _taken_up(request, person, run, Wanted("skip", step))


@router.get("/console/executions/{run}/cancel")
async def ask_cancel(
    request: Request, person: Operator, run: RunName, cleanup: Literal["yes", "no"] = "no"
) -> Response:
    """Whether it is meant."""
    found = await watched(request, person, run)
    return await _cancel_page(request, person, found, cleans_up=cleanup == "yes")


@router.post("/console/executions/{run}/cancel")
async def do_cancel(request: Request, person: Operator, run: RunName, cleanup: Literal["yes", "no"] = "no") -> Response:
    """Stop it, and show the execution."""
    found = await watched(request, person, run)
    try:
        form = await read_form(request)
        reason = form.get("reason", "").strip()[:LONGEST_REASON]
        await stop(found.given, found.flow_run, person, reason, cleans_up=cleanup == "yes")
    except UsageError as error:
        return await _cancel_page(request, person, found, cleans_up=cleanup == "yes", problem=error)
    return back(f"/console/executions/{found.flow_run.id}")


async def _cancel_page(
    request: Request, person: Identity, found: Watched, *, cleans_up: bool, problem: UsageError | None = None
) -> Response:
    view = await found.view()
    workflow, state = view.execution.workflow, view.execution.state
    began = [step for step in (workflow.steps if workflow else ()) if state.step(step.id).first_started is not None]
    return page(
        request,
        person,
        "confirm_cancel.html",
        status=status_of(problem) if problem else 200,
        view=view,
        name=found.flow_run.name,
        cleans_up=cleans_up,
        cleaned=[step for step in reversed(began) if step.cleanup],
        is_over=view.is_over,
        problem=words_of(problem),
    )


async def _retry_page(
    request: Request,
    person: Identity,
    run: str,
    wanted: Wanted,
    given: dict[str, str] | None = None,
    problem: UsageError | None = None,
) -> Response:
    found = await watched(request, person, run)
    prepared: Prepared | None = None
    try:
        require_deployment(found.flow_run)
        prepared = await prepare_retry(found.given, str(found.flow_run.id), wanted, {})
    except UsageError as error:
        problem = problem or error
    return page(
        request,
        person,
        "confirm_retry.html",
        status=status_of(problem) if problem else 200,
        run_id=str(found.flow_run.id),
        name=found.flow_run.name,
        wanted=wanted,
        plan=prepared.as_json() if prepared else None,
        names={step.id: step.name for step in prepared.workflow.steps} if prepared else {},
        is_decided=prepared is not None and inputs_are_decided(prepared.journal.state),
        fields=fields_of(_changeable(prepared, wanted), _inputs(prepared), given or {}),
        problem=words_of(problem),
    )


async def _taken_up(request: Request, person: Identity, run: str, wanted: Wanted) -> Response:
    shared = services(request)
    form: dict[str, str] = {}
    try:
        form = await read_form(request)
        found = await watched(request, person, run)
        require_deployment(found.flow_run)
        first = await prepare_retry(shared, str(found.flow_run.id), wanted, {})
        declared = _changeable(first, wanted)
        inputs = {
            name: value
            for name, value in read_inputs(declared, form).items()
            if json.dumps(value) != json.dumps(_inputs(first).get(name))
        }
        prepared = await prepare_retry(shared, str(found.flow_run.id), wanted, inputs) if inputs else first
        reason = form.get("reason", "").strip()[:LONGEST_REASON]
        if wanted.kind == "skip" and not reason:
            raise UsageError("a step is skipped for a reason only", hint="say why", code="no-reason")
        await take_up(shared, prepared, person, reason)
    except UsageError as error:
        return await _retry_page(request, person, run, wanted, form, error)
    return back(f"/console/executions/{found.flow_run.id}")


def _changeable(prepared: Prepared | None, wanted: Wanted) -> tuple[Input, ...]:
    """The inputs that may be changed on the way: none by a skip, nor where named people decide."""
    if prepared is None or wanted.kind == "skip" or inputs_are_decided(prepared.journal.state):
        return ()
    return prepared.workflow.inputs


def _inputs(prepared: Prepared | None) -> dict[str, JSON]:
    opened = prepared.journal.state.opened if prepared is not None else None
    return dict(opened.inputs) if opened is not None else {}
