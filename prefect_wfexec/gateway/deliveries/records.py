"""What is kept of a delivery."""

import secrets
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from prefect_wfexec.definition.model import JSON


def new_id() -> str:
    """An id nobody can guess."""
    return f"dlv_{secrets.token_hex(12)}"


class Outcome(StrEnum):
    """What came of a delivery."""

    ACCEPTED = "accepted"
    """It is kept, and its run is about to be started."""
    STARTED = "started"
    DUPLICATE = "duplicate"
    IGNORED = "ignored"
    """It was sound, and the trigger does not take it."""
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One delivery.

    Attributes:
        workflow: The name of the workflow it was sent to.
        trigger: The id of the trigger it was sent to.
        received: When it came, UTC.
        outcome: What came of it.
        reason: Why, in words.
        id: Its own id, made here.
        dedupe_key: What the same delivery has when it comes again; None where each one counts.
        event: The event's name, as the trigger's type has it.
        text: The event in words.
        remote: The address it came from.
        headers: Its headers without those that hold secrets.
        body: What it carried; None when that was not kept.
        run: The id of the run it started.
        run_name: That run's name.
        redelivery_of: The delivery this one repeats.
        attempts: How often starting its run has been tried.
        not_before: When it may be tried again.
    """

    workflow: str
    trigger: str
    received: datetime
    outcome: Outcome
    reason: str = ""
    id: str = field(default_factory=new_id)
    dedupe_key: str | None = None
    event: str = ""
    text: str = ""
    remote: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None
    run: str | None = None
    run_name: str | None = None
    redelivery_of: str | None = None
    attempts: int = 0
    not_before: datetime | None = None

    @property
    def source(self) -> str:
        """Where it was sent: deliveries are told apart within one source."""
        return f"{self.workflow}/{self.trigger}"

    def as_json(self) -> dict[str, JSON]:
        """As the command line and the API show it."""
        return {
            "id": self.id,
            "workflow": self.workflow,
            "trigger": self.trigger,
            "event": self.event or None,
            "text": self.text or None,
            "received": self.received.isoformat().replace("+00:00", "Z"),
            "outcome": self.outcome.value,
            "reason": self.reason,
            "run": self.run_name,
            "redelivery_of": self.redelivery_of,
        }
