"""Deliveries that come again when nobody remembers them any more."""

from datetime import datetime, timedelta

from prefect_wfexec.triggers.event import Event


def why_too_old(event: Event, at: datetime, remembered: timedelta) -> str | None:
    """Why an event must not start a run any more; None when it may.

    Ids of deliveries are remembered for a time. Whoever repeats a delivery later than that would start a second run,
    where the signature covers no time; but the content says when it happened.

    Args:
        event: What happened.
        at: When the delivery came.
        remembered: For how long at least the ids of deliveries are remembered.
    """
    if event.happened is None or at - event.happened <= remembered:
        return None
    days = (at - event.happened).days
    return f"it happened {days} {'day' if days == 1 else 'days'} ago, and may have started a run then"
