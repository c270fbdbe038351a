"""The rules of a gate: the stricter wins."""

from typing import Any

import pytest

from prefect_wfexec.engine.approvals.rules import RulesError, rules_of

PEOPLE = ["ann@example.com", "bob@example.com", "cy@example.com"]


def rules(step: dict[str, Any], *policies: dict[str, Any], is_protected: bool = False):
    return rules_of(step, policies, is_protected=is_protected)


def test_a_gate_without_rules_takes_any_decision() -> None:
    found = rules({})
    assert (found.approvers, found.quorum, found.allow_self, found.is_governed) == ((), 1, True, False)


def test_named_approvers_prove_who_they_are_and_are_not_who_started_it() -> None:
    found = rules({"approvers": PEOPLE[:1]})
    assert (found.is_governed, found.allow_self) == (True, False)
    assert rules({"approvers": PEOPLE[:1], "allow_self": True}).allow_self


def test_the_stricter_of_step_and_policy_wins() -> None:
    policy = {"approvers": PEOPLE, "quorum": 2, "allow_self": False, "expires": "4h", "on_expire": "reject"}
    step = {"approvers": PEOPLE[1:], "quorum": 1, "allow_self": True, "expires": 86400.0, "on_expire": "fail"}
    found = rules(step, policy)
    assert found.approvers == tuple(PEOPLE[1:])
    assert (found.quorum, found.allow_self, found.expires, found.on_expire) == (2, False, 4 * 3600, "reject")
    assert rules({**step, "quorum": 1, "expires": 60.0}, policy).expires == 60


def test_a_definition_cannot_name_others_than_its_policies() -> None:
    with pytest.raises(RulesError, match="nobody twice"):
        rules({"approvers": ["eve@example.com"]}, {"approvers": PEOPLE})
    with pytest.raises(RulesError, match="it takes 2 people"):
        rules({"approvers": [*PEOPLE[:1], "eve@example.com"]}, {"approvers": PEOPLE, "quorum": 2})


def test_both_policies_hold() -> None:
    found = rules({}, {"approvers": PEOPLE, "allow_self": True}, {"approvers": ["BOB@example.com"], "allow_self": True})
    assert found.approvers == ("bob@example.com",)
    assert found.allow_self
    assert not rules({}, {"approvers": PEOPLE, "allow_self": True}, {"approvers": PEOPLE}).allow_self
    assert not rules({"allow_self": False}, {"approvers": PEOPLE, "allow_self": True}).allow_self


def test_a_policy_or_protection_without_people_is_a_gate_nobody_opens() -> None:
    with pytest.raises(RulesError, match="it has a policy, and nobody is named"):
        rules({}, {"quorum": 1})
    with pytest.raises(RulesError, match="environment is protected"):
        rules({}, is_protected=True)
    assert rules({"approvers": PEOPLE}, is_protected=True).is_governed


def test_one_person_under_two_spellings_is_one() -> None:
    assert rules({"approvers": ["ann@example.com", "Ann+x@example.com"]}).approvers == ("ann@example.com",)


def test_who_is_told_is_everybody_anyone_names() -> None:
    one, two = {"slack": "#deploys"}, {"mail": ["ops@example.com"], "block": None}
    found = rules({"notify": [one]}, {"approvers": PEOPLE, "notify": [two, one], "hold": "5s", "reuse": "never"})
    assert found.notify == ({"mail": ["ops@example.com"]}, {"slack": "#deploys"})
    assert (found.hold, found.reuse) == (5, False)


def test_a_policy_that_cannot_be_read_opens_nothing() -> None:
    with pytest.raises(RulesError, match="'expires' can't be read"):
        rules({}, {"approvers": PEOPLE, "expires": "soon"})
