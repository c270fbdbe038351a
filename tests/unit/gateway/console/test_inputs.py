"""The form made from the inputs of a workflow, and what it sends."""

import pytest

from prefect_wfexec.definition.model import Input
from prefect_wfexec.errors import UsageError
from prefect_wfexec.gateway.console.inputs import fields_of, read_inputs

INPUTS = (
    Input("zone", "string", "Where to.", enum=("eu", "us"), default="eu", required=False),
    Input("count", "integer", default=2, required=False),
    Input("dry", "boolean", default=True, required=False),
    Input("tags", "array", default=["a"], required=False),
    Input("name", "string"),
)


def test_fields_show_what_holds_and_how_it_is_filled_in() -> None:
    zone, count, dry, tags, name = fields_of(INPUTS, {"count": 3, "name": "x"}, {"input.dry": "false"})
    assert (zone.kind, zone.choices, zone.value, zone.help) == ("choice", ("eu", "us"), "eu", "Where to.")
    assert (count.kind, count.value, count.help) == ("text", "3", "(integer)")
    assert (dry.kind, dry.choices, dry.value) == ("choice", ("true", "false"), "false")
    assert (tags.kind, tags.value) == ("json", '["a"]')
    assert (name.value, name.is_required) == ("x", True)


def test_what_was_filled_in_has_its_type() -> None:
    form = {"input.zone": "us", "input.count": "7", "input.dry": "false", "input.tags": '["b"]', "input.name": "1"}
    assert read_inputs(INPUTS, form) == {"zone": "us", "count": 7, "dry": False, "tags": ["b"], "name": "1"}


def test_what_is_empty_is_left_to_the_default() -> None:
    assert read_inputs(INPUTS, {"input.count": "", "input.name": "", "other": "x"}) == {}
    assert read_inputs(INPUTS, {"input.zone": ""}) == {"zone": ""}


@pytest.mark.parametrize(("name", "text"), [("count", "seven"), ("dry", "maybe"), ("tags", "[")])
def test_what_is_of_another_type_is_refused(name: str, text: str) -> None:
    with pytest.raises(UsageError, match=f"input '{name}' is no"):
        read_inputs(INPUTS, {f"input.{name}": text})
