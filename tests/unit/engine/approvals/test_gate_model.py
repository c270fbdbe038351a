"""Thousands of histories of a gate of named people, played against a model of what may open it."""

from dataclasses import dataclass, field
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefect_wfexec.engine.approvals import gates
from prefect_wfexec.engine.approvals.codes import WRONG_CODES_A_ROUND, CodeBook, prove
from prefect_wfexec.engine.approvals.forms import Answer, form_base
from prefect_wfexec.engine.approvals.verifying import VOUCHED
from prefect_wfexec.journal.facts import Actor, Fact, Kind
from prefect_wfexec.journal.fold import fold, fold_facts
from prefect_wfexec.journal.state import ExecutionState, Gate
from tests.unit.journal.support import (
    RUN,
    at,
    decided,
    entered,
    entry,
    folded,
    gate_closed,
    gate_opened,
    opened,
    requested,
    started,
)

CODES = CodeBook(b"the key", RUN)
PEOPLE = ("ann@example.com", "bob@example.com", "cy@example.com")
EXPIRES = 1000.0
WRONG = "ZZZZ-ZZZZ-ZZZZ"


@dataclass
class Code:
    """A code somebody has: whose it is, for what, and in which round it was made."""

    text: str
    person: str = ""
    decision: str = ""
    round: int = -1


@dataclass
class Model:
    """What the rules say, written once more: who has approved, and how the gate has ended."""

    quorum: int
    starter: str | None
    allows_self: bool
    burnt: dict[str, int] = field(default_factory=dict)
    wrong: int = 0
    approved: set[str] = field(default_factory=set)
    outcome: str = ""

    def round(self, person: str) -> int:
        return self.burnt.get(person, 0) + self.wrong // WRONG_CODES_A_ROUND

    def count(self, person: str, decision: str, seconds: float) -> bool:
        """A person who was recognised gives a decision; whether it counts."""
        is_self = decision == "approve" and self.starter == person and not self.allows_self
        if self.outcome or seconds >= EXPIRES or is_self or (decision == "approve" and person in self.approved):
            return False
        if decision == "reject":
            self.outcome = "rejected"
        else:
            self.approved.add(person)
            self.outcome = "approved" if len(self.approved) >= self.quorum else ""
        return True

    def give(self, code: Code | None, decision: str, comment: str, seconds: float, *, is_form: bool) -> bool:
        """Somebody gives a decision; whether it counts."""
        if self.outcome:
            return False
        is_true = code is not None and code.person != "" and code.round == self.round(code.person)
        counts = is_true and code is not None and code.decision == decision and seconds < EXPIRES
        counts = counts and not (is_form and decision == "reject" and not comment)
        if counts and code is not None and decision == "approve":
            is_self = self.starter == code.person and not self.allows_self
            counts = not is_self and code.person not in self.approved
        if not counts and code is not None:
            if not is_true:
                self.wrong += 1
            elif is_form and not (code.decision == "approve" and code.person in self.approved):
                self.burnt[code.person] = self.burnt.get(code.person, 0) + 1
        if counts and code is not None:
            if decision == "reject":
                self.outcome = "rejected"
            else:
                self.approved.add(code.person)
                self.outcome = "approved" if len(self.approved) >= self.quorum else ""
        return counts


class History:
    """One gate, and what people and attackers do to it at random."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.seconds = 1.0
        self.model = Model(random.randint(1, 3), random.choice([None, *PEOPLE]), random.random() < 0.3)
        self.state: ExecutionState = folded(
            opened(user=self.model.starter),
            entered(),
            started("gate"),
            gate_opened(
                "gate",
                approvers=list(PEOPLE),
                is_governed=True,
                allow_self=self.model.allows_self,
                quorum=self.model.quorum,
                expires=at(EXPIRES).isoformat(),
            ),
        )
        self.known: list[Code] = []

    @property
    def gate(self) -> Gate:
        return self.state.gates[0]

    def play(self) -> None:
        for _ in range(self.random.randint(5, 40)):
            self.random.choice(
                [self.read_mail, self.fill_in, self.fill_in, self.request, self.vouch, self.forge, self.wait]
            )()
            assert self.gate.outcome == self.model.outcome, (self.gate, self.model)
            assert {one.by.name for one in self.gate.approvals} == self.model.approved
            assert all(one.by.verified_by in {"code", *VOUCHED} for one in self.gate.decisions)

    def read_mail(self) -> None:
        person, decision = self.random.choice(PEOPLE), self.random.choice(["approve", "approve", "reject"])
        if not self.model.outcome:
            text = CODES.code(self.gate, person, decision)
            self.known.append(Code(text, person, decision, self.model.round(person)))

    def pick(self) -> Code | None:
        return self.random.choice([None, Code(WRONG), *self.known, *self.known])

    def fill_in(self) -> None:
        code, decision = self.pick(), self.random.choice(["approve", "approve", "reject"])
        comment = self.random.choice(["", "because"])
        values: dict[str, Any] = {"decision": decision, "comment": comment, "code": code.text if code else ""}
        values |= self.random.choice([{}, {"approver": ""}, {"approver": "somebody"}])
        answer = Answer(form_base(self.gate), "gate", 1, values)
        counts = self.model.give(code, decision, comment, self.seconds, is_form=True)
        self.apply(gates.gate_facts(self.state, at(self.seconds), CODES, [answer]), counts)

    def request(self) -> None:
        code, decision = self.pick(), self.random.choice(["approve", "approve", "reject"])
        data: dict[str, Any] = {"what": "decision", "step": "gate", "decision": decision, "comment": ""}
        if code is not None:
            data["proof"] = prove(code.text, RUN, gates.proven_content(data, "laptop"))
        fact = requested(by="laptop", seconds=self.seconds, **data)
        self.state = fold([entry([fact], 9, keyed=False)], self.state)
        counts = self.model.give(code, decision, "", self.seconds, is_form=False)
        self.apply(gates.gate_facts(self.state, at(self.seconds), CODES), counts)

    def vouch(self) -> None:
        """A gateway writes down whom it has recognised; or somebody without the key writes that it has."""
        person, decision = self.random.choice([*PEOPLE, "eve@example.com"]), self.random.choice(["approve", "reject"])
        data: dict[str, Any] = {"what": "decision", "step": "gate", "decision": decision, "comment": ""}
        way, keyed = self.random.choice(["token", "proxy", "link", "slack", None, "code"]), self.random.random() < 0.5
        fact = Fact(Kind.REQUESTED, data, Actor(person, way), at(self.seconds))
        self.state = fold([entry([fact], 9, keyed=keyed)], self.state)
        is_recognised = keyed and way not in (None, "code") and person in PEOPLE
        counts = is_recognised and self.model.count(person, decision, self.seconds)
        self.apply(gates.gate_facts(self.state, at(self.seconds), CODES), counts)

    def forge(self) -> None:
        """Facts of who has no key, and answers to a form that is not there any more."""
        forged = [decided("gate", by=PEOPLE[0]), decided("gate", by=PEOPLE[1]), gate_closed("gate")]
        before = self.state
        self.state = fold([entry(forged, 9, keyed=False)], self.state)
        assert self.state.gates == before.gates
        stale = Answer("approval-gate-1-999", "gate", 1, {"decision": "approve", "code": ""})
        self.apply(gates.gate_facts(self.state, at(self.seconds), CODES, [stale]), False)

    def wait(self) -> None:
        self.seconds += self.random.choice([1, 1, 1, EXPIRES])
        if self.random.random() < 0.5:  # else no engine looks before somebody does something
            self.apply(gates.gate_facts(self.state, at(self.seconds), CODES), None)

    def apply(self, facts: list[Any], counts: bool | None) -> None:
        if counts is not None:
            assert any(fact.kind is Kind.DECIDED for fact in facts) is counts, (facts, self.model)
        if self.seconds >= EXPIRES and not self.model.outcome:
            self.model.outcome = "expired"
        closings = sum(fact.kind is Kind.APPROVAL_CLOSED for fact in facts)
        assert closings <= (0 if self.gate.outcome else 1)
        self.state = fold_facts(facts, self.state, 0)


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2**64))
def test_a_gate_opens_by_its_rules_and_by_nothing_else(seed: int) -> None:
    History(Random(seed)).play()


@pytest.mark.slow
def test_ten_thousand_histories() -> None:
    for seed in range(10_000):
        History(Random(seed)).play()
