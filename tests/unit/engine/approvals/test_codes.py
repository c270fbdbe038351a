"""Personal codes: what they are bound to, and who is told apart by them."""

from dataclasses import replace
from typing import Any

import pytest

from prefect_wfexec.engine.approvals.codes import ALPHABET, WRONG_CODES_A_ROUND, CodeBook, plain_code, prove
from prefect_wfexec.journal.state import Gate
from tests.unit.journal.support import at

CODES = CodeBook(b"a key", "run-1")
GATE = Gate(
    step="gate",
    generation=1,
    opened=at(0),
    message="",
    subject_digest="abc",
    approvers=("jane@example.com", "joe@example.com"),
    is_governed=True,
    expires=at(3600),
)
JANE, JOE = GATE.approvers


def test_each_person_has_one_code_for_each_decision() -> None:
    codes = {CODES.code(GATE, person, decision) for person in GATE.approvers for decision in GATE.choices}
    assert len(codes) == 4
    for code in codes:
        assert [len(group) for group in code.split("-")] == [4, 4, 4]
        assert set(code) <= {*ALPHABET, "-"}


def test_a_code_tells_its_person_and_its_decision() -> None:
    assert CODES.who_typed(GATE, CODES.code(GATE, JOE, "reject")) == (JOE, "reject")
    assert CODES.who_typed(GATE, "AAAA-BBBB-CCCC") is None
    assert CODES.who_typed(GATE, "") is None


def test_a_code_is_read_as_people_type_it() -> None:
    code = CODES.code(GATE, JANE, "approve")
    sloppy = f" {code.lower().replace('-', ' ').replace('0', 'o').replace('1', 'l')}\n"
    assert CODES.who_typed(GATE, sloppy) == (JANE, "approve")
    assert plain_code("oil-OIL") == "011011"


def test_another_spelling_of_a_person_has_the_same_code() -> None:
    assert CODES.code(GATE, "JANE+x@Example.com", "approve") == CODES.code(GATE, JANE, "approve")


@pytest.mark.parametrize(
    "change",
    [
        {"step": "other"},
        {"generation": 2},
        {"subject_digest": "abd"},
        {"expires": None},
        {"expires": at(3601)},
        {"burnt": {JANE: 1}},
        {"wrong_codes": WRONG_CODES_A_ROUND},
    ],
)
def test_a_code_is_bound_to_its_gate(change: dict[str, Any]) -> None:
    other = replace(GATE, **change)
    assert CODES.who_typed(other, CODES.code(GATE, JANE, "approve")) is None
    assert CODES.who_typed(other, CODES.code(other, JANE, "approve")) == (JANE, "approve")


def test_a_code_is_bound_to_the_run_and_the_key() -> None:
    code = CODES.code(GATE, JANE, "approve")
    assert CodeBook(b"a key", "run-2").who_typed(GATE, code) is None
    assert CodeBook(b"another key", "run-1").who_typed(GATE, code) is None


def test_burning_one_persons_codes_leaves_the_others() -> None:
    burnt = replace(GATE, burnt={JANE: 1})
    assert CODES.code(burnt, JOE, "approve") == CODES.code(GATE, JOE, "approve")


def test_a_proof_is_about_its_content_only() -> None:
    content = {"decision": "approve", "comment": "fine"}
    proof = prove(CODES.code(GATE, JOE, "approve"), "run-1", content)
    assert CODES.who_proved(GATE, proof, content) == (JOE, "approve")
    assert CODES.who_proved(GATE, proof, {**content, "comment": "not fine"}) is None
    assert CODES.who_proved(GATE, "ä", content) is None
    assert prove("wrong", "run-1", content) != proof
