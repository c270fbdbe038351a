"""Facts and entries: what happened in a run, in the order it was written."""

import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

JSON = Any


class Kind(StrEnum):
    """What a fact says."""

    OPENED = "opened"
    ENTERED = "entered"
    VALIDATED = "validated"
    SUPERSEDED = "superseded"
    LOCK_REQUESTED = "lock_requested"
    LOCK_ACQUIRED = "lock_acquired"
    LOCK_RELEASED = "lock_released"
    STEP_STARTED = "step_started"
    STEP_CLAIMED = "step_claimed"
    STEP_FINISHED = "step_finished"
    STEP_SKIPPED = "step_skipped"
    APPROVAL_OPENED = "approval_opened"
    DECIDED = "decided"
    APPROVAL_CLOSED = "approval_closed"
    NOTIFIED = "notified"
    REQUESTED = "requested"
    CLEANUP_STARTED = "cleanup_started"
    CLEANUP_FINISHED = "cleanup_finished"
    REFUSED = "refused"
    NOTED = "noted"
    RECONCILED = "reconciled"
    CLOSED = "closed"
    RESET = "reset"


MISFITS = (KeyError, ValueError, TypeError, AttributeError, OverflowError, RecursionError)
"""What reading JSON that is not what it should be may raise."""

UNSIGNED = "unsigned"
"""What a cancel holds that came without the key."""

UNKEYED_KINDS = frozenset({Kind.REQUESTED})
"""The kinds a process without the key may write; the fold passes over any other in an unkeyed entry."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who did it. `verified_by` says how the name was proven, None when nobody proved it."""

    name: str
    verified_by: str | None = None

    def as_json(self) -> dict[str, JSON]:
        return {"name": self.name, "verified_by": self.verified_by}


ENGINE = Actor("engine", "engine")


def utc_now() -> datetime:
    return datetime.now(UTC)


class _Ids:
    """Random bits from the system, many at a time: asking it for each few costs more than all else in a fact."""

    SIZE = 12

    def __init__(self) -> None:
        self._bits = b""
        os.register_at_fork(after_in_child=self._forget)

    def __call__(self) -> str:
        """A fresh id of 96 random bits, hexadecimal."""
        if not self._bits:
            self._bits = secrets.token_bytes(64 * self.SIZE)
        taken, self._bits = self._bits[: self.SIZE], self._bits[self.SIZE :]
        return taken.hex()

    def _forget(self) -> None:
        self._bits = b""


new_id = _Ids()


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that happened.

    Attributes:
        kind: What it says.
        data: What it says it about; JSON values, masked.
        actor: Who did it.
        time: When, UTC.
        id: Its own id, made once.
    """

    kind: Kind
    data: Mapping[str, JSON] = field(default_factory=dict)
    actor: Actor = ENGINE
    time: datetime = field(default_factory=utc_now)
    id: str = field(default_factory=new_id)

    def as_json(self) -> dict[str, JSON]:
        return {
            "id": self.id,
            "time": self.time.isoformat(),
            "kind": self.kind.value,
            "actor": self.actor.as_json(),
            "data": dict(self.data),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, JSON]) -> "Fact":
        """The fact in a JSON object.

        Raises:
            ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError: it is none.
        """
        actor = value["actor"]
        time = datetime.fromisoformat(value["time"])
        if time.tzinfo is None or not isinstance(value["data"], dict):
            raise ValueError("not a fact")
        verified_by = actor["verified_by"]
        return cls(
            kind=Kind(value["kind"]),
            data=value["data"],
            actor=Actor(str(actor["name"]), None if verified_by is None else str(verified_by)),
            time=time.astimezone(UTC),
            id=str(value["id"]),
        )


@dataclass(frozen=True, slots=True)
class Entry:
    """One numbered line of the journal, as read.

    Attributes:
        number: Its place, from 1.
        id: Made once by its writer; how a writer finds its own entry after a lost answer.
        facts: What it says; empty when the text is no entry of ours.
        keyed: Whether its signature was checked with the key and holds.
        digest: sha256 of its text; what the next entry names.
        prev: What it says the digest of the entry before it is.
        signed: Whether it carries a signature, by whatever key.
        received: When Prefect's server wrote it down, where that is known.
    """

    number: int
    id: str
    facts: tuple[Fact, ...]
    keyed: bool
    digest: str
    prev: str
    signed: bool = False
    received: datetime | None = None

    @property
    def trusted_facts(self) -> tuple[Fact, ...]:
        """The facts that count: all of a keyed entry, and of any other the requests, whose names nobody has proven.

        A request was made when the server got it, whatever the clock of who made it said.
        """
        facts = self.facts
        if not self.keyed:
            facts = tuple(_unproven(fact) for fact in facts if fact.kind in UNKEYED_KINDS)
        if self.received is None:
            return facts
        return tuple(replace(fact, time=self.received) if fact.kind is Kind.REQUESTED else fact for fact in facts)


def _unproven(fact: Fact) -> Fact:
    """A request that anybody can have written: its name is unproven, and a cancel says that it is unsigned."""
    data = {**fact.data, UNSIGNED: True} if fact.data.get("what") == "cancel" else fact.data
    return replace(fact, actor=Actor(fact.actor.name), data=data)


def canonical_json(value: JSON) -> str:
    """The one text of a JSON value: ASCII, keys sorted, no spaces."""
    return json.dumps(value, ensure_ascii=True, sort_keys=True, separators=(",", ":"), allow_nan=False)
