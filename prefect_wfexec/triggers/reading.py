"""A verified delivery becomes an event."""

from collections.abc import Callable
from dataclasses import replace

from prefect_wfexec.definition.model import Trigger
from prefect_wfexec.triggers import github, gitlab, incidents, payloads, webhook
from prefect_wfexec.triggers.event import Event, Unreadable
from prefect_wfexec.triggers.received import Received

_READERS: dict[str, Callable[[Received, Trigger], Event]] = {
    "github": github.read,
    "gitlab": gitlab.read,
    "webhook": webhook.read,
    "incident": incidents.read,
}


def read(received: Received, trigger: Trigger) -> Event:
    """What a verified delivery says. The same delivery always gives the same event.

    Raises:
        Unreadable: its content can't be used.
    """
    reader = _READERS.get(trigger.type)
    if reader is None:
        raise Unreadable(f"a trigger of type '{trigger.type}' takes no deliveries")
    event = reader(received, trigger)
    return replace(event, text=payloads.text(event.text) or event.name)
