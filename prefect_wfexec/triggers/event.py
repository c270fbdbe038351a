"""What a delivery says, in the same words for every service."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from prefect_wfexec.definition.model import JSON
from prefect_wfexec.errors import WfexecError
from prefect_wfexec.status import TriggerKind


class Unreadable(WfexecError):
    """A delivery whose signature is right and whose content can't be used.

    Attributes:
        reason: Why, in words that may be shown to anybody who may see deliveries.
    """

    code = "unreadable-delivery"

    def __init__(self, reason: str) -> None:
        super().__init__(f"the delivery can't be read: {reason}")
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Event:
    """What happened, as far as its signature vouches for it.

    Attributes:
        name: What `events` of a trigger names, e.g. `push` or `pull_request.opened`.
        text: What the history shows, e.g. `Git Push (main @ abc1234)`.
        triggered_by: The word of the history's Triggered By column.
        delivery_id: What two deliveries of the same event have in common, and nobody can change who lacks the secret.
        user: Who did it, None when nobody is named.
        payload: The JSON that was sent.
        facts: What expressions find in `trigger` beside the payload; every key of the kind is there, null if unknown.
        aliases: Other names of the same event, those of another service say.
        branch: The branch that `branches` is about; a pull request's is its base.
        tag: The tag that `tags` is about.
        paths: The files that changed; None when the service did not name them all.
        idle: Why this event starts nothing, whatever the trigger takes; empty for any other.
        sent_as: What the sender calls the delivery, for people who look for it there; nothing rests on it.
        happened: When it happened, as the signed content has it.
    """

    name: str
    text: str
    triggered_by: TriggerKind
    delivery_id: str
    user: str | None = None
    payload: JSON = None
    facts: Mapping[str, JSON] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()
    branch: str | None = None
    tag: str | None = None
    paths: tuple[str, ...] | None = None
    idle: str = ""
    sent_as: str | None = None
    happened: datetime | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Every name it goes by."""
        return (self.name, *self.aliases)
