"""Rendering and evaluating expressions."""

import contextlib
import logging
import threading
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_wfexec.definition.expressions import (
    ExpressionError,
    compile_expression,
    evaluate,
    evaluate_condition,
    is_deferred,
    render,
)
from prefect_wfexec.definition.functions import LIBRARY, NATIVE
from prefect_wfexec.errors import WfexecError

SCOPE: dict[str, Any] = {
    "inputs": {
        "n": 2,
        "f": 2.0,
        "s": "eu",
        "none": None,
        "flag": True,
        "list": [1, 2.5, "x"],
        "names": ["b", "a"],
        "map": {"k": {"deep": 1}},
        "my-key": 7,
        "large": 2**70,
        "u": 2**63 + 1,
    },
    "steps": {
        "plan": {"status": "Success", "outputs": {"counts": {"add": 0, "change": 1}, "has_changes": True}},
        "skipped": {"status": "Skipped", "outputs": {}},
    },
}


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("inputs.n > 1", True),
        ("inputs.n > 1.5", True),
        ("inputs.f == 2", True),
        ("inputs.n == inputs.f", True),
        ("steps.plan.outputs.counts.add == 0", True),
        ("inputs.n + 1", 3),
        ("inputs.f + 1.0", 3.0),
        ("inputs.s + '-1'", "eu-1"),
        ("inputs.n / 2", 1),
        ("inputs.list", [1, 2.5, "x"]),
        ("inputs.list[1]", 2.5),
        ("inputs['my-key']", 7),
        ("inputs.map.k", {"deep": 1}),
        ("inputs.none", None),
        ("inputs.none == null", True),
        ("inputs.large", 2**70),
        ("inputs.large > 5", True),
        ("inputs.u > 1 && inputs.u != 1", True),
        ("has(inputs.nothing)", False),
        ("has(inputs.n) ? 'yes' : 'no'", "yes"),
        ("'x' in inputs.list", True),
        ("'zz' in inputs", False),
        ("inputs.names.exists(name, name == 'a')", True),
        ("inputs.names.map(name, name + '!')", ["b!", "a!"]),
        ("inputs.names.sort().join(', ')", "a, b"),
        ("inputs.list.map(x, string(x)).join('-')", "1-2.5-x"),
        ("'a,b'.split(',')", ["a", "b"]),
        ("string(true) + string(null) + string(inputs.list)", 'truenull[1, 2.5, "x"]'),
        ("string(2.0) + string(1.5) + string(3)", "21.53"),
        ("math.greatest(1, inputs.n)", 2),
        ("inputs.s.upperAscii()", "EU"),
        ("timestamp('2024-01-01T02:00:00+02:00')", "2024-01-01T00:00:00Z"),
        ("duration('90s')", "90s"),
        ("duration('1.5s')", "1.5s"),
        ("{'b': 1, 'a': inputs.n}", {"b": 1, "a": 2}),
        ("'}}'", "}}"),
        ("true || inputs.nothing", True),
    ],
)
def test_values(expression: str, value: object) -> None:
    found = evaluate(expression, SCOPE)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("expression", "reason", "hint"),
    [
        ("steps.plan.outputs.count", "'steps.plan.outputs' has no 'count'", "did you mean 'counts'"),
        ("steps.plan.outputs.nothing.at.all", "'steps.plan.outputs' has no 'nothing'", "it has"),
        ("steps.plna.status", "'steps' has no 'plna'", "did you mean 'plan'"),
        ("steps.skipped.outputs.stdout", "'steps.skipped.outputs' is empty", "has(steps.skipped.outputs.stdout)"),
        ("inputs.s.x", "'inputs.s' is text", ""),
        ("inputs.none.x == 1", "'inputs.none' is null", "inputs.none != null"),
        ("input.n == 1", "nothing is named 'input'", "did you mean 'inputs'"),
        ("inputs.s == eu", "nothing is named 'eu'", "quotes: 'eu'"),
        ("inputs.my-key", "nothing is named 'key'", '["my-key"]'),
        ("inputs.f + 1", "decimal number + whole number", "double()"),
        ("inputs.s + 1", "text + whole number", "string()"),
        ("inputs.s > 1", "does not take values of these types (inputs.s is text)", "convert"),
        ("!inputs.s", "inputs.s is text", "true or false"),
        ("inputs.list[9]", "beyond the end", "size()"),
        ("1 / (inputs.n - 2)", "divides by zero", ""),
        ("9223372036854775807 + inputs.n", "64 bits", "double()"),
        ("1.0 / 0.0", "not a finite number", ""),
        ("int(inputs.s)", "int() can't work", "number"),
        ("inputs.s.matches('[')", "no regular expression", ""),
        ("inputs.list.join(',')", "join() can't work", "string(x)"),
        ("b'abc'", "bytes", "string()"),
        ("{1: 2}", "key of its result is no text", "string()"),
        ("lowerascii('A')", "no function 'lowerascii'", "did you mean 'lowerAscii'"),
        ("inputs.n = 2", "'='", "=="),
        ("inputs.flag and true", "'and'", "&&"),
        ("not inputs.flag", "'not'", "!"),
        ("(1", "ends too early", "bracket"),
        ("'abc", "quote is not closed", ""),
        ("inputs.in", "reserved word", "brackets"),
        ("", "empty", ""),
        ("${{ inputs.n }}", "'$'", "without"),
    ],
)
def test_errors_say_why_and_what_to_do(expression: str, reason: str, hint: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        evaluate(expression, SCOPE)
    error = caught.value
    assert isinstance(error, WfexecError)
    assert error.code == "expression"
    assert reason in error.message
    assert hint in (error.hint or "")
    assert "\n" not in error.message


def test_no_value_of_the_scope_is_in_an_error() -> None:
    scope = {"secrets": {"token": "hunter2-hunter2"}}
    for expression in ("secrets.token + 1", "int(secrets.token)", "bool(secrets.token)", "secrets.token.charAt(99)"):
        with pytest.raises(ExpressionError) as caught:
            evaluate(expression, scope)
        assert "hunter2" not in f"{caught.value.message}{caught.value.hint}{caught.value.__context__}"


def test_no_value_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), pytest.raises(ExpressionError):
        evaluate("bool(secrets.token)", {"secrets": {"token": "hunter2-hunter2"}})
    assert "hunter2" not in caplog.text


def test_a_lone_expression_keeps_its_type() -> None:
    assert render("${{ inputs.list }}", SCOPE) == [1, 2.5, "x"]
    assert render("${{inputs.n}}", SCOPE) == 2
    assert render(" ${{ inputs.n }}", SCOPE) == " 2"


def test_inside_text() -> None:
    text = "${{ inputs.s }}|${{ inputs.n }}|${{ inputs.flag }}|${{ inputs.none }}|${{ inputs.list }}|${{ inputs.map }}"
    assert render(text, SCOPE) == 'eu|2|true||[1, 2.5, "x"]|{"k": {"deep": 1}}'


def test_nested_values_are_rendered_and_the_rest_is_left() -> None:
    value = {"a": [1, None, {"b": "${{ inputs.n }}"}], "${{ k }}": True}
    assert render(value, SCOPE) == {"a": [1, None, {"b": 2}], "${{ k }}": True}


def test_a_doubled_dollar_writes_the_braces_themselves() -> None:
    assert render("$${{ inputs.n }} ${{ inputs.n }}", SCOPE) == "${{ inputs.n }} 2"
    assert is_deferred("$${{ x }}")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a ${{ '}}' }} b", "a }} b"),
        ("${{ \"}}\" + '}}' }}", "}}}}"),
        ("${{ {'a': {'b': 1}} }}", {"a": {"b": 1}}),
        ("${{ {'a': {'b': 1}}.a.b }}!", "1!"),
        ("${{ 1 // a note }}", 1),
        ("${{ 'https://x/' + inputs.s }}", "https://x/eu"),
        ("${{\n  inputs.n\n}}", 2),
        ("}} ${{ 1 }} }}", "}} 1 }}"),
    ],
)
def test_where_an_expression_ends(text: str, value: object) -> None:
    assert render(text, SCOPE) == value


@pytest.mark.parametrize("text", ["${{ inputs.n", "${{ 'a }}", "${{ }}", "a ${{", "${{ {'a': 1 }}"])
def test_an_expression_that_is_not_closed(text: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        render(text, SCOPE)
    assert caught.value.kind == "expression-syntax"


def test_size_is_counted_in_bytes() -> None:
    with pytest.raises(ExpressionError) as caught:
        evaluate(f"'{'ä' * 600}' == ''", {})
    assert caught.value.kind == "expression-too-long"
    assert evaluate(f"'{'a' * 1000}' == ''", {}) is False


def test_a_long_note_in_text_is_no_long_expression() -> None:
    assert render("x" * 5000 + "${{ 1 }}" + "y" * 5000, {}) == "x" * 5000 + "1" + "y" * 5000


def test_conditions() -> None:
    assert evaluate_condition("inputs.n == 2", SCOPE) is True
    assert evaluate_condition("${{ inputs.n == 3 }}", SCOPE) is False
    with pytest.raises(ExpressionError, match="true or false, and this gives a whole number"):
        evaluate_condition("inputs.n", SCOPE)
    with pytest.raises(ExpressionError, match="one expression"):
        evaluate_condition("a ${{ inputs.n }}", SCOPE)


def test_only_what_is_named_reaches_the_evaluation() -> None:
    class Tripwire(Mapping[str, object]):
        """A step that must not be looked at."""

        def __getitem__(self, key: str) -> object:
            raise AssertionError(key)

        def __iter__(self) -> Any:
            raise AssertionError

        def __len__(self) -> int:
            raise AssertionError

    scope = {"steps": {"a": {"status": "Success", "outputs": Tripwire()}, "b": Tripwire()}, "inputs": Tripwire()}
    assert evaluate("steps.a.status == 'Success'", scope) is True


@pytest.mark.parametrize(
    "expression",
    [
        "(" * 200 + "1" + ")" * 200,
        "[" * 80 + "]" * 80,
        "[1].map(a, [1].map(b, [1].map(c, [1].map(d, d))))",
        "[1]" + ".map(a, a)" * 40,
        "f(" * 100 + ")" * 100,
    ],
)
def test_what_could_exhaust_the_machine_is_refused(expression: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_expression(expression)
    assert caught.value.kind in {"expression-too-complex", "expression-syntax"}


@pytest.mark.parametrize(
    "expression",
    [
        "!" * 1000 + "true",
        "-" * 1000 + "1",
        "1" + "+1" * 500,
        "x" + ".a" * 500,
        "(" * 24 + "1" + ")" * 24,
        "{'a':" * 24 + "1" + "}" * 24,
        "true" + "||true" * 160,
    ],
)
def test_what_is_accepted_fits_a_small_stack(expression: str) -> None:
    done: list[bool] = []

    def run() -> None:
        with contextlib.suppress(ExpressionError):
            evaluate(expression, {"x": {"a": 1}})
        done.append(True)

    before = threading.stack_size(1024 * 1024)
    try:
        thread = threading.Thread(target=run)
        thread.start()
        thread.join(30)
    finally:
        threading.stack_size(before)
    assert done == [True]


def test_deep_values_are_refused_and_do_not_crash() -> None:
    deep: Any = 1
    for _ in range(5000):
        deep = [deep]
    for expression in ("inputs.deep", "size(inputs.deep) == 1"):
        with pytest.raises(ExpressionError, match="deep"):
            evaluate(expression, {"inputs": {"deep": deep}})
    while isinstance(deep, list) and deep:
        deep = deep.pop()


def test_values_that_are_no_json_are_refused() -> None:
    with pytest.raises(ExpressionError, match="object"):
        evaluate("inputs.x == 1", {"inputs": {"x": object()}})


def test_every_library_function_is_there() -> None:
    from cel.stdlib import STDLIB_FUNCTIONS

    assert {name for name in LIBRARY if name not in STDLIB_FUNCTIONS} == {"string"}


NATIVE_CALLS = {
    "bytes": "size(bytes('ab')) == 2",
    "contains": "'abc'.contains('b')",
    "double": "double('1.5') == 1.5",
    "duration": "duration('1m') == duration('60s')",
    "dyn": "dyn(1) == 1",
    "endsWith": "'abc'.endsWith('c')",
    "int": "int(2.7) == 2",
    "has": "has(inputs.n)",
    "matches": "'abc'.matches('^a.c$')",
    "size": "size([1, 2]) == 2",
    "startsWith": "'abc'.startsWith('a')",
    "timestamp": "timestamp('2024-01-01T00:00:00Z') < timestamp('2024-01-02T00:00:00Z')",
    "type": "type(1) == type(2)",
    "uint": "uint(1) == 1u",
}
MOMENT_CALLS = {
    "getDate": 3,
    "getDayOfMonth": 2,
    "getDayOfWeek": 6,
    "getDayOfYear": 33,
    "getFullYear": 2024,
    "getHours": 4,
    "getMilliseconds": 70,
    "getMinutes": 5,
    "getMonth": 1,
    "getSeconds": 6,
}


def test_every_native_function_works() -> None:
    assert NATIVE_CALLS.keys() | MOMENT_CALLS.keys() == NATIVE
    for expression in NATIVE_CALLS.values():
        assert evaluate(expression, SCOPE) is True, expression
    for name, value in MOMENT_CALLS.items():
        assert evaluate(f"timestamp('2024-02-03T04:05:06.070Z').{name}()", {}) == value


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**62), 2**62)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(JSON_VALUES)
def test_a_value_goes_through_unchanged(value: object) -> None:
    assert render("${{ inputs.x }}", {"inputs": {"x": value}}) == value


@given(JSON_VALUES)
def test_a_value_goes_through_cel_unchanged(value: object) -> None:
    assert evaluate("[inputs.x][0]", {"inputs": {"x": value}}) == value


@given(st.text(alphabet="inputs.xn01+-*/%!=<>&|?:()[]{}'\" ,", max_size=60))
def test_any_expression_gives_json_or_a_typed_error(expression: str) -> None:
    try:
        evaluate(expression, {"inputs": {"x": 1, "n": "t"}})
    except ExpressionError as error:
        assert error.reason
