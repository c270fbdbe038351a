"""The fold of a lock's journal: one holder at most, first come first served, numbers that only grow."""

from collections.abc import Sequence
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_wfexec.journal.facts import Actor, Entry, Fact, Kind
from prefect_wfexec.journal.locks import (
    AFTER,
    LockState,
    ask,
    fold_lock,
    fold_lock_facts,
    give_back,
    state_after,
)
from tests.unit.journal.strategies import GARBAGE
from tests.unit.journal.support import at, entry, unhurried

RUNS = ["a", "b", "c", "d"]
KEY = "tf/network"


class Lock:
    """A journal in memory: what the decisions say is appended."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.state = LockState()

    def append(self, facts: Sequence[Fact], keyed: bool = True) -> list[Fact]:
        if facts:
            self.entries.append(entry(facts, len(self.entries) + 1, keyed))
            self.state = fold_lock([self.entries[-1]], self.state)
        return list(facts)

    def ask(self, run: str, may_wait: bool = True) -> list[Fact]:
        return self.append(ask(self.state, KEY, run, f"wfr_{run}", may_wait=may_wait))

    def leave(self, run: str, **more: Any) -> list[Fact]:
        ticket = self.state.ticket_of(run)
        return self.append(give_back(self.state, ticket, "it ended", **more)) if ticket else []

    @property
    def runs(self) -> tuple[str | None, list[str]]:
        holder = self.state.holder
        return (holder.ticket.run if holder else None), [ticket.run for ticket in self.state.queue]


@pytest.fixture
def lock() -> Lock:
    return Lock()


def test_a_free_lock_is_had_at_once(lock: Lock) -> None:
    kinds = [fact.kind for fact in lock.ask("a")]
    assert kinds == [Kind.LOCK_REQUESTED, Kind.LOCK_ACQUIRED]
    assert lock.runs == ("a", [])
    assert lock.state.key == KEY and lock.state.holder is not None and lock.state.holder.number == 1


def test_who_comes_first_is_served_first(lock: Lock) -> None:
    for run in "abc":
        lock.ask(run)
    assert lock.runs == ("a", ["b", "c"])
    assert lock.ask("c") == [] and lock.ask("b") == []
    assert [ticket.run for ticket in lock.state.ahead_of("c")] == ["a", "b"]
    lock.leave("a")
    assert lock.ask("c") == [], "the lock is free, and it is the turn of another"
    lock.ask("b")
    assert lock.runs == ("b", ["c"])


def test_who_may_not_wait_leaves_no_trace(lock: Lock) -> None:
    lock.ask("a")
    assert lock.ask("b", may_wait=False) == []
    lock.leave("a")
    assert lock.ask("b", may_wait=False)
    assert lock.runs == ("b", [])


def test_who_may_not_wait_does_not_overtake(lock: Lock) -> None:
    lock.ask("a")
    lock.ask("b")
    lock.leave("a")
    assert lock.ask("c", may_wait=False) == []


def test_a_holder_that_asks_again_gets_another_number_and_keeps_its_time(lock: Lock) -> None:
    lock.ask("a")
    lock.ask("b")
    before = lock.state.holder
    lock.ask("a")
    after = lock.state.holder
    assert before is not None and after is not None
    assert (after.ticket, after.since) == (before.ticket, before.since)
    assert (before.number, after.number) == (1, 3)


def test_what_was_judged_of_a_holder_does_not_hold_for_one_that_came_back(lock: Lock) -> None:
    lock.ask("a")
    lock.ask("a")
    assert lock.leave("a", number=1) == []
    assert lock.runs == ("a", [])
    assert lock.leave("a", number=2)
    assert lock.runs == (None, [])


def test_what_was_judged_of_one_that_waits_does_not_hold_once_it_has_the_lock(lock: Lock) -> None:
    lock.ask("a")
    lock.ask("b")
    lock.leave("a")
    lock.ask("b")
    assert lock.leave("b", number=0) == []
    assert lock.runs == ("b", [])


def test_one_that_waits_may_leave(lock: Lock) -> None:
    for run in "abc":
        lock.ask(run)
    lock.leave("b")
    assert lock.runs == ("a", ["c"])


def test_a_run_that_gave_the_lock_back_queues_again(lock: Lock) -> None:
    lock.ask("a")
    lock.ask("b")
    lock.leave("a")
    lock.ask("a")
    assert lock.runs == (None, ["b", "a"])


def test_entries_without_a_signature_change_nothing(lock: Lock) -> None:
    lock.ask("a")
    ticket = lock.state.ticket_of("a")
    assert ticket is not None
    before = lock.state
    lock.append(give_back(lock.state, ticket, "so I say", by=Actor("mallory")), keyed=False)
    lock.append(ask(lock.state, KEY, "b", "wfr_b", may_wait=True), keyed=False)
    assert lock.state == before


def test_the_state_survives_being_written_down(lock: Lock) -> None:
    for run in "abc":
        lock.ask(run)
    assert LockState.from_json(lock.state.as_json()) == lock.state
    carrying = Fact(Kind.LOCK_RELEASED, {AFTER: lock.state.as_json()})
    assert state_after(entry([carrying])) == lock.state
    assert state_after(entry([carrying], keyed=False)) is None
    assert state_after(entry([Fact(Kind.NOTED)])) is None


# -- whatever the order ------------------------------------------------------------------------------------------

TICKETS = st.sampled_from(["t1", "t2", "t3", "t4"])
NUMBER = st.sampled_from([None, 1, 2, 3, 4])


@st.composite
def lock_facts(draw: st.DrawFn) -> Fact:
    """A fact that fits its kind, or does not, of few runs and tickets so that they meet."""
    kind = draw(st.sampled_from([Kind.LOCK_REQUESTED, Kind.LOCK_ACQUIRED, Kind.LOCK_RELEASED]))
    run, ticket = draw(st.sampled_from(RUNS)), draw(TICKETS)
    data: dict[str, Any] = {"run": run, "name": run, "key": KEY}
    if kind is not Kind.LOCK_REQUESTED:
        data |= {"ticket": ticket, "number": draw(NUMBER)}
    if draw(st.integers(0, 9)) == 0:
        data[draw(st.sampled_from(sorted(data)))] = draw(GARBAGE)
    return Fact(kind, data, time=at(draw(st.integers(0, 100))), id=ticket)


LOCK_JOURNALS = st.lists(
    st.tuples(st.lists(lock_facts(), min_size=1, max_size=3), st.sampled_from([True, True, False]))
)


@unhurried
@given(LOCK_JOURNALS)
def test_any_facts_in_any_order(groups: list[tuple[list[Fact], bool]]) -> None:
    journal = [entry(facts, number, keyed) for number, (facts, keyed) in enumerate(groups, 1)]
    state, numbers = LockState(), [0]
    for one in journal:
        before = state
        state = fold_lock([one], state)
        assert one.keyed or state == before
        runs = [ticket.run for ticket in state.tickets]
        assert len(runs) == len(set(runs)), "a run has one place"
        if state.number != before.number:
            numbers.append(state.number)
        if state.holder is not None:
            assert 0 < state.holder.number <= state.number
        if before.holder and state.holder and before.holder.ticket != state.holder.ticket:
            released = [fact for fact in one.facts if fact.kind is Kind.LOCK_RELEASED]
            assert released, "the lock went over to another without being given back"
    assert numbers == sorted(set(numbers)), "numbers only grow"
    half = len(journal) // 2
    assert fold_lock(journal[half:], fold_lock(journal[:half])) == state


@unhurried
@given(st.randoms(use_true_random=False))
def test_any_interleaving_of_runs(random: Random) -> None:
    """Each run acts on what it read last; an append that comes too late is decided again, as the journal does it."""
    lock = Lock()
    asked: list[str] = []
    had: list[str] = []
    believing: dict[str, int] = {}
    for _ in range(random.randint(1, 60)):
        run = random.choice(RUNS)
        before = lock.state.holder
        if random.random() < 0.6:
            is_new = lock.state.ticket_of(run) is None
            may_wait = random.random() < 0.8
            lock.ask(run, may_wait)
            ticket = lock.state.ticket_of(run)
            assert may_wait or not is_new or ticket is None or lock.state.is_held_by(run)
            if is_new and ticket is not None:
                asked.append(ticket.id)
        elif random.random() < 0.5:
            lock.leave(run)
        else:
            others = [ticket for ticket in lock.state.tickets if ticket.run != run]
            if others:
                number = random.choice([None, 0, *believing.values()])
                lock.append(give_back(lock.state, others[0], "it is over", number=number))
        holder = lock.state.holder
        if holder is not None and (before is None or before.ticket != holder.ticket):
            had.append(holder.ticket.id)
        if holder is not None:
            believing[holder.ticket.run] = holder.number
        true = [
            one
            for one, number in believing.items()
            if holder and lock.state.is_held_by(one) and number == holder.number
        ]
        assert len(true) <= 1
    assert len(had) == len(set(had)), "a ticket that was given back has the lock again"
    assert had == [ticket for ticket in asked if ticket in had], "somebody was overtaken"
    assert fold_lock(lock.entries) == lock.state


@unhurried
@given(st.lists(lock_facts(), max_size=6))
def test_a_state_is_the_same_after_being_written_down(facts: list[Fact]) -> None:
    state = fold_lock_facts(facts, LockState(), 1)
    assert LockState.from_json(state.as_json()) == state
