"""Which messages about a gate are due: worked out from what was sent so far. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from prefect_wfexec.definition.notify import is_mail_address
from prefect_wfexec.engine.approvals.codes import code_round
from prefect_wfexec.engine.approvals.people import person_key
from prefect_wfexec.journal.state import ExecutionState, Gate, Notice

Kind = Literal["asked", "reminder", "changed"]
Channel = Literal["slack", "mail"]
LONGEST_LEAD = timedelta(hours=1)
LEAD_SHARE = 0.25
TRY_AGAIN_AFTER = timedelta(minutes=1)
MOST_TRIES = 8
"""A reminder comes an hour before a gate expires, or when a quarter of its time is left, if that is less."""


@dataclass(frozen=True, slots=True)
class Due:
    """One message to send.

    Attributes:
        key: What tells it from every other message about the gate.
        step: The gate's step.
        generation: The gate's generation.
        kind: A decision is wanted, time runs out, or an earlier message is to be changed.
        channel: How it is sent.
        to: A Slack channel, or a mail address.
        block: The block to send with.
        person: The approver it is for, whose codes stand in it; empty for anybody else.
        place: Where the earlier message is, for one that is to be changed.
    """

    key: str
    step: str
    generation: int
    kind: Kind
    channel: Channel
    to: str
    block: str
    person: str = ""
    place: tuple[tuple[str, str], ...] = ()


def due_notices(state: ExecutionState, now: datetime) -> list[Due]:
    """What is to be sent about the gates of a run."""
    found: list[Due] = []
    for gate in state.gates:
        if gate.notify and gate.covered_by is None:
            found += [due for due in _of(gate, now) if _is_unsent(due, gate, now)]
    return found


def _is_unsent(due: Due, gate: Gate, now: datetime) -> bool:
    """Whether a message was never sent, or could not be, and is to be tried again by now."""
    known = gate.notices.get(due.key)
    if known is None:
        return True
    return bool(known.error) and known.tries < MOST_TRIES and known.at + TRY_AGAIN_AFTER * 2**known.tries <= now


def next_reminder(state: ExecutionState, now: datetime) -> datetime | None:
    """When the next reminder will be due, None when none will."""
    moments = [reminder_moment(gate) for gate in state.open_gates if gate.notify]
    return min((moment for moment in moments if moment is not None and moment > now), default=None)


def reminder_moment(gate: Gate) -> datetime | None:
    """When who has not decided is reminded; None for a gate that does not expire."""
    if gate.expires is None:
        return None
    return gate.expires - min(LONGEST_LEAD, (gate.expires - gate.opened) * LEAD_SHARE)


def _of(gate: Gate, now: datetime) -> Iterator[Due]:
    for channel, block in _slack_channels(gate):
        if gate.is_open:
            yield _due(gate, f"asked:slack:{channel}", "asked", "slack", channel, block)
        yield from _changes(gate, channel, block)
    if not gate.is_open:
        return
    moment = reminder_moment(gate)
    is_late = moment is not None and moment <= now
    for address, block, person in _mailboxes(gate):
        suffix = f":{code_round(gate, person)}" if person else ""
        yield _due(gate, f"asked:mail:{address}{suffix}", "asked", "mail", address, block, person)
        if is_late and (person or not gate.is_governed):
            yield _due(gate, f"reminder:mail:{address}", "reminder", "mail", address, block, person)
    for channel, block in _slack_channels(gate) if is_late else ():
        yield _due(gate, f"reminder:slack:{channel}", "reminder", "slack", channel, block)


def _changes(gate: Gate, channel: str, block: str) -> Iterator[Due]:
    """What was posted shows who has decided, and has no buttons once the gate is closed."""
    word = gate.outcome or f"{len(gate.decisions)}"
    asked, reminder = (gate.notices.get(f"{kind}:slack:{channel}") for kind in ("asked", "reminder"))
    if asked is not None and asked.place and (gate.decisions or not gate.is_open):
        yield _change(gate, f"changed:slack:{channel}:{word}", channel, block, asked)
    # A reminder shows the decisions that were there when it was posted.
    if reminder is not None and reminder.place:
        is_newer = any(found.at > reminder.at for found in gate.decisions)
        if is_newer or not gate.is_open:
            yield _change(gate, f"changed:slack:{channel}:reminder:{word}", channel, block, reminder)


def _change(gate: Gate, key: str, channel: str, block: str, notice: Notice) -> Due:
    place = tuple(sorted((str(name), str(value)) for name, value in notice.place.items()))
    return Due(key, gate.step, gate.generation, "changed", "slack", channel, block, place=place)


def _due(gate: Gate, key: str, kind: Kind, channel: Channel, to: str, block: str, person: str = "") -> Due:
    return Due(key, gate.step, gate.generation, kind, channel, to, block, person)


def _slack_channels(gate: Gate) -> list[tuple[str, str]]:
    found: dict[str, str] = {}
    for one in gate.notify:
        if one.get("slack"):
            found.setdefault(str(one["slack"]), str(one.get("block") or "slack"))
    return list(found.items())


def _mailboxes(gate: Gate) -> list[tuple[str, str, str]]:
    """(address, block, approver): those whom the rules name, and every approver named by an address."""
    mails: list[dict[str, Any]] = [dict(one) for one in gate.notify if one.get("mail")]
    if not mails:
        return []
    block = str(mails[0].get("block") or "mail")
    given = {person_key(found.by.name) for found in gate.decisions}
    # Codes go where the rules name a person, and nowhere else: another spelling may be another's mailbox.
    found = {person_key(name): (name, block, name) for name in gate.approvers if is_mail_address(name)}
    for one in mails:
        for address in map(str, one["mail"]):
            if address not in gate.approvers:
                found.setdefault(address, (address, str(one.get("block") or "mail"), ""))
    # Who has decided needs no code any more, unless it is to take a decision back.
    return [one for key, one in found.items() if key not in given]
