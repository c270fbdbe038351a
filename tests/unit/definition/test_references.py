"""What expressions refer to, found without running them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_wfexec.definition.expressions import references
from prefect_wfexec.definition.references import Call, references_of
from prefect_wfexec.definition.templates import ExpressionError


def names(expression: str) -> list[str]:
    return [str(one) for one in references_of(expression).all]


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("steps.plan.outputs.counts.add == 0", ["steps.plan.outputs.counts.add"]),
        ('steps["plan"]["outputs"]["counts"]', ["steps.plan.outputs.counts"]),
        ("steps['pl' ]", ["steps.pl"]),
        ("steps . plan\n. status", ["steps.plan.status"]),
        ('"steps.no" + \'inputs.no\' + r"env.no"', []),
        ("'it\\'s steps.no' == inputs.yes", ["inputs.yes"]),
        ('"""steps.no"""', []),
        ("inputs.a // steps.no\n + inputs.b", ["inputs.a", "inputs.b"]),
        ("inputs.list.size() > 1", ["inputs.list"]),
        ("size(inputs.list)", ["inputs.list"]),
        ("inputs.list.exists(steps, steps.x == env.y)", ["inputs.list", "env.y"]),
        ("[1].map(x, x + 1) + x", ["x"]),
        ("has(inputs.a.b)", ["inputs.a.b"]),
        ("a ? b : c", ["a", "b", "c"]),
        ("{'k': inputs.v}", ["inputs.v"]),
        ("true && null == false", []),
        ("inputs.list[0].name", ["inputs.list"]),
        (".inputs.x", ["inputs.x"]),
        ("math.abs(inputs.n)", ["inputs.n"]),
        ("inputs.x.y.z(inputs.w)", ["inputs.x.y", "inputs.w"]),
        ("1.5 + inputs.x", ["inputs.x"]),
    ],
)
def test_references(expression: str, found: list[str]) -> None:
    assert names(expression) == found


def test_computed_indexes_are_known_as_such() -> None:
    first, second = references_of("steps[inputs.which].status").all
    assert (first.root, first.path, first.is_computed) == ("steps", (), True)
    assert str(second) == "inputs.which"


def test_the_summary_of_a_value() -> None:
    found = references(
        {
            "a": "${{ steps.plan.outputs.counts }} and ${{ steps.plan.outputs.plan }}",
            "b": ["${{ secrets.db_password }}", {"c": "${{ inputs.region + steps.other.status }}"}],
            "d": "$${{ steps.literal.status }}",
        }
    )
    assert found.roots == {"steps", "secrets", "inputs"}
    assert found.steps == {"plan", "other"}
    assert dict(found.outputs) == {"plan": {"counts", "plan"}}
    assert found.secrets == {"db_password"}
    assert found.inputs == {"region"}


def test_a_condition_is_bare_or_whole() -> None:
    assert references("steps.a.status == 'Failed'", is_expression=True).steps == {"a"}
    assert references("${{ steps.a.status == 'Failed' }}", is_expression=True).steps == {"a"}


def test_calls() -> None:
    assert references_of("size(a) + b.size() + math.abs(c)").calls == (
        Call("size", is_method=False),
        Call("size", is_method=True),
        Call("math.abs", is_method=False),
    )


@given(st.text(alphabet="ab.[](){}'\"\\/,:?+-\n 019\x00é", max_size=80))
def test_nonsense_is_no_error(expression: str) -> None:
    references_of(expression)


@given(st.text(alphabet="$}{a'\"/ \n", max_size=60))
def test_any_text_is_split_or_refused(text: str) -> None:
    try:
        references(text)
    except ExpressionError as error:
        assert error.hint
