"""What the journal's facts make of a run."""

from dataclasses import replace

import pytest

from prefect_wfexec.journal.facts import Actor, Fact, Kind
from prefect_wfexec.journal.fold import fold
from prefect_wfexec.status import RunStatus, StepStatus
from tests.unit.journal.support import (
    at,
    closed,
    decided,
    entered,
    entries,
    entry,
    fact,
    finished,
    folded,
    gate_closed,
    gate_opened,
    opened,
    requested,
    skipped,
    started,
)

BEGUN = (opened(0), entered("e1", 1))


def test_an_empty_journal_is_a_run_nobody_opened() -> None:
    state = fold([])
    assert (state.opened, state.engine, state.closed, state.steps) == (None, None, None, {})
    assert state.step("plan").status is StepStatus.PENDING


def test_opened_pins_what_the_run_runs() -> None:
    state = folded(opened(3, inputs={"zone": "eu"}, digest="first"), opened(4, digest="second"))
    assert state.opened is not None
    assert (state.opened.at, state.opened.digest, state.opened.inputs) == (at(3), "first", {"zone": "eu"})
    assert (state.opened.triggered_by, state.opened.user) == ("Manual", "jane")


def test_a_step_from_its_start_to_its_end() -> None:
    running = folded(*BEGUN, started("plan", seconds=2))
    step = running.step("plan")
    assert (step.status, step.attempt, step.engine) == (StepStatus.RUNNING, 1, "e1")
    assert (step.started, step.ended) == (at(2), None)
    ended = fold(entries([[finished("plan", seconds=14, summary="3 to add", outputs={"add": 3})]], 4), running)
    step = ended.step("plan")
    assert (step.status, step.ended, step.summary) == (StepStatus.SUCCESS, at(14), "3 to add")
    assert (step.active_seconds, step.outputs) == (12.0, {"add": 3})
    assert [(one.number, one.status) for one in step.attempts] == [(1, StepStatus.SUCCESS)]
    assert ended.failed == frozenset()


def test_a_failure_keeps_its_fault_and_is_listed() -> None:
    error = {"type": "exit_code", "message": "exit code 1", "exit_code": 1, "tail": "last"}
    state = folded(*BEGUN, started("apply"), finished("apply", "Failed", error=error, log=[{"inline": "x"}]))
    assert state.failed == {"apply"}
    fault = state.step("apply").fault
    assert fault is not None
    assert fault.as_json() == error
    assert state.step("apply").attempts[0].log == ({"inline": "x"},)


def test_a_retry_waits_and_then_adds_an_attempt() -> None:
    waiting = folded(
        *BEGUN, started("call", seconds=10), finished("call", "Failed", seconds=15, retry_at=at(20).isoformat())
    )
    step = waiting.step("call")
    assert (step.status, step.retry_at, step.ended) == (StepStatus.WAITING, at(20), None)
    assert waiting.failed == frozenset()
    done = fold(entries([[started("call", 2, seconds=20)], [finished("call", attempt=2, seconds=23)]], 5), waiting)
    step = done.step("call")
    assert (step.status, step.attempt, step.retry_at, step.fault) == (StepStatus.SUCCESS, 2, None, None)
    assert (step.first_started, step.started, step.active_seconds) == (at(10), at(20), 8.0)
    assert [one.status for one in step.attempts] == [StepStatus.FAILED, StepStatus.SUCCESS]


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("an attempt out of turn", [started("plan", attempt=2)]),
        ("a second start of a running step", [started("plan"), started("plan", attempt=2)]),
        ("a start after the end", [started("plan"), finished("plan"), started("plan", attempt=2)]),
        ("an engine that never entered", [started("plan", engine="stranger")]),
        ("the end of another attempt", [started("plan"), finished("plan", attempt=2)]),
        ("the end by another engine", [started("plan"), finished("plan", engine="stranger")]),
        ("an end without a start", [finished("plan", attempt=0, engine="")]),
        ("an end that is none", [started("plan"), finished("plan", "Running")]),
        ("a skip that is none", [skipped("plan", status="Waiting")]),
        ("a skip for no known cause", [skipped("plan", cause="because")]),
        ("a skip of a running step", [started("plan"), skipped("plan")]),
        ("a second end", [started("plan"), finished("plan"), finished("plan", "Failed")]),
        ("a retry at no certain time", [started("plan"), finished("plan", "Failed", retry_at="2030-01-01T00:00:00")]),
    ],
)
def test_facts_that_do_not_fit_change_nothing(name: str, more: list[Fact]) -> None:
    without = folded(*BEGUN, *more[:-1])
    assert replace(folded(*BEGUN, *more), last_fact=None) == replace(without, last_fact=None), name


def test_a_superseded_engine_starts_nothing_but_ends_what_it_began() -> None:
    state = folded(
        *BEGUN,
        started("plan", engine="e1"),
        entered("e2", 5),
        started("apply", engine="e1"),
        finished("plan", engine="e1", seconds=6),
    )
    assert state.engine is not None
    assert state.engine.id == "e2"
    assert state.step("apply").status is StepStatus.PENDING
    assert state.step("plan").status is StepStatus.SUCCESS


def test_a_superseded_engine_does_not_close_the_run() -> None:
    state = folded(*BEGUN, entered("e2", 5), closed(engine="e1"))
    assert state.closed is None
    assert folded(*BEGUN, entered("e2", 5), closed(engine="e2")).closed is not None


def test_an_engine_says_that_it_leaves_and_that_it_lives() -> None:
    state = folded(*BEGUN, entered("e2", 5), fact(Kind.NOTED, 30, engine="e1"), fact(Kind.SUPERSEDED, 40, engine="e1"))
    assert [(one.id, one.left, one.last_fact) for one in state.engines] == [("e1", True, at(40)), ("e2", False, at(5))]


@pytest.mark.parametrize("word", ["Running", "Approval Pending", "Terminating", "Pending", "no word"])
def test_a_run_closes_with_a_final_status_only(word: str) -> None:
    assert folded(*BEGUN, closed(word)).closed is None


def test_closed_stands_whatever_comes_later() -> None:
    state = folded(
        *BEGUN,
        started("plan"),
        closed("Failed", seconds=9, reason="why"),
        finished("plan"),
        started("apply"),
        skipped("notify"),
        entered("e2", 20),
        closed("Succeeded", engine="e2", seconds=30),
    )
    assert state.closed is not None
    assert (state.closed.status, state.closed.reason, state.closed.at) == (RunStatus.FAILED, "why", at(9))
    assert state.step("plan").status is StepStatus.RUNNING
    assert set(state.steps) == {"plan"}
    assert state.active_seconds(at(1000)) == 8.0


def test_the_duration_has_the_gates_in_it_and_goes_on_while_the_run_does() -> None:
    waiting = (*BEGUN, started("gate", seconds=2), gate_opened("gate", 3))
    assert folded(*waiting).active_seconds(at(301)) == 300.0
    assert folded(*waiting, entered("e2", 200)).active_seconds(at(301)) == 300.0
    done = (gate_closed("gate", seconds=400), finished("gate", seconds=400), closed(seconds=401))
    assert folded(*waiting, *done).active_seconds(at(9000)) == 400.0


def test_a_gate_from_its_opening_to_its_end() -> None:
    waiting = folded(*BEGUN, started("gate"), gate_opened("gate", 3, quorum=2, expires=at(60).isoformat()))
    gate = waiting.open_gate("gate")
    assert gate is not None
    assert (gate.opened, gate.quorum, gate.expires, gate.is_open) == (at(3), 2, at(60), True)
    assert waiting.step("gate").status is StepStatus.WAITING
    more = [[decided("gate", by="jane", seconds=5, comment="fine")], [gate_closed("gate", seconds=6)]]
    state = fold(entries(more, 5), waiting)
    assert state.open_gates == ()
    closed_gate = state.gates[0]
    assert (closed_gate.outcome, closed_gate.closed) == ("approved", at(6))
    decision = closed_gate.decisions[0]
    assert (decision.decision, decision.by, decision.comment, decision.at) == (
        "approve",
        Actor("jane"),
        "fine",
        at(5),
    )
    assert state.step("gate").status is StepStatus.RUNNING


def test_a_gate_opens_once_and_only_for_a_step_that_runs() -> None:
    assert folded(*BEGUN, gate_opened("gate")).gates == ()
    state = folded(*BEGUN, started("gate"), gate_opened("gate"), gate_opened("gate", generation=2))
    assert [gate.generation for gate in state.gates] == [1]


def test_a_step_with_an_open_gate_is_not_skipped_over_it() -> None:
    state = folded(*BEGUN, started("gate"), gate_opened("gate"), skipped("gate", "upstream", status="Cancelled"))
    assert (state.step("gate").status, len(state.open_gates)) == (StepStatus.WAITING, 1)


@pytest.mark.parametrize(
    "wrong",
    [
        decided("gate", generation=2),
        decided("gate", "perhaps"),
        decided("other"),
        gate_closed("gate", generation=2),
        gate_closed("gate", outcome=""),
        fact(Kind.DECIDED, step="gate", decision="approve"),
    ],
)
def test_what_is_no_decision_on_the_open_gate_counts_for_nothing(wrong: Fact) -> None:
    state = folded(*BEGUN, started("gate"), gate_opened("gate"), wrong)
    gate = state.open_gate("gate")
    assert gate is not None
    assert gate.decisions == ()


def test_a_decision_after_the_gate_closed_counts_for_nothing() -> None:
    state = folded(*BEGUN, started("gate"), gate_opened("gate"), gate_closed("gate", "rejected"), decided("gate"))
    assert (state.gates[0].outcome, state.gates[0].decisions) == ("rejected", ())


@pytest.mark.parametrize("quorum", [0, -1, None])
def test_a_gate_wants_one_approval_at_least(quorum: int | None) -> None:
    gate = folded(*BEGUN, started("gate"), gate_opened("gate", quorum=quorum)).open_gate("gate")
    assert gate is not None
    assert gate.quorum == 1


def test_the_first_cancel_counts_and_it_stays() -> None:
    first, second = requested("cancel", 5, by="jane"), requested("cancel", 6, by="joe")
    state = folded(*BEGUN, first, second, fact(Kind.REFUSED, request=first.id))
    assert state.cancel is not None
    assert (state.cancel.actor.name, state.cancel.at) == ("jane", at(5))
    assert state.requests == {}


def test_a_later_cancel_may_still_ask_for_the_cleanup() -> None:
    first, second = requested("cancel", 5, by="jane"), requested("cancel", 6, by="joe", cleanup=True)
    state = folded(*BEGUN, first, second)
    assert state.cancel is not None
    assert (state.cancel.actor.name, state.cancel.data.get("cleanup")) == ("jane", True)


def test_a_request_waits_for_its_answer() -> None:
    one, two = requested("decision", step="gate"), requested("retry")
    state = folded(*BEGUN, started("gate"), gate_opened("gate"), one, two)
    assert set(state.requests) == {one.id, two.id}
    state = fold(entries([[decided("gate", request=one.id)], [fact(Kind.REFUSED, request=two.id)]], 9), state)
    assert state.requests == {}


def test_a_request_is_not_replaced_by_another_of_the_same_id() -> None:
    first = requested("decision", by="jane", decision="approve")
    forged = replace(first, actor=Actor("joe"), data={"what": "decision", "decision": "reject"})
    state = folded(*BEGUN, first, forged)
    assert state.requests[first.id].actor.name == "jane"


def test_nobody_proves_a_name_without_the_key() -> None:
    request = replace(requested("cancel"), actor=Actor("jane", "code"))
    unkeyed = fold([entry([request], keyed=False)])
    assert unkeyed.cancel is not None
    assert unkeyed.cancel.actor == Actor("jane", None)
    keyed = fold([entry([request])])
    assert keyed.cancel is not None
    assert keyed.cancel.actor == Actor("jane", "code")


def test_claims_are_kept_for_good() -> None:
    claim = fact(Kind.STEP_CLAIMED, step="apply", claim="plan abc", engine="e1")
    state = folded(*BEGUN, started("apply"), claim, finished("apply", "Failed"), closed("Failed"), claim)
    assert state.step("apply").claims == {"plan abc"}
    late = fact(Kind.STEP_CLAIMED, step="apply", claim="plan late", engine="e1")
    assert fold(entries([[late]], 9), state).step("apply").claims == {"plan abc", "plan late"}


def test_skips_tell_why() -> None:
    state = folded(*BEGUN, skipped("a", "condition", reason="x"), skipped("b", "upstream", status="Cancelled"))
    assert (state.step("a").status, state.step("a").skip_cause) == (StepStatus.SKIPPED, "condition")
    assert (state.step("a").reason, state.step("a").attempt) == ("x", 0)
    assert (state.step("b").status, state.failed) == (StepStatus.CANCELLED, {"b"})
    own = folded(*BEGUN, started("c"), finished("c", "Skipped", reason="nothing to do"))
    assert own.step("c").skip_cause == "optional"
