"""`POST /hooks/{workflow}/{trigger}`: checked over its raw bytes, kept, acknowledged; the run starts after."""

import asyncio
import hashlib
import logging
from collections.abc import Iterable, Mapping
from dataclasses import replace
from http import HTTPStatus

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from sqlalchemy.exc import SQLAlchemyError
from starlette.responses import Response
from starlette.routing import Route

from prefect_wfexec.errors import WfexecError
from prefect_wfexec.gateway.bodies import BodyRefused, read_body
from prefect_wfexec.gateway.catalog import Catalog, Target
from prefect_wfexec.gateway.deliveries.records import Delivery, Outcome
from prefect_wfexec.gateway.receiver import Receiver, receiver
from prefect_wfexec.journal.facts import utc_now
from prefect_wfexec.triggers.event import Event, Unreadable
from prefect_wfexec.triggers.reading import read
from prefect_wfexec.triggers.received import Received, headers_of
from prefect_wfexec.triggers.signatures import Unverified, verify

logger = logging.getLogger(__name__)
router = APIRouter(tags=["webhooks"])

PATH = "/hooks/{workflow}/{trigger}"
LARGE_BYTES = 64 * 1024
LONGEST_HEADER = 300
LONGEST_TEXT = 500
KEPT_HEADERS = frozenset(
    {
        "content-type",
        "content-length",
        "user-agent",
        "idempotency-key",
        "x-request-id",
        "x-github-event",
        "x-github-delivery",
        "x-github-hook-id",
        "x-github-hook-installation-target-type",
        "x-gitlab-event",
        "x-gitlab-event-uuid",
        "x-gitlab-webhook-uuid",
        "x-gitlab-instance",
        "webhook-id",
        "webhook-timestamp",
        "x-webhook-id",
    }
)
"""No other header is kept: one that nobody knows may hold a secret."""


class _Refused(Exception):
    def __init__(self, status: HTTPStatus, reason: str, answer: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.answer = answer


@router.post(
    PATH,
    status_code=HTTPStatus.ACCEPTED,
    summary="Deliver an event to a trigger of a workflow",
    responses={status: {"description": HTTPStatus(status).phrase} for status in (400, 401, 404, 408, 413, 415, 503)},
)
async def receive(workflow: str, trigger: str, request: Request) -> JSONResponse:
    """Keep a delivery that proves itself, and acknowledge it with its id."""
    shared = receiver(request)
    headers = headers_of(request.headers.raw)
    remote = request.client.host if request.client else ""
    attempt = Delivery(
        workflow=_plain(workflow, 200),
        trigger=_plain(trigger, 64),
        received=utc_now(),
        outcome=Outcome.REFUSED,
        remote=remote,
        headers=_kept(headers),
    )
    request.state.delivery = attempt.id
    try:
        targets = await _targets(shared.catalog, workflow, trigger)
        body = await read_body(request, shared.largest_bytes)
        received = Received(body, headers, remote, f"POST {request.url.path}", attempt.received, attempt.id)
        event = await _event(shared.catalog, targets, received)
        return await _keep(shared, attempt, event, body)
    except BodyRefused as refusal:
        return await _refuse(shared, attempt, _Refused(refusal.status, str(refusal), str(refusal)))
    except _Refused as refusal:
        return await _refuse(shared, attempt, refusal)


def route() -> Route:
    """The same, to be asked before the router.

    What FastAPI does for each request, of which nothing is needed here, costs a fifth of an acknowledgement; the router
    has the route in the OpenAPI document.
    """

    async def endpoint(request: Request) -> Response:
        return await receive(request.path_params["workflow"], request.path_params["trigger"], request)

    return Route(PATH, endpoint, methods=["POST"])


async def _targets(catalog: Catalog, workflow: str, trigger: str) -> tuple[Target, ...]:
    found = tuple(one for one in await catalog.find(workflow, trigger) if one.secret)
    if found:
        return found
    if not catalog.is_loaded:
        words = "prefect was not reached yet"
        raise _Refused(HTTPStatus.SERVICE_UNAVAILABLE, words, "not ready yet, try again")
    raise _Refused(HTTPStatus.NOT_FOUND, "no deployed workflow has this trigger", "not found")


async def _event(catalog: Catalog, targets: tuple[Target, ...], received: Received) -> Event:
    target = await _verified(catalog, targets, received)
    try:
        if len(received.body) > LARGE_BYTES:
            return await asyncio.to_thread(read, received, target.trigger)
        return read(received, target.trigger)
    except Unreadable as error:
        raise _Refused(HTTPStatus.BAD_REQUEST, error.reason, error.reason) from None


async def _verified(catalog: Catalog, targets: tuple[Target, ...], received: Received) -> Target:
    """The first target whose secret fits; secrets are read again before a delivery is turned away."""
    reason = ""
    for is_again in (False, True):
        for target in targets:
            try:
                secrets = await catalog.secrets_again(target) if is_again else catalog.secrets_of(target)
                verify(target.trigger, secrets, received)
            except Unverified as error:
                reason = error.reason
            except WfexecError as error:
                reason = error.message
            except Exception:  # a checker that fails is no proof
                logger.exception("the signature of a delivery could not be checked")
                reason = "its signature could not be checked"
            else:
                return target
    raise _Refused(HTTPStatus.UNAUTHORIZED, reason, "not authorized")


async def _keep(shared: Receiver, attempt: Delivery, event: Event, body: bytes) -> JSONResponse:
    delivery = replace(
        attempt,
        outcome=Outcome.ACCEPTED,
        dedupe_key=_key(event),
        event=_plain(event.name, 200),
        text=_plain(event.text, LONGEST_TEXT),
        body=body,
    )
    try:
        kept = await shared.store.add(delivery)
    except SQLAlchemyError:
        logger.exception("a delivery could not be kept")
        return _answer(HTTPStatus.SERVICE_UNAVAILABLE, {"error": "not kept, try again"}, retry=True)
    if kept.duplicate_of is None:
        shared.starter.wake()
    outcome = Outcome.DUPLICATE if kept.duplicate_of else Outcome.ACCEPTED
    return _answer(HTTPStatus.ACCEPTED, {"id": kept.id, "outcome": outcome.value})


async def _refuse(shared: Receiver, attempt: Delivery, refusal: _Refused) -> JSONResponse:
    try:
        await shared.store.refuse(replace(attempt, reason=refusal.reason))
    except SQLAlchemyError:
        logger.exception("a refused request could not be put on record")
    is_away = refusal.status is HTTPStatus.SERVICE_UNAVAILABLE
    return _answer(refusal.status, {"id": attempt.id, "error": refusal.answer}, retry=is_away, close=not is_away)


def _answer(
    status: HTTPStatus, content: Mapping[str, str], *, retry: bool = False, close: bool = False
) -> JSONResponse:
    headers = ({"retry-after": "5"} if retry else {}) | ({"connection": "close"} if close else {})
    return JSONResponse(dict(content), status, headers)


def _key(event: Event) -> str:
    """What tells an event apart, in a form that fits the database."""
    return hashlib.sha256(event.delivery_id.encode()).hexdigest()


def _kept(headers: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    return tuple((name, _plain(value, LONGEST_HEADER)) for name, value in headers if name in KEPT_HEADERS)


def _plain(text: str, longest: int) -> str:
    return "".join(character if character.isprintable() else "?" for character in text[:longest])
