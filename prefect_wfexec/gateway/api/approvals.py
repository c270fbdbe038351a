"""What waits for a decision, and deciding."""

import logging
from typing import Any

from fastapi import Request
from starlette.status import HTTP_202_ACCEPTED

from prefect_wfexec.errors import UsageError
from prefect_wfexec.gateway.api.routing import RunName, api_router
from prefect_wfexec.gateway.api.shapes import others as shapes
from prefect_wfexec.gateway.api.shapes.asked import Decide
from prefect_wfexec.gateway.services import services
from prefect_wfexec.gateway.signin.requiring import Approver, Viewer
from prefect_wfexec.operations.decide import Seen, decide
from prefect_wfexec.views.approvals import load_approvals

logger = logging.getLogger(__name__)
router = api_router("approvals")


@router.get("/approvals", response_model=list[shapes.Approval])
async def list_approvals(request: Request, _person: Viewer) -> list[dict[str, Any]]:
    """Every open gate, oldest first."""
    inbox = await load_approvals(services(request).client)
    for passed in inbox.passed_over:
        logger.warning("%s", passed)
    if inbox.unchecked:
        logger.warning("taken on trust, as this process has not their key: %s", ", ".join(inbox.unchecked))
    return inbox.rows


@router.post("/executions/{run}/decisions", response_model=shapes.Decided, status_code=HTTP_202_ACCEPTED)
async def decide_on_gate(request: Request, person: Approver, run: RunName, asked: Decide) -> dict[str, Any]:
    """Decide on an open gate, as the person who is signed in; its engine counts it or says why not."""
    if asked.code and person.verified_by is not None:
        words = "your sign-in proves who you are: a personal code is of no use beside it"
        raise UsageError(words, hint="leave `code` out", code="bad-input")
    flow_run, gate, outcome = await decide(
        services(request).client,
        run,
        asked.decision,
        by=person.name,
        step=asked.step,
        comment=asked.comment,
        code=asked.code,
        fields=asked.fields,
        vouched=None if asked.code else person.actor,
        seen=Seen(asked.generation, asked.subject_digest),
    )
    return {
        "run": flow_run.name,
        "step": gate.step,
        "generation": gate.generation,
        "decision": asked.decision,
        "by": person.name,
        "verified_by": person.verified_by,
        "subject_digest": gate.subject_digest,
        "outcome": outcome,
    }
