"""Facts and entries for tests: short to write, with times that count from one fixed moment."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import settings

from prefect_wfexec.journal.entries import read_entry, write_entry
from prefect_wfexec.journal.facts import ENGINE, Actor, Entry, Fact, Kind, new_id
from prefect_wfexec.journal.fold import fold
from prefect_wfexec.journal.keys import Keys
from prefect_wfexec.journal.state import ExecutionState

unhurried = settings(deadline=None)
"""For property tests: how long one example takes says more of the machine than of the code."""

START = datetime(2030, 1, 1, 12, 0, 0, tzinfo=UTC)
KEYS = Keys("a key of more than sixteen characters")
OTHER_KEYS = Keys("another key of more than sixteen characters")
RUN = "00000000-0000-4000-8000-000000000000"


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def fact(kind: Kind, seconds: float = 0.0, /, actor: Actor = ENGINE, **data: Any) -> Fact:
    return Fact(kind, data, actor=actor, time=at(seconds))


def opened(seconds: float = 0.0, **data: Any) -> Fact:
    given = {"definition": "text", "digest": "d", "workflow": "example", "inputs": {}, "user": "jane", **data}
    return fact(Kind.OPENED, seconds, **given)


def entered(engine: str = "e1", seconds: float = 0.0, **data: Any) -> Fact:
    return fact(Kind.ENTERED, seconds, engine=engine, **data)


def started(step: str, attempt: int = 1, engine: str = "e1", seconds: float = 0.0) -> Fact:
    return fact(Kind.STEP_STARTED, seconds, step=step, attempt=attempt, engine=engine)


def finished(
    step: str, status: str = "Success", attempt: int = 1, engine: str = "e1", seconds: float = 0.0, **data: Any
) -> Fact:
    return fact(Kind.STEP_FINISHED, seconds, step=step, attempt=attempt, engine=engine, status=status, **data)


def skipped(step: str, cause: str = "condition", seconds: float = 0.0, **data: Any) -> Fact:
    return fact(Kind.STEP_SKIPPED, seconds, step=step, cause=cause, **data)


def gate_opened(step: str, seconds: float = 0.0, generation: int = 1, **data: Any) -> Fact:
    given = {"message": "Apply?", "subject_digest": "abc", **data}
    return fact(Kind.APPROVAL_OPENED, seconds, step=step, generation=generation, **given)


def gate_closed(step: str, outcome: str = "approved", seconds: float = 0.0, generation: int = 1) -> Fact:
    return fact(Kind.APPROVAL_CLOSED, seconds, step=step, generation=generation, outcome=outcome)


def decided(step: str, decision: str = "approve", by: str = "jane", seconds: float = 0.0, **data: Any) -> Fact:
    given = {"generation": 1, "comment": "", **data}
    return fact(Kind.DECIDED, seconds, Actor(by), step=step, decision=decision, **given)


def requested(what: str, seconds: float = 0.0, by: str = "jane", **data: Any) -> Fact:
    return fact(Kind.REQUESTED, seconds, Actor(by), what=what, **data)


def closed(status: str = "Succeeded", engine: str = "e1", seconds: float = 0.0, **data: Any) -> Fact:
    return fact(Kind.CLOSED, seconds, engine=engine, status=status, **data)


def entry(facts: Sequence[Fact], number: int = 1, keyed: bool = True) -> Entry:
    return Entry(number, new_id(), tuple(facts), keyed, digest="", prev="")


def entries(groups: Iterable[Sequence[Fact]], first: int = 1) -> list[Entry]:
    """One keyed entry for each group of facts."""
    return [entry(group, number) for number, group in enumerate(groups, first)]


def folded(*facts: Fact) -> ExecutionState:
    """The state after these facts, each in a keyed entry of its own."""
    return fold(entries([one] for one in facts))


def chain(groups: Iterable[Sequence[Fact]], keys: Keys | None = KEYS, run: str = RUN) -> list[str]:
    """The texts of a journal, as written one after the other."""
    texts: list[str] = []
    prev = ""
    for number, group in enumerate(groups, 1):
        texts.append(write_entry(run, number, new_id(), prev, group, keys))
        prev = read_entry(run, number, texts[-1], keys).digest
    return texts
