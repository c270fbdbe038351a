"""A verified delivery becomes an event."""

from prefect_wfexec.definition.model import Trigger
from prefect_wfexec.triggers.event import Event
from prefect_wfexec.triggers.received import Received


def read(received: Received, trigger: Trigger) -> Event:
    """What a verified delivery says.

    Raises:
        Unreadable: its content can't be used.
    """
    raise NotImplementedError
