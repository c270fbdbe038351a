"""Who may open a gate of named people, and everybody who may not."""

from dataclasses import replace
from typing import Any

import pytest

from prefect_wfexec.engine.approvals import gates
from prefect_wfexec.engine.approvals.codes import WRONG_CODES_A_ROUND, CodeBook, prove
from prefect_wfexec.engine.approvals.forms import Answer, form_base
from prefect_wfexec.journal.facts import Actor, Fact, Kind
from prefect_wfexec.journal.fold import fold, fold_facts
from prefect_wfexec.journal.state import ExecutionState
from prefect_wfexec.status import StepStatus
from tests.unit.journal.support import RUN, at, entered, entry, folded, gate_opened, opened, requested, started

CODES = CodeBook(b"the key", RUN)
ANN, BOB, CY = "ann@example.com", "bob@example.com", "cy@example.com"


def waiting(*, user: str | None = "dave", **gate: Any) -> ExecutionState:
    given = {"approvers": [ANN, BOB, CY], "is_governed": True, "allow_self": False, "expires": at(3600).isoformat()}
    return folded(opened(user=user), entered(), started("gate"), gate_opened("gate", **(given | gate)))


def code(state: ExecutionState, person: str, decision: str = "approve") -> str:
    gate = state.open_gate("gate")
    assert gate is not None
    return CODES.code(gate, person, decision)


def typed(state: ExecutionState, seconds: float = 10, **values: Any) -> tuple[Fact, ExecutionState]:
    """What comes of a form filled in with these values."""
    gate = state.open_gate("gate")
    assert gate is not None
    answer = Answer(form_base(gate), "gate", gate.generation, {"decision": "approve", **values})
    facts = gates.gate_facts(state, at(seconds), CODES, [answer])
    return facts[0], fold_facts(facts, state, 0)


def asked(state: ExecutionState, code: str | None, by: str = "ann", decision: str = "approve", **data: Any):
    """What comes of a request on the command line with a code."""
    given = {"what": "decision", "step": "gate", "generation": 1, "decision": decision, "comment": "", **data}
    if code is not None:
        given["proof"] = prove(code, RUN, gates.proven_content(given, by))
    request = requested(by=by, seconds=5, **given)
    state = fold_facts([request], state, 0)
    facts = gates.gate_facts(state, at(10), CODES)
    return facts[0], fold_facts(facts, state, 0)


def test_a_code_typed_into_the_form_proves_who_decided() -> None:
    state = waiting()
    fact, after = typed(state, code=code(state, ANN))
    assert (fact.kind, fact.actor.name, fact.actor.verified_by) == (Kind.DECIDED, ANN, "code")
    assert after.step("gate").status is StepStatus.SUCCESS
    assert after.step("gate").outputs["by"] == ANN
    assert code(state, ANN) not in str(fact.as_json())


def test_a_proof_on_the_command_line_does_too() -> None:
    state = waiting()
    fact, after = asked(state, code(state, BOB), by="somebody's laptop")
    assert (fact.kind, fact.actor.name, fact.actor.verified_by) == (Kind.DECIDED, BOB, "code")
    assert after.gates[0].outcome == "approved"


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "give the personal code"),
        ({"approver": ANN}, "give the personal code"),
        ({"code": "0000-0000-0000"}, "not valid"),
        ({"code": ["x"]}, "give the personal code"),
        ({"code": "ann approve"}, "the code is another person's"),
        ({"code": "ann reject"}, "the code is for 'reject'"),
        ({"code": "ann reject", "decision": "reject"}, "a rejection needs a comment"),
        ({"code": "ann approve", "approver": "", "extra": 1}, "no field 'extra'"),
        ({"code": "ann approve", "approver": "", "decision": "perhaps"}, "approve or reject"),
    ],
)
def test_what_proves_nothing_is_refused(values: dict[str, Any], words: str) -> None:
    state = waiting()
    known = {"ann approve": code(state, ANN), "ann reject": code(state, ANN, "reject")}
    given = {"approver": "bob", **values}
    given["code"] = known.get(str(given.get("code")), given.get("code", ""))
    if words == "the code is for 'reject'":
        given["approver"] = ""
    fact, after = typed(state, **given)
    assert fact.kind is Kind.REFUSED
    assert words in str(fact.data["reason"])
    assert after.open_gate("gate") is not None
    assert after.open_gate("gate").refusal == fact.data["reason"]  # type: ignore[union-attr]


def test_a_code_others_could_read_and_that_did_not_count_is_void() -> None:
    state = waiting()
    first = code(state, ANN)
    _, after = typed(state, code=first, decision="reject", comment="no")
    assert code(after, ANN) != first
    fact, _ = typed(after, code=first)
    assert "not valid" in str(fact.data["reason"])
    assert code(after, BOB) == code(state, BOB)
    assert typed(after, code=code(after, ANN))[0].kind is Kind.DECIDED


def test_after_some_wrong_codes_all_are_new() -> None:
    state = waiting()
    first = code(state, ANN)
    for _ in range(WRONG_CODES_A_ROUND):
        _, state = typed(state, code="ZZZZ-ZZZZ-ZZZZ")
    assert typed(state, code=first)[0].kind is Kind.REFUSED
    assert typed(state, code=code(state, ANN))[0].kind is Kind.DECIDED


@pytest.mark.parametrize("starter", ["ann", ANN, "ANN+ops@Example.com", " Ann ", "\uff41\uff4e\uff4e"])
def test_who_started_the_run_does_not_approve_it(starter: str) -> None:
    state = waiting(user=starter)
    for fact in (typed(state, code=code(state, ANN))[0], asked(state, code(state, ANN))[0]):
        assert fact.kind is Kind.REFUSED
        assert "who started the run" in str(fact.data["reason"])
    assert typed(state, code=code(state, ANN, "reject"), decision="reject", comment="no")[0].kind is Kind.DECIDED
    allowed = waiting(user=starter, allow_self=True)
    assert typed(allowed, code=code(allowed, ANN))[0].kind is Kind.DECIDED


def test_a_quorum_is_of_different_people() -> None:
    state = waiting(quorum=2)
    _, state = typed(state, code=code(state, ANN))
    again, state = typed(state, code=code(state, ANN))
    assert again.data["reason"] == f"{ANN} has decided so already"
    assert state.open_gate("gate") is not None
    _, after = typed(state, code=code(state, BOB))
    assert after.step("gate").summary == f"Approved by {ANN} and {BOB}"


def test_one_rejection_ends_it_even_by_who_had_approved() -> None:
    state = waiting(quorum=2)
    _, state = typed(state, code=code(state, ANN))
    _, state = typed(state, code=code(state, ANN, "reject"), decision="reject", comment="on second thought")
    assert (state.gates[0].outcome, state.gates[0].reason) == ("rejected", f"rejected by {ANN}: on second thought")


def test_a_code_of_an_expired_gate_is_none() -> None:
    state = waiting()
    fact, after = typed(state, seconds=3601, code=code(state, ANN))
    assert fact.data["reason"] == "the gate had expired"
    assert after.gates[0].outcome == "expired"


def test_a_proof_for_another_run_or_another_content_is_none() -> None:
    state = waiting()
    elsewhere = CodeBook(b"the key", "another run")
    gate = state.open_gate("gate")
    assert gate is not None
    assert asked(state, elsewhere.code(gate, ANN, "approve"))[0].data["wrong_code"] is True
    good = {"what": "decision", "step": "gate", "decision": "approve", "comment": ""}
    proof = prove(code(state, ANN), RUN, gates.proven_content(good, "ann"))
    request = requested(by="ann", seconds=5, **good, proof=proof)
    forged = replace(request, data={**request.data, "comment": "I did not write this"})
    facts = gates.gate_facts(fold_facts([forged], state, 0), at(10), CODES)
    assert facts[0].kind is Kind.REFUSED


def test_a_request_without_any_proof_is_refused_whoever_it_names() -> None:
    fact, after = asked(waiting(), None, by=ANN)
    assert "give the personal code" in str(fact.data["reason"])
    assert after.requests == {}


def test_fields_come_back_as_outputs() -> None:
    fields = {"ticket": {"type": "string"}, "share": {"type": "number", "default": 0.5}}
    state = waiting(fields=fields)
    assert "'ticket' is empty" in str(typed(state, code=code(state, ANN))[0].data["reason"])
    _, after = typed(state, code=code(state, ANN), ticket="OPS-7")
    assert after.step("gate").outputs | {} == {
        "ticket": "OPS-7",
        "share": 0.5,
        "decision": "approve",
        "by": ANN,
        "comment": "",
    }


def test_a_gate_of_no_rules_keeps_names_unverified_but_tells_people_apart() -> None:
    state = waiting(is_governed=False, approvers=[], quorum=2, allow_self=True)
    assert "say who you are" in str(typed(state)[0].data["reason"])
    fact, state = typed(state, approver="Jane")
    assert (fact.actor.name, fact.actor.verified_by) == ("Jane", None)
    assert typed(state, approver="JANE")[0].kind is Kind.REFUSED
    assert typed(state, approver="joe")[1].gates[0].outcome == "approved"


def vouched(
    state: ExecutionState, way: str | None, by: str = ANN, *, keyed: bool = True, decision: str = "approve"
) -> tuple[Fact, ExecutionState]:
    """What comes of a request that names how its writer recognised who asked, with the key or without it."""
    data = {"what": "decision", "step": "gate", "generation": 1, "decision": decision, "comment": ""}
    request = Fact(Kind.REQUESTED, data, actor=Actor(by, way), time=at(5))
    state = fold([entry([request], 9, keyed=keyed)], state)
    facts = gates.gate_facts(state, at(10), CODES)
    return facts[0], fold_facts(facts, state, 0)


@pytest.mark.parametrize("way", ["token", "proxy", "link", "slack"])
def test_a_holder_of_the_key_vouches_for_whom_it_recognised(way: str) -> None:
    answer, after = vouched(waiting(), way)
    assert (answer.kind, answer.actor) == (Kind.DECIDED, Actor(ANN, way))
    assert after.step("gate").status is StepStatus.SUCCESS


@pytest.mark.parametrize("way", ["token", "proxy", "link", "slack", "code", "engine", None])
def test_without_the_key_nobody_vouches_for_anybody(way: str | None) -> None:
    answer, after = vouched(waiting(), way, keyed=False)
    assert (answer.kind, after.gates[0].is_open) == (Kind.REFUSED, True)
    assert "named people only" in answer.data["reason"]


@pytest.mark.parametrize("way", [None, "", "code", "engine", "typed", "TOKEN"])
def test_a_key_alone_proves_nobody(way: str | None) -> None:
    answer, after = vouched(waiting(), way)
    assert (answer.kind, after.gates[0].is_open) == (Kind.REFUSED, True)


@pytest.mark.parametrize("by", ["eve@example.com", "ann", "", " ", "ann+eve@example.com", "\uff41nn@example.com"])
def test_who_was_recognised_has_to_be_listed_letter_by_letter(by: str) -> None:
    answer, after = vouched(waiting(), "proxy", by)
    assert (answer.kind, after.gates[0].is_open) == (Kind.REFUSED, True)


def test_the_name_on_record_is_the_one_on_the_list() -> None:
    answer, _ = vouched(waiting(), "proxy", " Ann@Example.com")
    assert answer.actor == Actor(ANN, "proxy")


@pytest.mark.parametrize("starter", [ANN, "ann"])
def test_who_started_the_run_does_not_approve_it_by_any_way(starter: str) -> None:
    answer, after = vouched(waiting(user=starter), "token")
    assert "may not approve" in answer.data["reason"]
    assert after.gates[0].is_open
    assert vouched(waiting(user=starter), "token", BOB)[1].step("gate").status is StepStatus.SUCCESS


def test_one_person_is_one_vote_by_whatever_ways() -> None:
    state = waiting(quorum=2)
    _, state = vouched(state, "token")
    answer, state = vouched(state, "slack")
    assert "has decided so already" in answer.data["reason"]
    answer, state = asked(state, code(state, ANN))
    assert "has decided so already" in answer.data["reason"]
    assert state.gates[0].is_open
    assert vouched(state, "link", BOB)[1].gates[0].outcome == "approved"


def test_who_was_recognised_may_reject() -> None:
    _, after = vouched(waiting(), "slack", decision="reject")
    assert after.gates[0].outcome == "rejected"


def test_a_gate_for_everybody_records_how_a_name_was_shown() -> None:
    everybody = {"approvers": [], "is_governed": False, "allow_self": True}
    answer, _ = vouched(waiting(user=ANN, **everybody), "token")
    assert (answer.kind, answer.actor) == (Kind.DECIDED, Actor(ANN, "token"))
    answer, _ = vouched(waiting(**everybody), "token", keyed=False)
    assert (answer.kind, answer.actor) == (Kind.DECIDED, Actor(ANN, None))
    answer, _ = vouched(waiting(**everybody), "hearsay")
    assert answer.actor == Actor(ANN, None)
