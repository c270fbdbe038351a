"""What holds of the fold for any journal, however wrong."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from prefect_wfexec.journal.facts import Entry, Fact, Kind
from prefect_wfexec.journal.fold import fold, fold_facts
from prefect_wfexec.journal.state import ExecutionState
from prefect_wfexec.status import StepStatus
from tests.unit.journal.strategies import facts, journals
from tests.unit.journal.support import at

sixty = settings(deadline=None, max_examples=60)


def states_of(journal: list[Entry]) -> list[ExecutionState]:
    """The state before the first entry and after each."""
    states = [ExecutionState()]
    for entry in journal:
        states.append(fold([entry], states[-1]))
    return states


@sixty
@given(journals(resets=True))
def test_never_raises_and_changes_nothing_it_was_given(journal: list[Entry]) -> None:
    before = [replace(entry) for entry in journal]
    first = fold(journal)
    assert fold(journal) == first
    assert journal == before


@sixty
@given(journals(resets=True), st.integers(0, 20))
def test_folding_on_is_folding_all(journal: list[Entry], cut: int) -> None:
    assert fold(journal[cut:], fold(journal[:cut])) == fold(journal)


@sixty
@given(journals(resets=True))
def test_how_facts_are_put_into_entries_does_not_matter(journal: list[Entry]) -> None:
    apart = [replace(entry, facts=(fact,)) for entry in journal for fact in entry.facts]
    assert fold(apart) == fold(journal)


@sixty
@given(journals(resets=True))
def test_an_entry_that_is_not_keyed_counts_by_its_requests_only(journal: list[Entry]) -> None:
    requests_only = [
        entry if entry.keyed else replace(entry, facts=tuple(f for f in entry.facts if f.kind is Kind.REQUESTED))
        for entry in journal
    ]
    assert fold(requests_only) == fold(journal)
    unkeyed = fold([replace(entry, keyed=False) for entry in journal])
    assert (unkeyed.opened, unkeyed.closed, unkeyed.steps, unkeyed.gates, unkeyed.engines) == (None, None, {}, (), ())
    assert {request.actor.verified_by for request in unkeyed.requests.values()} <= {None}


@sixty
@given(journals())
def test_a_step_that_ended_stays_ended(journal: list[Entry]) -> None:
    for before, after in zip(states := states_of(journal), states[1:], strict=False):
        for step_id, step in before.steps.items():
            if step.status.is_final:
                assert replace(after.step(step_id), claims=step.claims) == step


@sixty
@given(journals(), st.lists(facts(), max_size=4))
def test_closed_is_final(journal: list[Entry], more: list[Fact]) -> None:
    state = fold(journal)
    later = fold_facts(more, state, 99)
    if state.closed is not None:
        assert later.closed == state.closed
        assert later.gates == state.gates
        assert later.segments == state.segments
        assert {step: replace(later.step(step), claims=frozenset()) for step in later.steps} == {
            step: replace(state.step(step), claims=frozenset()) for step in later.steps
        }


@sixty
@given(journals(resets=True))
def test_only_the_engine_of_the_moment_starts_a_step_and_each_attempt_once(journal: list[Entry]) -> None:
    for before, after in zip(states := states_of(journal), states[1:], strict=False):
        for step_id, step in after.steps.items():
            old = before.step(step_id)
            assert step.attempt >= old.attempt
            if step.attempt > old.attempt:
                assert not old.status.is_final or after.retries != before.retries
                assert step.engine in {engine.id for engine in after.engines}


@sixty
@given(journals())
def test_the_opening_and_the_first_cancel_stand(journal: list[Entry]) -> None:
    for before, after in zip(states := states_of(journal), states[1:], strict=False):
        assert before.opened is None or after.opened == before.opened
        assert before.cancel is None or after.cancel == before.cancel
        assert after.engines[: len(before.engines)] or not before.engines
        assert [engine.id for engine in after.engines][: len(before.engines)] == [e.id for e in before.engines]


@sixty
@given(journals(resets=True))
def test_what_the_state_says_fits_together(journal: list[Entry]) -> None:
    for state in states_of(journal):
        for step in state.steps.values():
            assert (step.ended is not None) == step.status.is_final
            assert step.status is not StepStatus.RUNNING or step.started is not None
            assert step.retry_at is None or step.status is StepStatus.WAITING
            assert step.active_seconds >= 0
            assert step.id not in state.failed or step.status in {StepStatus.FAILED, StepStatus.CANCELLED}
        for gate in state.gates:
            assert gate.quorum >= 1
            assert gate.expires is None or gate.expires.tzinfo is not None
        assert state.active_seconds(at(20_000)) >= 0
        assert len({gate.step for gate in state.open_gates}) == len(state.open_gates)


@sixty
@given(journals(resets=True))
def test_a_reset_takes_back_ends_once_and_no_attempt_claim_or_decision(journal: list[Entry]) -> None:
    for before, after in zip(states := states_of(journal), states[1:], strict=False):
        assert before.retries <= after.retries
        for step_id, step in before.steps.items():
            later = after.step(step_id)
            assert later.attempt >= step.attempt
            assert later.claims >= step.claims
            assert later.attempts[: len(step.attempts)] == step.attempts
            if step.status.is_final and not later.status.is_final:
                assert after.retries != before.retries
        assert len(after.gates) >= len(before.gates)


@sixty
@given(journals(resets=True))
def test_nothing_starts_while_its_gate_is_open(journal: list[Entry]) -> None:
    for before, after in zip(states := states_of(journal), states[1:], strict=False):
        for gate in before.open_gates:
            if after.open_gate(gate.step) == gate:
                assert after.step(gate.step).attempt == before.step(gate.step).attempt


@sixty
@given(journals(resets=True))
def test_a_gate_before_a_deployment_leaves_it_as_far_as_it_was(journal: list[Entry]) -> None:
    for state in states_of(journal):
        for gate in state.open_gates:
            if gate.environment:
                assert state.step(gate.step).status is StepStatus.WAITING
                assert state.step(gate.step).attempt == gate.attempt
