"""What any other program sends."""

import hashlib
import re

from prefect_wfexec.definition.model import JSON, Trigger
from prefect_wfexec.status import TriggerKind
from prefect_wfexec.triggers import payloads
from prefect_wfexec.triggers.event import Event
from prefect_wfexec.triggers.received import Received

ID_HEADERS = ("idempotency-key", "x-idempotency-key", "x-request-id", "webhook-id", "ce-id")
"""Where senders name a delivery, by what they mean most."""
_NAME = re.compile(r"[\w.:/-]{1,100}", re.ASCII)


def read(received: Received, trigger: Trigger) -> Event:
    """The event of a generic delivery; an empty body is an empty object.

    Raises:
        Unreadable: its content can't be used.
    """
    payload: JSON = payloads.read_json(received) if received.body.strip() else {}
    kind = payloads.exact(payload, "type")
    name = kind if kind is not None and _NAME.fullmatch(kind) else "webhook"
    given = _given_id(received)
    return Event(
        name=name,
        text="Webhook" if name == "webhook" else f"Webhook {name}",
        triggered_by=TriggerKind.WEBHOOK,
        delivery_id=_delivery_id(received, str(trigger.options.get("scheme", "standard")), given),
        payload=payload,
        sent_as=payloads.text(given),
    )


def _delivery_id(received: Received, scheme: str, given: str | None) -> str:
    """What tells deliveries apart, as far as their proof covers it."""
    if scheme == "standard":
        # Without it nothing was signed.
        return f"webhook-id:{next(iter(received.values('webhook-id')), '').strip()}"
    if scheme == "hmac":
        # Only the body is signed: whoever repeats it could write any id beside it.
        return f"sha256:{hashlib.sha256(received.body).hexdigest()}"
    return f"id:{given}" if given is not None else f"received:{received.id}"


def _given_id(received: Received) -> str | None:
    for name in ID_HEADERS:
        values = received.values(name)
        if len(values) == 1 and values[0].strip():
            return values[0].strip()[:200]
    return None
