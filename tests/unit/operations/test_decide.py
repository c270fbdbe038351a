"""Which gate a decision is for, and how it is asked."""

import pytest

from prefect_wfexec.errors import UsageError
from prefect_wfexec.journal.facts import Actor, Fact, Kind
from prefect_wfexec.journal.fold import fold
from prefect_wfexec.journal.state import Gate
from prefect_wfexec.operations.decide import LARGEST_COMMENT, choose_gate, decision_request
from tests.unit.journal.support import (
    decided,
    entered,
    entry,
    fact,
    folded,
    gate_opened,
    opened,
    started,
)


def open_gates(*names: str, more: tuple[Fact, ...] = ()) -> list[Fact]:
    opening = [one for name in names for one in (started(name), gate_opened(name))]
    return [opened(), entered(), *opening, *more]


def closing(name: str, outcome: str, reason: str = "") -> Fact:
    return fact(Kind.APPROVAL_CLOSED, step=name, generation=1, outcome=outcome, reason=reason)


def test_the_one_open_gate_is_meant() -> None:
    state = folded(*open_gates("approval"))
    assert choose_gate(state, None, "wfr_x").step == "approval"
    assert choose_gate(state, "approval", "wfr_x").step == "approval"


def test_of_several_one_must_be_named() -> None:
    state = folded(*open_gates("first", "second"))
    assert choose_gate(state, "second", "wfr_x").step == "second"
    with pytest.raises(UsageError, match="'first' and 'second'") as caught:
        choose_gate(state, None, "wfr_x")
    assert caught.value.code == "ambiguous-gate"
    assert "--step" in (caught.value.hint or "")


@pytest.mark.parametrize("step", [None, "approval"])
def test_a_decided_gate_says_how_and_by_whom(step: str | None) -> None:
    approved = folded(*open_gates("approval", more=(decided("approval", by="jane"), closing("approval", "approved"))))
    with pytest.raises(UsageError, match="approved already by jane") as caught:
        choose_gate(approved, step, "wfr_x")
    assert caught.value.code == "decided"
    expired = folded(*open_gates("approval", more=(closing("approval", "expired", "nobody decided"),)))
    with pytest.raises(UsageError, match="expired already: nobody decided"):
        choose_gate(expired, step, "wfr_x")


@pytest.mark.parametrize(("step", "words"), [(None, "has no open gate"), ("other", "has no open gate 'other'")])
def test_no_gate_at_all(step: str | None, words: str) -> None:
    state = folded(opened(), entered(), started("other"))
    with pytest.raises(UsageError, match=words) as caught:
        choose_gate(state, step, "wfr_x")
    assert caught.value.code == "no-gate"


def test_a_gate_of_another_step_does_not_stand_in() -> None:
    with pytest.raises(UsageError, match="no open gate 'other'"):
        choose_gate(folded(*open_gates("approval")), "other", "wfr_x")


def test_a_request_names_exactly_what_was_seen() -> None:
    gate = choose_gate(folded(*open_gates("approval")), None, "wfr_x")
    request = decision_request(gate, "reject", Actor("jane"), "not on Friday")
    assert (request.kind, request.actor) == (Kind.REQUESTED, Actor("jane", None))
    assert request.data == {
        "what": "decision",
        "step": "approval",
        "generation": 1,
        "decision": "reject",
        "comment": "not on Friday",
        "subject_digest": "abc",
    }


def test_a_request_waits_in_the_journal_though_nobody_signed_it() -> None:
    state = folded(*open_gates("approval"))
    gate = choose_gate(state, None, "wfr_x")
    request = decision_request(gate, "approve", Actor("jane"), "")
    after = fold([entry([request], 9, keyed=False)], state)
    assert set(after.requests) == {request.id}
    assert after.open_gates[0].decisions == ()


def test_a_comment_has_a_limit() -> None:
    gate = choose_gate(folded(*open_gates("approval")), None, "wfr_x")
    assert decision_request(gate, "approve", Actor("jane"), "x" * LARGEST_COMMENT)
    with pytest.raises(UsageError, match="4001 characters"):
        decision_request(gate, "approve", Actor("jane"), "x" * (LARGEST_COMMENT + 1))


GOVERNED = {"approvers": ["ann@example.com"], "is_governed": True}


def governed() -> Gate:
    state = folded(opened(), entered(), started("approval"), gate_opened("approval", **GOVERNED))
    return choose_gate(state, None, "wfr_x")


@pytest.mark.parametrize("way", ["token", "proxy", "link", "slack"])
def test_who_was_recognised_needs_no_code(way: str) -> None:
    request = decision_request(governed(), "approve", Actor("ann@example.com", way), "")
    assert request.actor == Actor("ann@example.com", way)
    assert "proof" not in request.data


def test_who_was_recognised_and_is_not_listed_is_told_at_once() -> None:
    with pytest.raises(UsageError, match="only, and you are bob") as caught:
        decision_request(governed(), "approve", Actor("bob@example.com", "token"), "")
    assert caught.value.code == "not-listed"


@pytest.mark.parametrize("way", [None, "engine", "code", "hearsay"])
def test_who_was_not_recognised_proves_it_by_a_code(way: str | None) -> None:
    with pytest.raises(UsageError, match="prove who they are") as caught:
        decision_request(governed(), "approve", Actor("ann@example.com", way), "")
    assert caught.value.code == "no-code"


def test_values_of_fields_may_be_text_or_what_they_are() -> None:
    state = folded(
        opened(), entered(), started("approval"), gate_opened("approval", fields={"count": {"type": "integer"}})
    )
    gate = choose_gate(state, None, "wfr_x")
    for given in (3, "3"):
        assert decision_request(gate, "approve", Actor("ann"), "", fields={"count": given}).data["fields"] == {
            "count": 3
        }
    with pytest.raises(UsageError, match="'count' takes a whole number"):
        decision_request(gate, "approve", Actor("ann"), "", fields={"count": True})
