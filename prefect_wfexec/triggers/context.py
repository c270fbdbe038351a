"""Who or what started a run, as the run is told."""

import json
from dataclasses import dataclass, field

from prefect_wfexec.definition.model import JSON, Trigger
from prefect_wfexec.status import TriggerKind
from prefect_wfexec.triggers.event import Event

LARGEST_SENT_CHARACTERS = 200 * 1024
"""Of a run's context: Prefect takes parameters of 512 KiB, in which every quote of this text is escaped again."""


@dataclass(frozen=True, slots=True)
class RunContext:
    """Who or what started a run.

    Attributes:
        triggered_by: The word of the history's Triggered By column.
        user: The person, None when nobody is known.
        trigger: `{type, id, text}` and whatever the trigger adds; what `trigger` is in expressions.
    """

    triggered_by: TriggerKind
    user: str | None
    trigger: dict[str, JSON] = field(default_factory=dict)

    def as_text(self) -> str:
        """The text for the reserved parameter. A payload that is too large for it is left out: null stands for it."""
        text = _as_text(self, self.trigger)
        if len(text) > LARGEST_SENT_CHARACTERS and "payload" in self.trigger:
            text = _as_text(self, self.trigger | {"payload": None})
        return text


def _as_text(context: RunContext, trigger: dict[str, JSON]) -> str:
    return json.dumps({"triggered_by": context.triggered_by.value, "user": context.user, "trigger": trigger})


def trigger_scope(trigger: Trigger, event: Event) -> dict[str, JSON]:
    """What `trigger` is in a trigger's own expressions: all of the payload is in it."""
    facts = {"event": event.name, "delivery": event.sent_as or event.delivery_id, **event.facts}
    return {"type": trigger.type, "id": trigger.id, "text": event.text, **facts, "payload": event.payload}


def trigger_context(trigger: Trigger, event: Event) -> RunContext:
    """What a run is told of the delivery that starts it; all of the payload is in it until it is made text."""
    return RunContext(event.triggered_by, event.user, trigger_scope(trigger, event))
