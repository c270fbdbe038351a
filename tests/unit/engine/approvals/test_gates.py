"""Gates: what opens, decides and closes them."""

import hashlib
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_wfexec.engine.approvals import gates
from prefect_wfexec.engine.approvals.codes import CodeBook
from prefect_wfexec.engine.approvals.rules import rules_of
from prefect_wfexec.engine.outcome import outcome
from prefect_wfexec.engine.outline import Outline
from prefect_wfexec.journal.facts import ENGINE, Actor, Fact, Kind
from prefect_wfexec.journal.fold import fold, fold_facts
from prefect_wfexec.journal.state import ExecutionState
from prefect_wfexec.status import RunStatus, StepStatus
from prefect_wfexec.steps.terraform.models import PlanReference
from tests.unit.engine.support import step, workflow
from tests.unit.journal.support import (
    at,
    entered,
    entry,
    folded,
    gate_opened,
    opened,
    requested,
    started,
    unhurried,
)

OUTLINE = Outline(workflow(step("gate", uses="approval")))
SUBJECT = dict.fromkeys(PlanReference.model_fields, "") | {"kind": "terraform.plan", "digest": "f" * 64}


CODES = CodeBook(b"a key", "a run")


def opening(generation: int, inputs: dict[str, Any], shown: dict[str, Any], seconds: float) -> Fact:
    rules = rules_of(inputs, is_protected=False)
    return gates.Opening("gate", generation, inputs.get("subject"), shown, rules).fact(at(seconds))


def waiting(*more: Fact, **gate: Any) -> ExecutionState:
    return folded(opened(), entered(), started("gate"), gate_opened("gate", **gate), *more)


def decision(word: str = "approve", by: str = "jane", seconds: float = 5, **data: Any) -> Fact:
    return requested("decision", seconds, by, step="gate", decision=word, **data)


def answered(state: ExecutionState, seconds: float = 10) -> tuple[list[Fact], ExecutionState]:
    facts = gates.gate_facts(state, at(seconds), CODES)
    return facts, fold_facts(facts, state, 0)


def refusal(state: ExecutionState, seconds: float = 10) -> str:
    facts, after = answered(state, seconds)
    assert [fact.kind for fact in facts] == [Kind.REFUSED]
    assert after.requests == {}
    assert after.open_gates == state.open_gates
    return str(facts[0].data["reason"])


def test_opening_says_all_there_is_to_decide_on() -> None:
    inputs = {"subject": SUBJECT, "message": "token s3cret", "quorum": 2, "approvers": ["jane", "joe"], "expires": 60}
    shown = {**inputs, "message": "token ***", "subject": {"plan": "***"}}
    fact = opening(3, inputs, shown, 10)
    state = folded(opened(), entered(), started("gate"), fact)
    gate = state.open_gate("gate")
    assert gate is not None
    assert (gate.generation, gate.opened, gate.expires) == (3, at(10), at(70))
    assert (gate.message, gate.subject, gate.subject_digest) == ("token ***", {"plan": "***"}, "f" * 64)
    assert (gate.quorum, gate.approvers, gate.on_expire) == (2, ("jane", "joe"), "reject")
    assert "s3cret" not in str(fact.data)


def test_a_gate_needs_nothing_said() -> None:
    gate = folded(opened(), entered(), started("gate"), opening(1, {}, {}, 0)).open_gate("gate")
    assert gate is not None
    assert (gate.quorum, gate.approvers, gate.expires, gate.message) == (1, (), None, "")


def test_a_subject_is_bound_by_its_digest_or_that_of_its_one_text() -> None:
    assert gates.subject_digest(SUBJECT) == "f" * 64
    assert gates.subject_digest({"a": 1, "b": 2}) == gates.subject_digest({"b": 2, "a": 1})
    assert gates.subject_digest(None) == hashlib.sha256(b"null").hexdigest()
    kinds: list[Any] = [None, "", "null", 0, False, [], {}, {"digest": 7}, {"digest": "f" * 64}, {**SUBJECT, "more": 1}]
    assert len({gates.subject_digest(value) for value in kinds}) == len(kinds)


def test_a_long_subject_is_shown_cut_and_bound_whole() -> None:
    long, longer = ["x" * 20_000], ["x" * 20_000 + "y"]
    shown = opening(1, {"subject": long}, {"subject": long}, 0).data
    assert len(shown["subject"]) < 17_000
    assert shown["subject_digest"] == gates.subject_digest(long) != gates.subject_digest(longer)


def test_an_approval_opens_the_gate() -> None:
    facts, after = answered(waiting(decision(comment="fine")))
    assert [fact.kind for fact in facts] == [Kind.DECIDED, Kind.APPROVAL_CLOSED, Kind.STEP_FINISHED]
    assert facts[0].actor == facts[1].actor == Actor("jane", None)
    assert facts[2].actor == ENGINE
    current = after.step("gate")
    assert (current.status, current.summary) == (StepStatus.SUCCESS, "Approved by jane")
    assert current.outputs == {"decision": "approve", "by": "jane", "comment": "fine"}
    assert (after.gates[0].outcome, after.requests) == ("approved", {})


def test_a_rejection_fails_the_run_with_its_reason() -> None:
    _, after = answered(waiting(decision("reject", comment="not on Friday")))
    current = after.step("gate")
    assert (current.status, current.summary) == (StepStatus.FAILED, "Rejected by jane")
    assert outcome(OUTLINE, after) == (
        RunStatus.APPROVAL_REJECTED,
        "step 'gate': rejected by jane: not on Friday",
    )
    assert current.outputs["decision"] == "reject"


def test_a_quorum_wants_different_people() -> None:
    _, after = answered(waiting(decision(by="jane"), decision(by="jane", seconds=6), quorum=2))
    assert len(after.gates[0].decisions) == 1
    assert after.gates[0].is_open
    _, after = answered(waiting(decision(by="jane"), decision(by="joe"), quorum=2))
    assert after.step("gate").status is StepStatus.SUCCESS
    assert after.step("gate").summary == "Approved by jane and joe"


def test_one_rejection_ends_the_gate_whatever_else_was_said() -> None:
    _, after = answered(waiting(decision(), decision("reject", by="joe"), quorum=3))
    assert after.gates[0].outcome == "rejected"
    both = waiting(decision(by="ann"), decision("reject", by="bob"))
    assert answered(both)[1].step("gate").status is StepStatus.FAILED


def test_a_decision_on_a_decided_gate_is_refused() -> None:
    _, after = answered(waiting(decision()))
    late = fold([entry([decision("reject", by="joe")], 9, keyed=False)], after)
    assert refusal(late) == "gate 'gate' is approved already"


@pytest.mark.parametrize(
    ("fact", "words"),
    [
        (decision("perhaps"), "approve or reject"),
        (requested("decision", step="gate"), "approve or reject"),
        (requested("decision", step="gate", decision=[]), "approve or reject"),
        (requested("decision", step="gate", decision={"a": 1}), "approve or reject"),
        (requested("decision", step="gate", decision=True), "approve or reject"),
        (requested("decision", step="other", decision="approve"), "no gate 'other'"),
        (requested("decision", step=["gate"], decision="approve"), "no gate ''"),
        (requested("decision", decision="approve"), "no gate ''"),
        (decision(subject_digest="other"), "another subject"),
        (decision(subject_digest=["abc"]), "another subject"),
        (decision(generation=2), "earlier gate"),
        (decision(comment="x" * 4001), "comment is longer"),
        (decision(by="x" * 201), "name is longer"),
        (requested("rewind"), "can't do 'rewind'"),
        (requested("x" * 5000), "can't do 'x"),
    ],
)
def test_what_is_no_decision_is_refused(fact: Fact, words: str) -> None:
    reason = refusal(waiting(fact))
    assert words in reason
    assert len(reason) < 300


def test_a_decision_about_exactly_this_gate_counts() -> None:
    _, after = answered(waiting(decision(subject_digest="abc", generation=1)))
    assert after.step("gate").status is StepStatus.SUCCESS


def test_a_name_is_not_proven_by_saying_so() -> None:
    claimed = Fact(Kind.REQUESTED, dict(decision().data), actor=Actor("jane", "code"), time=at(5))
    _, after = answered(waiting(claimed))
    assert after.gates[0].decisions[0].by == Actor("jane", None)


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("a\x1b[31mred\x1b[0m\x00 \x07b", "ared b"),
        ("two\nlines", "two\nlines"),
        ("\ud800", "?"),
        (7, ""),
        (["x"], ""),
        (None, ""),
    ],
)
def test_what_people_type_is_kept_as_text_that_anything_can_show(said: object, kept: str) -> None:
    facts, after = answered(waiting(decision(comment=said)))
    assert facts[0].data["comment"] == kept
    assert after.step("gate").outputs["comment"] == kept


def test_a_name_that_is_none_is_said_to_be_unknown() -> None:
    _, after = answered(waiting(decision(by="\x00\x1b[2J")))
    assert after.step("gate").summary == "Approved by unknown"


def test_a_gate_expires() -> None:
    state = waiting(expires=at(60).isoformat())
    assert gates.next_expiry(state) == at(60)
    assert answered(state, 59.9)[0] == []
    _, after = answered(state, 60)
    assert after.gates[0].outcome == "expired"
    status, reason = outcome(OUTLINE, after)
    assert status is RunStatus.APPROVAL_REJECTED
    assert reason == "step 'gate': nobody decided until 2030-01-01T12:01:00+00:00"
    assert gates.next_expiry(after) is None


def test_a_gate_that_expires_as_a_failure_is_no_rejection() -> None:
    _, after = answered(waiting(expires=at(60).isoformat(), on_expire="fail"), 61)
    assert after.gates[0].outcome == "expired"
    assert outcome(OUTLINE, after)[0] is RunStatus.FAILED


def test_a_decision_in_time_counts_though_it_is_read_late_and_one_after_does_not() -> None:
    in_time = waiting(decision(seconds=59), expires=at(60).isoformat())
    assert answered(in_time, 500)[1].step("gate").status is StepStatus.SUCCESS
    late = waiting(decision(seconds=60), expires=at(60).isoformat())
    facts, after = answered(late, 500)
    assert facts[0].data["reason"] == "the gate had expired"
    assert after.gates[0].outcome == "expired"


def test_a_cancel_closes_every_gate() -> None:
    _, after = answered(waiting(requested("cancel", by="joe")))
    assert (after.gates[0].outcome, after.step("gate").status) == ("cancelled", StepStatus.CANCELLED)
    assert after.step("gate").reason == "the run was cancelled"
    assert outcome(OUTLINE, after) == (RunStatus.TERMINATED, "cancelled by joe")


def test_a_gate_is_decided_under_whichever_engine_runs_the_run() -> None:
    state = folded(opened(), entered("e1"), started("gate"), gate_opened("gate"), entered("e2", 4), decision())
    _, after = answered(state)
    assert (after.step("gate").status, after.step("gate").engine) == (StepStatus.SUCCESS, "e1")


def test_nothing_follows_when_nothing_was_asked() -> None:
    assert answered(waiting()) == ([], waiting())
    assert gates.gate_facts(folded(opened(), entered()), at(10), CODES) == []


GARBAGE: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=4)
    | st.sampled_from(["gate", "approve", "abc", "\ud800"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


@unhurried
@given(
    st.dictionaries(
        st.sampled_from(["step", "decision", "generation", "subject_digest", "comment", "code"]), GARBAGE, max_size=6
    ),
    st.text(max_size=5),
)
def test_any_request_is_answered_once_and_whatever_is_written_can_be(data: dict[str, Any], what: str) -> None:
    state = waiting(Fact(Kind.REQUESTED, {**data, "what": what or "decision"}, Actor("\ud800x"), at(5)))
    facts, after = answered(state)
    assert after.requests == {} or after.cancel is not None
    assert gates.gate_facts(after, at(11), CODES) == []
    for fact in facts:
        str(fact.as_json()["data"]).encode()
        fact.actor.name.encode()


def test_an_expiry_far_away_can_be_written() -> None:
    year = timedelta(days=366).total_seconds()
    fact = opening(1, {"expires": year}, {}, 0)
    assert fact.data["expires"] == at(year).isoformat()


def test_a_gate_whose_step_is_to_run_again_is_withdrawn_with_what_was_decided_so_far() -> None:
    state = waiting(decision(by="ann"), quorum=2)
    _, state = answered(state)
    assert gates.withdrawn(state, ["other"], at(20)) == []
    facts = gates.withdrawn(state, ["other", "gate"], at(20))
    again = Fact(Kind.RESET, {"request": "r", "what": "retry_from", "reset": ["gate"]})
    after = fold_facts([*facts, again], state, 0)
    (gate,) = after.gates
    assert (gate.outcome, gate.reason, gate.is_past) == ("cancelled", gates.WITHDRAWN, True)
    assert after.step("gate").status is StepStatus.PENDING
    late, _ = answered(fold_facts([decision(by="bob", seconds=30)], after, 0), 40)
    assert [fact.kind for fact in late] == [Kind.REFUSED]
