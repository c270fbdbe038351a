"""The endpoint that Slack calls: a signature first, an answer at once, the work after it."""

from typing import Annotated

import httpx
from fastapi import APIRouter, BackgroundTasks, Depends, Request
from fastapi.responses import JSONResponse, Response

from prefect_wfexec.gateway.approving.reading import read_fields, read_form_body
from prefect_wfexec.gateway.approving.slack.bots import bots_of, signed_for
from prefect_wfexec.gateway.approving.slack.deciding import handle
from prefect_wfexec.gateway.approving.slack.forms import COMMENT
from prefect_wfexec.gateway.approving.slack.payloads import OddPayload, Sent, read_payload
from prefect_wfexec.gateway.bodies import BodyRefused
from prefect_wfexec.gateway.services import Services, services

router = APIRouter(include_in_schema=False)
Shared = Annotated[Services, Depends(services)]


@router.post("/slack/interactions")
async def take_interaction(request: Request, shared: Shared, later: BackgroundTasks) -> Response:
    """Take what Slack sends when somebody uses a message about a gate."""
    from prefect.exceptions import PrefectException

    try:
        body = await read_form_body(request)
    except BodyRefused as refused:
        return _refusal(refused.status, refused.reason)
    try:
        bots = await bots_of(request).get(shared.client)
    except (httpx.HTTPError, PrefectException):
        return _refusal(503, "Prefect can't be asked for the signing secrets")
    signers = signed_for(bots, body, request.headers)
    if not signers:
        return _refusal(401, "the request is not signed by Slack")
    try:
        sent = read_payload(read_fields(body).get("payload", ""))
    except (BodyRefused, OddPayload):
        return _refusal(400, "the payload can't be read")
    if sent is None:
        return Response()
    if _lacks_reason(sent):
        return JSONResponse({"response_action": "errors", "errors": {COMMENT: "Say why: the run shows it."}})
    later.add_task(handle, shared, signers, sent)
    return Response()


def _lacks_reason(sent: Sent) -> bool:
    return sent.filled is not None and sent.press.decision == "reject" and not sent.filled.get(COMMENT, "").strip()


def _refusal(status: int, words: str) -> JSONResponse:
    return JSONResponse({"detail": words}, status)
