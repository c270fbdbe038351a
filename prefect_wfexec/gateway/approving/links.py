"""The pages behind approval links: looking changes nothing, only a form that was sent decides."""

from collections.abc import Mapping
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, Response

from prefect_wfexec.definition.model import JSON
from prefect_wfexec.engine.approvals.links import PATH, Binding, NoLink, read_link
from prefect_wfexec.engine.approvals.verifying import BY_LINK
from prefect_wfexec.errors import EngineError, Unreachable, UsageError
from prefect_wfexec.gateway.approving.giving import Wish, give
from prefect_wfexec.gateway.approving.pages import page
from prefect_wfexec.gateway.approving.question import Question, about, load_question, whole_plan, within_reach
from prefect_wfexec.gateway.approving.reading import read_fields, read_form_body
from prefect_wfexec.gateway.approving.showing import plan_text, sheet_of
from prefect_wfexec.gateway.approving.standing import Standing, standing_of
from prefect_wfexec.gateway.approving.tokens import COOKIE, FIELD, form_token, is_our_form, nonce_of
from prefect_wfexec.gateway.bodies import BodyRefused
from prefect_wfexec.gateway.services import Services, services
from prefect_wfexec.journal.facts import Actor, utc_now

router = APIRouter(include_in_schema=False)
Shared = Annotated[Services, Depends(services)]
_COOKIE_SECONDS = 24 * 3600


@router.api_route(f"/{PATH}/{{token}}", methods=["GET", "HEAD"])
async def show_gate(request: Request, token: str, shared: Shared) -> Response:
    """What is asked, who has decided, and the form; mail programs that look ahead change nothing."""
    try:
        async with within_reach():
            question = await load_question(shared, _binding(shared, token))
            return await _gate_page(request, shared, token, question, {})
    except (NoLink, Unreachable) as fault:
        return _fault_page(fault)


@router.api_route(f"/{PATH}/{{token}}/plan", methods=["GET", "HEAD"])
async def show_plan(token: str, shared: Shared) -> Response:
    """The whole plan, as text."""
    try:
        async with within_reach():
            question = await load_question(shared, _binding(shared, token))
            plan = await whole_plan(shared, question)
    except (NoLink, Unreachable) as fault:
        return _fault_page(fault)
    except EngineError:
        plan = {}
    sheet = sheet_of(about(shared, question), question.binding.holder, plan, {})
    text = plan_text(plan) or "The plan can't be read any more."
    return page("plan.html", sheet=sheet, token=token, text=text)


@router.post(f"/{PATH}/{{token}}")
async def take_decision(request: Request, token: str, shared: Shared) -> Response:
    """Decide, in the name of the person whose link it is."""
    try:
        binding = _binding(shared, token)
        form = read_fields(await read_form_body(request))
    except NoLink as fault:
        return _fault_page(fault)
    except BodyRefused as refused:
        return page("note.html", refused.status, headline="This form can't be read", words=f"{refused.reason}.")
    if not is_our_form(request, shared.keys.links, token, form.get(FIELD, ""), shared.public_url):
        words = "It was not sent from the page that this browser was given. Open the link again and decide there."
        return page("note.html", 403, headline="Nothing was decided", words=words)
    try:
        async with within_reach():
            return await _decided(request, shared, token, binding, form)
    except (NoLink, Unreachable) as fault:
        return _fault_page(fault)


def _binding(shared: Services, token: str) -> Binding:
    return read_link(shared.keys.links, token, utc_now())


async def _decided(
    request: Request, shared: Services, token: str, binding: Binding, form: Mapping[str, str]
) -> HTMLResponse:
    question = await load_question(shared, binding)
    state, person = question.journal.state, binding.holder
    if not standing_of(state, question.gate, person).is_open:
        return await _gate_page(request, shared, token, question, {})
    fields = {name.removeprefix("field."): value for name, value in form.items() if name.startswith("field.")}
    wish = Wish(form.get("decision", ""), form.get("comment", ""), fields, once=True)
    try:
        await give(shared, question, Actor(person, BY_LINK), wish)
    except UsageError as refused:
        words = refused.message + (f": {refused.hint}" if refused.hint else "")
        return await _gate_page(request, shared, token, question, form, problem=f"{words}.")
    return await _gate_page(request, shared, token, question, {})


async def _gate_page(
    request: Request,
    shared: Services,
    token: str,
    question: Question,
    form: Mapping[str, str],
    problem: str = "",
) -> HTMLResponse:
    person = question.binding.holder
    standing = standing_of(question.journal.state, question.gate, person)
    if problem:
        standing = Standing("Not counted", problem, "bad", standing.is_open)
    nonce = nonce_of(request)
    made = page(
        "gate.html",
        422 if problem else 200,
        sheet=sheet_of(about(shared, question), person, await _plan(shared, question), form),
        standing=standing,
        token=token,
        form_token=form_token(shared.keys.links, token, nonce),
        comment=form.get("comment", ""),
    )
    _give_cookie(made, nonce, shared.public_url)
    return made


async def _plan(shared: Services, question: Question) -> dict[str, JSON]:
    """What the plan says; what the journal shows of it when the rest is gone."""
    try:
        return await whole_plan(shared, question)
    except EngineError:
        return dict(about(shared, question).planned or {})


def _give_cookie(response: Response, nonce: str, public_url: str) -> None:
    parts = urlsplit(public_url)
    response.set_cookie(
        COOKIE,
        nonce,
        max_age=_COOKIE_SECONDS,
        path=f"{parts.path}/{PATH}",
        secure=parts.scheme == "https",
        httponly=True,
        samesite="lax",
    )


def _fault_page(fault: NoLink | Unreachable) -> HTMLResponse:
    if isinstance(fault, Unreachable):
        words = "Prefect does not answer. If you have sent a decision it may be on record: open the link again to see."
        return page("note.html", 503, headline="Not now", words=words)
    words = (
        "It was never valid, its time is over, or what it asked about has changed since. "
        "When a decision is still wanted, the newest message about the run has a link that works."
    )
    return page("note.html", 410 if fault.was_one else 404, headline="This link opens nothing", words=words)
