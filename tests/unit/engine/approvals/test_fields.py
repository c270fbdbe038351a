"""The author's fields: what was filled in is checked by us, whatever Prefect's form let through."""

from typing import Any

import jsonschema
import pytest

from prefect_wfexec.engine.approvals.fields import (
    LONGEST_TEXT_CHARACTERS,
    FieldError,
    checked_fields,
    field_schemas,
    parse_field,
    required_fields,
)

FIELDS: dict[str, dict[str, Any]] = {
    "ticket": {"type": "string"},
    "window": {"type": "choice", "enum": ["day", "night"], "default": "night"},
    "batch": {"type": "integer", "required": False},
    "share": {"type": "number", "default": 0.5},
    "urgent": {"type": "boolean", "default": False},
}


def test_what_is_left_out_has_its_default_or_is_null() -> None:
    assert checked_fields(FIELDS, {"ticket": "OPS-1"}) == {
        "ticket": "OPS-1",
        "window": "night",
        "batch": None,
        "share": 0.5,
        "urgent": False,
    }


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "'ticket' is empty"),
        ({"ticket": ""}, "'ticket' is empty"),
        ({"ticket": 7}, "'ticket' takes text"),
        ({"ticket": {"$ref": "x"}}, "'ticket' takes text"),
        ({"ticket": ["x"]}, "'ticket' takes text"),
        ({"ticket": "x", "window": "noon"}, "'window' takes 'day' or 'night'"),
        ({"ticket": "x", "batch": True}, "'batch' takes a whole number"),
        ({"ticket": "x", "batch": 1.5}, "'batch' takes a whole number"),
        ({"ticket": "x", "share": float("nan")}, "'share' takes a number"),
        ({"ticket": "x", "urgent": "yes"}, "'urgent' takes yes or no"),
        ({"ticket": "x", "__prefect_kind": "json"}, "no field '__prefect_kind'"),
        ({"ticket": "x" * (LONGEST_TEXT_CHARACTERS + 1)}, "more than"),
    ],
)
def test_what_does_not_fit_is_refused(given: dict[str, Any], words: str) -> None:
    with pytest.raises(FieldError, match=words):
        checked_fields(FIELDS, given)


def test_control_characters_are_taken_out() -> None:
    assert checked_fields({"a": {}}, {"a": "\x1b[31mred\x1b[0m"}) == {"a": "red"}


def test_the_schema_of_the_form_says_the_same() -> None:
    schema = {"type": "object", "properties": field_schemas(FIELDS), "required": required_fields(FIELDS)}
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["required"] == ["ticket"]
    jsonschema.validate({"ticket": "x", "window": "day", "batch": 3}, schema)
    for wrong in ({"ticket": "x", "window": "noon"}, {"ticket": "x", "batch": "3"}, {}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, schema)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("boolean", "Yes", True),
        ("boolean", "false", False),
        ("boolean", "maybe", "maybe"),
        ("integer", "12", 12),
        ("integer", "x", "x"),
        ("number", "1.5", 1.5),
        ("string", "12", "12"),
    ],
)
def test_text_from_a_command_line_becomes_what_the_field_takes(kind: str, text: str, value: object) -> None:
    assert parse_field({"type": kind}, text) == value
