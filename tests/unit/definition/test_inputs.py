"""Inputs, and values for them."""

import pytest

from prefect_wfexec.definition.check_inputs import problem_of
from prefect_wfexec.definition.model import Input
from tests.unit.definition.conftest import Language


@pytest.mark.parametrize(
    ("kind", "value", "is_fine"),
    [
        ("string", "x", True),
        ("string", 1, False),
        ("string", None, False),
        ("integer", 1, True),
        ("integer", 1.0, True),
        ("integer", 1.5, False),
        ("integer", True, False),
        ("number", 1, True),
        ("number", 1.5, True),
        ("number", "1", False),
        ("boolean", True, True),
        ("boolean", 1, False),
        ("boolean", "yes", False),
        ("array", [], True),
        ("array", {}, False),
        ("object", {}, True),
        ("object", [], False),
    ],
)
def test_types(kind: str, value: object, is_fine: bool) -> None:
    assert (problem_of(Input("x", kind), value) == "") is is_fine  # type: ignore[arg-type]


def test_enum_and_pattern() -> None:
    declared = Input("zone", "string", enum=("eu", "us"), pattern="[a-z]{2}")
    assert problem_of(declared, "eu") == ""
    assert problem_of(declared, "ap") == "must be one of 'eu' and 'us'"
    assert problem_of(Input("zone", "string", pattern="[a-z]{2}|x"), "eux") == "must match the pattern [a-z]{2}|x"
    assert problem_of(Input("n", "integer", enum=(1, 2)), True) == "must be a whole number, not a boolean"


def test_a_pattern_that_explodes_elsewhere_does_not_here() -> None:
    assert problem_of(Input("x", "string", pattern="(a+)+b"), "a" * 5000).startswith("must match")


@pytest.mark.parametrize(
    ("declared", "codes"),
    [
        ("a: {}", []),
        ("a: {type: string}", []),
        ("a: {type: text}", ["bad-value"]),
        ("a: {type: string, required: true}", ["unknown-key"]),
        ("a: {type: string, options: [x]}", ["unknown-key"]),
        ("a: text", ["wrong-type"]),
        ("a: {type: boolean, default: off}", ["yaml-boolean"]),
        ("a: {type: boolean, default: 1}", ["bad-default"]),
        ("a: {type: string, default: true}", ["bad-default"]),
        ("a: {type: integer, default: 1.5}", ["bad-default"]),
        ("a: {type: number, default: 1}", []),
        ("a: {type: array, default: [1]}", []),
        ("a: {type: object, default: {b: 1}}", []),
        ("a: {type: string, default: null}", ["bad-default"]),
        ("a: {type: string, enum: [yes, no], default: no}", []),
        ("a: {type: integer, enum: [1, 1]}", ["bad-enum"]),
        ("a: {type: string, pattern: '(?=x)'}", ["bad-pattern"]),
        ("a: {type: string, description: 'of ${{ anything }}'}", []),
        ("class: {}", ["bad-name"]),
        ("a-b: {}", ["bad-name"]),
        ("_a: {}", ["bad-name"]),
        ("ä: {}", ["bad-name"]),
        ("in: {}", ["bad-name"]),
        ("wfexec_context: {}", ["reserved-name"]),
        ("wait_for: {}", ["reserved-name"]),
    ],
)
def test_declarations(language: Language, declared: str, codes: list[str]) -> None:
    assert language.codes(f"inputs:\n  {declared}\nsteps: [{{id: one, run: x}}]\n") == codes
