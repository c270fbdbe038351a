"""What PagerDuty and Alertmanager send."""

import hashlib
import json
import re

from prefect_wfexec.definition.model import JSON, Trigger
from prefect_wfexec.status import TriggerKind
from prefect_wfexec.triggers import payloads
from prefect_wfexec.triggers.event import Event, Unreadable
from prefect_wfexec.triggers.received import Received

_NAME = re.compile(r"[a-z][a-z_.]{0,99}", re.ASCII)
_NEW = ("triggered", "firing")
"""What goes without saying of an incident."""


def read(received: Received, trigger: Trigger) -> Event:
    """The event of an incident's delivery.

    Raises:
        Unreadable: its content can't be used.
    """
    payload = payloads.read_object(received)
    return _pagerduty(payload) if trigger.options.get("provider") == "pagerduty" else _alertmanager(payload)


def _pagerduty(payload: JSON) -> Event:
    event = payloads.get(payload, "event")
    kind, id_ = payloads.exact(event, "event_type"), payloads.exact(event, "id")
    if kind is None or not _NAME.fullmatch(kind) or id_ is None:
        raise Unreadable("it has no 'event' with an 'event_type' and an 'id'")
    # What happens to a part of an incident says which incident it belongs to.
    incident = payloads.get(event, "data", "incident") or payloads.get(event, "data")
    status = kind.partition(".")[2].replace("_", " ").replace(".", " ")
    facts = _incident(
        id=payloads.text(incident, "id"),
        title=payloads.text(incident, "title") or payloads.text(incident, "summary"),
        severity=payloads.text(incident, "priority", "summary") or payloads.text(incident, "urgency"),
        url=payloads.link(incident, "html_url"),
        status=payloads.text(incident, "status"),
        service=payloads.text(incident, "service", "summary"),
    )
    return Event(
        name=kind,
        text=_text(facts, status),
        triggered_by=TriggerKind.INCIDENT,
        delivery_id=f"event:{id_}",
        payload=payload,
        facts={"incident": facts},
        sent_as=id_,
        happened=payloads.moment(event, "occurred_at"),
        idle="ping: the webhook is set up" if kind == "pagey.ping" else "",
    )


def _alertmanager(payload: JSON) -> Event:
    status, alerts = payloads.exact(payload, "status"), payloads.listed(payload, "alerts")
    if status not in {"firing", "resolved"} or not alerts or payloads.exact(payload, "groupKey") is None:
        raise Unreadable("it has no 'status' that is firing or resolved, no 'alerts', or no 'groupKey'")
    name = payloads.text(payload, "commonLabels", "alertname") or payloads.text(alerts[0], "labels", "alertname")
    facts = _incident(
        id=name,
        title=_title(payload, alerts[0]),
        severity=payloads.text(payload, "commonLabels", "severity") or payloads.text(alerts[0], "labels", "severity"),
        url=payloads.link(alerts[0], "generatorURL") or payloads.link(payload, "externalURL"),
        status=status,
        service=payloads.text(payload, "commonLabels", "service") or payloads.text(payload, "commonLabels", "job"),
    )
    facts["alerts"] = len(alerts)
    return Event(
        name=f"alert.{status}",
        text=_text(facts, str(status)),
        triggered_by=TriggerKind.INCIDENT,
        delivery_id=f"alerts:{_digest(payload)}",
        aliases=(str(status),),
        payload=payload,
        facts={"incident": facts},
    )


def _title(payload: JSON, alert: JSON) -> str | None:
    for annotations in (payloads.get(payload, "commonAnnotations"), payloads.get(alert, "annotations")):
        for key in ("summary", "title", "description"):
            found = payloads.first_line(annotations, key)
            if found is not None:
                return found
    return None


def _digest(payload: JSON) -> str:
    """The same for every time Alertmanager repeats that the same alerts fire, and another when one comes or goes."""
    keys = ("fingerprint", "labels", "status", "startsAt")
    alerts = [[payloads.get(alert, key) for key in keys] for alert in payloads.listed(payload, "alerts")]
    state = [payloads.get(payload, "groupKey"), payloads.get(payload, "receiver"), payloads.get(payload, "status")]
    parts = [json.dumps(part, sort_keys=True) for part in (state, *alerts)]
    return hashlib.sha256("\n".join(sorted(parts)).encode()).hexdigest()


def _incident(**known: JSON) -> dict[str, JSON]:
    return known


def _text(facts: dict[str, JSON], status: str) -> str:
    """E.g. `Incident PT4KHLK: The server is on fire.`."""
    number = f"({facts['alerts']} alerts)" if facts.get("alerts", 1) > 1 else ""
    parts = [part for part in ("Incident", facts["id"], "" if status in _NEW else status, number) if part]
    return f"{' '.join(parts)}: {facts['title']}" if facts["title"] else " ".join(parts)
