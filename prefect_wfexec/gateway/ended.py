"""The end of a run, as it is delivered to workflows that start after it."""

import json
from typing import TYPE_CHECKING, Any

from prefect_wfexec.engine.context import PARAMETER
from prefect_wfexec.status import RunStatus, TriggerKind
from prefect_wfexec.triggers.event import Event

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun

LONGEST_CHAIN = 20
_USER_TAG = "user:"


def ended_body(workflow: str, run: "FlowRun", status: RunStatus) -> bytes:
    """What is kept of the end of a run."""
    users = [tag.removeprefix(_USER_TAG) for tag in run.tags if tag.startswith(_USER_TAG)]
    body = {
        "workflow": workflow,
        "run": {"id": str(run.id), "name": run.name},
        "status": status.value,
        "user": users[0] if users else None,
        "chain": _chain(run) + 1,
    }
    return json.dumps(body).encode()


def ended_event(body: bytes) -> Event:
    """The event that such a delivery stands for."""
    payload: dict[str, Any] = json.loads(body)
    is_endless = payload["chain"] > LONGEST_CHAIN
    return Event(
        payload["status"],
        f"{payload['workflow']} {payload['status']} ({payload['run']['name']})",
        TriggerKind.WORKFLOW,
        delivery_id="",
        user=payload["user"],
        payload=payload,
        facts={"workflow": payload["workflow"], "run": payload["run"], "status": payload["status"]},
        idle=f"more than {LONGEST_CHAIN} runs have started each other in a row" if is_endless else "",
    )


def _chain(run: "FlowRun") -> int:
    """How many runs have started each other before this one."""
    try:
        return int(json.loads(run.parameters[PARAMETER])["trigger"]["payload"]["chain"])
    except (KeyError, TypeError, ValueError):
        return 0
