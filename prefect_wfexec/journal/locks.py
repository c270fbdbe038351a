"""What the journal of a lock says: who holds it, and who waits, in their order. Pure and total.

Only signed entries count: locks are asked for by engines, and given back by them or by a person who has the key.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from prefect_wfexec.journal.facts import ENGINE, MISFITS, Actor, Entry, Fact, Kind

JSON = Any
AFTER = "after"
"""Where an entry's last fact carries the whole state after it, so that a reader needs no more than the last entry."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """One run's place: it has asked for the lock, once, and has it or waits for it."""

    id: str
    run: str
    name: str
    at: datetime

    def as_json(self) -> dict[str, JSON]:
        return {"id": self.id, "run": self.run, "name": self.name, "at": self.at.isoformat()}

    @classmethod
    def from_json(cls, value: Mapping[str, JSON]) -> "Ticket":
        return cls(str(value["id"]), str(value["run"]), str(value["name"]), _moment(value["at"]))


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds the lock; `number` is that of the entry that said so last: the fencing number."""

    ticket: Ticket
    since: datetime
    number: int

    def as_json(self) -> dict[str, JSON]:
        return {"ticket": self.ticket.as_json(), "since": self.since.isoformat(), "number": self.number}

    @classmethod
    def from_json(cls, value: Mapping[str, JSON]) -> "Holder":
        return cls(Ticket.from_json(value["ticket"]), _moment(value["since"]), int(value["number"]))


@dataclass(frozen=True, slots=True)
class LockState:
    """A lock, folded from its journal. `number` is the highest fencing number ever given."""

    key: str = ""
    holder: Holder | None = None
    queue: tuple[Ticket, ...] = ()
    number: int = 0

    @property
    def tickets(self) -> tuple[Ticket, ...]:
        """Everyone who has the lock or waits for it, in their order."""
        return (self.holder.ticket, *self.queue) if self.holder else self.queue

    def ticket_of(self, run: str) -> Ticket | None:
        """A run's ticket, None when it has none."""
        return next((ticket for ticket in self.tickets if ticket.run == run), None)

    def is_held_by(self, run: str) -> bool:
        return self.holder is not None and self.holder.ticket.run == run

    def ahead_of(self, run: str) -> tuple[Ticket, ...]:
        """Those whose turn comes before that of a run; all of them when it has not asked."""
        ticket = self.ticket_of(run)
        return self.tickets if ticket is None else self.tickets[: self.tickets.index(ticket)]

    def as_json(self) -> dict[str, JSON]:
        return {
            "key": self.key,
            "holder": self.holder.as_json() if self.holder else None,
            "queue": [ticket.as_json() for ticket in self.queue],
            "number": self.number,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, JSON]) -> "LockState":
        """The state in a JSON object.

        Raises:
            KeyError, ValueError, TypeError, AttributeError: it is none.
        """
        holder = value["holder"]
        queue = tuple(Ticket.from_json(ticket) for ticket in value["queue"])
        return cls(str(value["key"]), Holder.from_json(holder) if holder else None, queue, int(value["number"]))


def fold_lock(entries: Iterable[Entry], state: LockState | None = None) -> LockState:
    """The state after `entries`, which follow those that made `state`."""
    state = state or LockState()
    for entry in entries:
        if entry.keyed:
            state = fold_lock_facts(entry.facts, state, entry.number)
    return state


def fold_lock_facts(facts: Iterable[Fact], state: LockState, number: int) -> LockState:
    """The state after `facts` of the entry `number`; a fact that does not fit changes nothing."""
    for fact in facts:
        handler = _HANDLERS.get(fact.kind)
        try:
            state = handler(state, fact, number) if handler else state
        except MISFITS:
            continue
    return state


def state_after(entry: Entry) -> LockState | None:
    """The state that an entry says was reached with it; None when it does not say so, or is not to be trusted."""
    if not entry.keyed or not entry.facts:
        return None
    try:
        return LockState.from_json(entry.facts[-1].data[AFTER])
    except MISFITS:
        return None


# -- what is to be written ---------------------------------------------------------------------------------------


def ask(state: LockState, key: str, run: str, name: str, *, may_wait: bool) -> list[Fact]:
    """The facts by which a run gets the lock, or its place in the queue; none when it has that, or may not wait.

    A run that holds the lock holds it anew, with another number: whatever was judged of it before holds no more.
    """
    ticket = state.ticket_of(run)
    if ticket is not None:
        is_next = state.is_held_by(run) or (state.holder is None and state.queue[0] == ticket)
        return [_acquired(ticket.id, run, name)] if is_next else []
    if state.tickets and not may_wait:
        return []
    request = Fact(Kind.LOCK_REQUESTED, {"key": key, "run": run, "name": name})
    return [request] if state.tickets else [request, _acquired(request.id, run, name)]


def give_back(
    state: LockState, ticket: Ticket, reason: str, *, number: int | None = None, by: Actor = ENGINE
) -> list[Fact]:
    """The fact that ends a ticket; none when it has ended.

    Args:
        state: The lock.
        ticket: The ticket.
        reason: Why.
        number: The number it must still have, 0 for one that waits: the run may have come back to life. None: any.
        by: Who says so.
    """
    current = state.ticket_of(ticket.run)
    held = state.holder.number if state.holder is not None and state.holder.ticket == ticket else 0
    if current is None or current.id != ticket.id or number not in {None, held}:
        return []
    data = {"ticket": ticket.id, "run": ticket.run, "name": ticket.name, "number": held, "reason": reason}
    return [Fact(Kind.LOCK_RELEASED, data, actor=by)]


def _acquired(ticket: str, run: str, name: str) -> Fact:
    return Fact(Kind.LOCK_ACQUIRED, {"ticket": ticket, "run": run, "name": name})


# -- what it means -----------------------------------------------------------------------------------------------


def _requested(state: LockState, fact: Fact, _number: int) -> LockState:
    ticket = Ticket(fact.id, str(fact.data["run"]), str(fact.data["name"]), fact.time)
    key = state.key or str(fact.data["key"])
    if state.ticket_of(ticket.run) or any(known.id == ticket.id for known in state.tickets):
        return state
    return replace(state, key=key, queue=(*state.queue, ticket))


def _is_acquired(state: LockState, fact: Fact, number: int) -> LockState:
    ticket = str(fact.data["ticket"])
    if number <= state.number:
        return state
    if state.holder is not None:
        if state.holder.ticket.id != ticket:
            return state
        return replace(state, holder=replace(state.holder, number=number), number=number)
    if not state.queue or state.queue[0].id != ticket:
        return state
    return replace(state, holder=Holder(state.queue[0], fact.time, number), queue=state.queue[1:], number=number)


def _released(state: LockState, fact: Fact, _number: int) -> LockState:
    ticket = str(fact.data["ticket"])
    if state.holder is not None and state.holder.ticket.id == ticket:
        is_another = fact.data.get("number") not in {None, state.holder.number}
        return state if is_another else replace(state, holder=None)
    return replace(state, queue=tuple(waiting for waiting in state.queue if waiting.id != ticket))


_HANDLERS = {
    Kind.LOCK_REQUESTED: _requested,
    Kind.LOCK_ACQUIRED: _is_acquired,
    Kind.LOCK_RELEASED: _released,
}


def _moment(text: JSON) -> datetime:
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError("a time without a zone")
    return found.astimezone(UTC)
