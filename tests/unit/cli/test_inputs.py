"""`-i key=value`."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_wfexec.cli.inputs import parse_inputs
from prefect_wfexec.definition.model import JSON, Input
from prefect_wfexec.engine.compiler import compile_workflow
from prefect_wfexec.errors import UsageError
from tests.unit.engine.support import workflow
from tests.unit.journal.support import unhurried

WORKFLOW = workflow(
    inputs=(
        Input("zone", "string", enum=("eu", "us"), default="eu", required=False),
        Input("name", "string", pattern="[a-z]{2}|x"),
        Input("count", "integer", default=3, required=False),
        Input("ratio", "number", default=None, required=False),
        Input("dry", "boolean", default=False, required=False),
        Input("tags", "array", default=["a"], required=False),
        Input("labels", "object", default=None, required=False),
        Input("size", "number", enum=(1, 2.5), default=1, required=False),
    )
)


def given_as(name: str, text: str) -> JSON:
    return parse_inputs(WORKFLOW, ["name=ab", f"{name}={text}"])[name]


def test_what_is_left_out_has_its_default() -> None:
    assert parse_inputs(WORKFLOW, ["name=ab"]) == {
        "zone": "eu",
        "name": "ab",
        "count": 3,
        "ratio": None,
        "dry": False,
        "tags": ["a"],
        "labels": None,
        "size": 1,
    }


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("zone", "us", "us"),
        ("name", "x", "x"),
        ("count", "7", 7),
        ("count", " -7 ", -7),
        ("count", "7.0", 7),
        ("count", "1e3", 1000),
        ("ratio", "0.5", 0.5),
        ("ratio", "2", 2.0),
        ("dry", "true", True),
        ("dry", "FALSE", False),
        ("tags", "[]", []),
        ("tags", '["a", {"b": 1}]', ["a", {"b": 1}]),
        ("labels", '{"a": {"b": null}}', {"a": {"b": None}}),
        ("size", "2.5", 2.5),
        ("size", "1", 1.0),
    ],
)
def test_values_are_of_the_type_declared(name: str, text: str, value: JSON) -> None:
    found = given_as(name, text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("zone", "ap"),
        ("zone", "EU"),
        ("zone", ""),
        ("name", "AB"),
        ("name", "abx"),
        ("name", "ab\n"),
        ("count", ""),
        ("count", "three"),
        ("count", "1.5"),
        ("count", "true"),
        ("count", "null"),
        ("count", '"7"'),
        ("count", "9" * 5000),
        ("count", "1e999"),
        ("count", "NaN"),
        ("ratio", "half"),
        ("ratio", "NaN"),
        ("ratio", "Infinity"),
        ("ratio", "1e999"),
        ("ratio", "1" + "0" * 400),
        ("ratio", "true"),
        ("dry", "yes"),
        ("dry", "1"),
        ("tags", "a"),
        ("tags", '{"a": 1}'),
        ("tags", "[" * 100_000),
        ("tags", "[1e999]"),
        ("labels", "[]"),
        ("labels", '{"a": "\\ud800"}'),
        ("labels", '{"a": "\\u0000"}'),
        ("size", "2"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_inputs_name(name: str, text: str) -> None:
    with pytest.raises(UsageError) as caught:
        given_as(name, text)
    assert f"input '{name}'" in caught.value.message
    assert len(caught.value.message) < 400
    assert caught.value.message.isprintable()


@pytest.mark.parametrize("text", ["\udcff", "a\0b"])
def test_what_is_no_text_is_refused(text: str) -> None:
    one = workflow(inputs=(Input("name", "string"),))
    with pytest.raises(UsageError) as caught:
        parse_inputs(one, [f"name={text}"])
    assert "is not allowed" in caught.value.message
    caught.value.message.encode()


@pytest.mark.parametrize("text", ['{"$ref": 1}', '{"a": [{"__prefect_kind": "jinja"}]}'])
def test_what_prefect_would_resolve_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        given_as("labels", text)
    assert caught.value.code == "refused-key"


def test_a_value_may_hold_anything_behind_the_first_sign() -> None:
    one = workflow(inputs=(Input("query", "string"),))
    assert parse_inputs(one, ["query=a=b=c"]) == {"query": "a=b=c"}
    assert parse_inputs(one, ["query="]) == {"query": ""}
    assert parse_inputs(one, ["query= spaces kept "]) == {"query": " spaces kept "}
    assert parse_inputs(one, ["query=${{ inputs.x }}"]) == {"query": "${{ inputs.x }}"}


def test_the_last_of_two_wins() -> None:
    assert parse_inputs(WORKFLOW, ["name=ab", "name=x"])["name"] == "x"


@pytest.mark.parametrize("pair", ["", "name", "=x", "name:ab"])
def test_what_is_no_pair(pair: str) -> None:
    with pytest.raises(UsageError, match="is no input"):
        parse_inputs(WORKFLOW, ["name=ab", pair])


def test_unknown_and_missing_ones_are_named() -> None:
    with pytest.raises(UsageError) as caught:
        parse_inputs(WORKFLOW, ["name=ab", "zoen=eu", "other=1"])
    assert "'zoen' and 'other'" in caught.value.message
    assert "'zone'" in (caught.value.hint or "")
    with pytest.raises(UsageError, match="needs the input 'name'") as caught:
        parse_inputs(WORKFLOW, [])
    assert caught.value.hint == "-i name=…"
    with pytest.raises(UsageError) as caught:
        parse_inputs(workflow(), ["a=1"])
    assert caught.value.hint == "it has none"


@unhurried
@given(st.text(max_size=10), st.sampled_from([one.name for one in WORKFLOW.inputs]))
def test_any_text_is_taken_or_refused(text: str, name: str) -> None:
    pairs = [f"{name}={text}"] if name == "name" else ["name=ab", f"{name}={text}"]
    try:
        found = parse_inputs(WORKFLOW, pairs)
    except UsageError:
        return
    assert set(found) == {one.name for one in WORKFLOW.inputs}


ANYTHING = workflow(
    inputs=(
        Input("text", "string"),
        Input("count", "integer"),
        Input("ratio", "number"),
        Input("dry", "boolean"),
        Input("tags", "array"),
        Input("labels", "object"),
    )
)
FLOW = compile_workflow(ANYTHING)


@pytest.mark.parametrize(
    "texts",
    [
        {"text": "é", "count": "0", "ratio": "1", "dry": "true", "tags": "[1]", "labels": "{}"},
        {"text": "", "count": "-5", "ratio": "-1e-3", "dry": "false", "tags": "[]", "labels": '{"a": [1.5]}'},
        {"text": "1", "count": "12345678901", "ratio": "1e10", "dry": "True", "tags": "[[]]", "labels": '{"": null}'},
    ],
)
def test_prefect_takes_what_is_taken_here_and_as_it_is(texts: dict[str, str]) -> None:
    found: dict[str, Any] = parse_inputs(ANYTHING, [f"{name}={text}" for name, text in texts.items()])
    validated = FLOW.validate_parameters(found)
    assert {name: validated[name] for name in found} == found
    assert [type(validated[name]) for name in found] == [type(value) for value in found.values()]
