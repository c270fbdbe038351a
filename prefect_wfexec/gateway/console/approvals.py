"""The inbox of approvals, and the page of one gate: what is asked, the plan, and the decision."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, cast
from urllib.parse import quote

from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from prefect_wfexec.engine.approvals.people import find_recognised
from prefect_wfexec.engine.flow_run import page_of
from prefect_wfexec.engine.notices.about import About, about_gate
from prefect_wfexec.errors import EngineError, UsageError
from prefect_wfexec.gateway.answers import status_of
from prefect_wfexec.gateway.api.routing import RunName
from prefect_wfexec.gateway.approving.giving import Wish
from prefect_wfexec.gateway.approving.question import plan_of_gate
from prefect_wfexec.gateway.approving.showing import Sheet, plan_text, sheet_of
from prefect_wfexec.gateway.approving.standing import Standing, standing_of
from prefect_wfexec.gateway.console.faults import words_of
from prefect_wfexec.gateway.console.forms import read_form
from prefect_wfexec.gateway.console.live import Look, parts_stream
from prefect_wfexec.gateway.console.pages import back, page, render
from prefect_wfexec.gateway.services import Services, services
from prefect_wfexec.gateway.signin.identity import Identity, Role
from prefect_wfexec.gateway.signin.requiring import Approver, Viewer
from prefect_wfexec.operations.decide import Decision, Seen, decide
from prefect_wfexec.runtime.outside import text_from_outside
from prefect_wfexec.views.approvals import Inbox, load_approvals
from prefect_wfexec.views.find import find_run, read_journal
from prefect_wfexec.views.load import pinned_workflow

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun

    from prefect_wfexec.definition.model import JSON, Workflow
    from prefect_wfexec.journal.state import ExecutionState, Gate

router = APIRouter(include_in_schema=False)
StepId = Annotated[str, Path(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
LOOK_SECONDS = 3.0


@router.get("/console/approvals")
async def show(request: Request, person: Viewer) -> Response:
    """What waits for a decision, oldest first."""
    inbox = await load_approvals(services(request).client)
    return page(request, person, "approvals.html", live="/console/approvals/live", rows=_rows(inbox, person))


@router.get("/console/approvals/live")
async def live(request: Request, person: Viewer) -> Response:
    """What changes in it."""
    client = services(request).client

    async def look() -> Look:
        return Look({"rows": _rows(await load_approvals(client), person)})

    return parts_stream(request, look, LOOK_SECONDS)


def _rows(inbox: Inbox, person: Identity) -> str:
    is_theirs = [
        not row["waits_for"] or find_recognised(person.name, row["waits_for"]) is not None for row in inbox.rows
    ]
    return render(
        "approvals_rows.html",
        rows=[
            {**row, "address": gate_address(row["run"], row["step"]), "is_theirs": theirs}
            for row, theirs in zip(inbox.rows, is_theirs, strict=True)
        ],
        passed_over=inbox.passed_over,
    )


def gate_address(run: str, step: str) -> str:
    """The page of a gate."""
    return f"/console/executions/{quote(run)}/gates/{quote(step, safe='')}"


@dataclass(frozen=True, slots=True)
class _Asked:
    """A gate, with its run."""

    flow_run: "FlowRun"
    state: "ExecutionState"
    workflow: "Workflow | None"
    gate: "Gate"

    def about(self, given: Services) -> About:
        run_url = page_of(given.client, self.flow_run.id)
        return about_gate(self.gate, self.workflow, self.state, self.flow_run.name, run_url)


async def _asked(given: Services, run: str, step: str) -> _Asked:
    """The newest gate of a step.

    Raises:
        UsageError: there is no such run, or no such gate.
    """
    flow_run = await find_run(given.client, run)
    state = (await read_journal(given.client, flow_run)).state
    gate = next((gate for gate in reversed(state.gates) if gate.step == step), None)
    if gate is None:
        raise UsageError(f"run {flow_run.name} has no gate '{step}'", code="unknown-run")
    return _Asked(flow_run, state, pinned_workflow(state), gate)


@router.get("/console/executions/{run}/gates/{step}")
async def show_gate(request: Request, person: Viewer, run: RunName, step: StepId) -> Response:
    """What is asked, who has decided, and the form."""
    return await _gate_page(request, person, run, step, {})


@router.get("/console/executions/{run}/gates/{step}/plan")
async def show_plan(request: Request, person: Viewer, run: RunName, step: StepId) -> Response:
    """The whole plan, as Terraform prints it."""
    given = services(request)
    asked = await _asked(given, run, step)
    plan = await _plan(given, asked)
    sheet = sheet_of(asked.about(given), person.name, plan, {})
    words = plan_text(plan) or "The plan can't be read any more."
    return page(request, person, "plan.html", sheet=sheet, text=words, back=gate_address(run, step))


@router.post("/console/executions/{run}/gates/{step}")
async def take_decision(request: Request, person: Approver, run: RunName, step: StepId) -> Response:
    """Decide, as who is signed in."""
    form: dict[str, str] = {}
    try:
        form = await read_form(request)
        await _decide(services(request), person, run, step, form)
    except UsageError as error:
        return await _gate_page(request, person, run, step, form, error)
    return back(gate_address(run, step))


async def _decide(given: Services, person: Identity, run: str, step: str, form: Mapping[str, str]) -> None:
    generation = form.get("generation", "")
    seen = Seen(int(generation) if generation.isdecimal() else None, form.get("subject_digest"))
    wanted = wanted_of((await _asked(given, run, step)).gate, form)
    await decide(
        given.client,
        run,
        cast("Decision", wanted.decision),
        by=person.name,
        step=step,
        comment=wanted.comment,
        fields=wanted.fields,
        vouched=person.actor,
        seen=seen,
    )


def wanted_of(gate: "Gate", form: Mapping[str, str]) -> Wish:
    """What a form asks for, and nothing that it does not say in the gate's own words.

    Raises:
        UsageError: it makes no decision that the gate takes, or rejects without saying why.
    """
    decision, comment = form.get("decision", ""), text_from_outside(form.get("comment", "")).strip()
    if decision not in gate.choices:
        raise UsageError(f"a decision is {' or '.join(gate.choices)}", code="no-decision")
    if decision == "reject" and not comment:
        raise UsageError("a rejection needs a comment", hint="say why: the run shows it", code="no-comment")
    given = {
        name.removeprefix("field."): text_from_outside(value)
        for name, value in form.items()
        if name.startswith("field.") and value
    }
    return Wish(decision, comment, {name: value for name, value in given.items() if name in gate.fields})


async def _gate_page(
    request: Request,
    person: Identity,
    run: str,
    step: str,
    form: Mapping[str, str],
    problem: UsageError | None = None,
) -> Response:
    given = services(request)
    asked = await _asked(given, run, step)
    standing = standing_of(asked.state, asked.gate, person.name)
    if problem is not None:
        standing = Standing("Not counted", f"{words_of(problem)}.", "bad", standing.is_open)
    return page(
        request,
        person,
        "gate.html",
        status=status_of(problem) if problem else 200,
        sheet=await _sheet(given, asked, person, form),
        gate=asked.gate,
        standing=standing,
        may_decide=standing.is_open and person.may(Role.APPROVER),
        comment=form.get("comment", ""),
        address=gate_address(run, step),
        run_address=f"/console/executions/{asked.flow_run.id}",
    )


async def _sheet(given: Services, asked: _Asked, person: Identity, form: Mapping[str, str]) -> Sheet:
    return sheet_of(asked.about(given), person.name, await _plan(given, asked), form)


async def _plan(given: Services, asked: _Asked) -> "dict[str, JSON]":
    """What the plan says; what the journal shows of it when the rest is gone."""
    try:
        return await plan_of_gate(given, asked.flow_run.id, asked.gate, asked.workflow, asked.state)
    except EngineError:
        return dict(asked.about(given).planned or {})
