"""The JSON of deliveries: what could be read in two ways, resolved or not stored is refused."""

import json
from urllib.parse import quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_wfexec.triggers.event import Unreadable
from prefect_wfexec.triggers.payloads import DEEPEST, first_line, parse, read_json, text
from prefect_wfexec.triggers.received import Received
from tests.unit.journal.support import unhurried


def of_type(kind: str, body: bytes) -> Received:
    return Received(body, (("content-type", kind),))


def nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "no JSON"),
        (b"{", "line 1, column 2"),
        (b"{} x", "no JSON"),
        (b"\xff", "no UTF-8"),
        (b"\xef\xbb\xbf{}", "no JSON"),
        ('{"a": 1}'.encode("utf-16"), "no UTF-8"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": -Infinity}', "-Infinity"),
        (b'{"a": 1e400}', "too large"),
        (b'{"a": ' + b"9" * 400 + b"}", "too large"),
        (b'{"a": ' + b"9" * 5000 + b"}", "too large"),
        (b'{"a": 1, "a": 2}', "stands twice"),
        (b'{"a": {"b": 1, "b": 1}}', "stands twice"),
        (b'{"a": [{"__prefect_kind": "json"}]}', "__prefect_kind"),
        (b'{"a": [[{"$ref": "x"}]]}', "$ref"),
        (b'{"a": "\\ud800"}', "not allowed"),
        (b'{"\\ud800": 1}', "not allowed"),
        (b'{"a": "\\u0000"}', "not allowed"),
        (nested(DEEPEST + 2), "deep"),
        (nested(100_000), "deep"),
        (b'{"a":' * 5000 + b"1" + b"}" * 5000, "deep"),
    ],
)
def test_what_is_refused_says_why(body: bytes, reason: str) -> None:
    with pytest.raises(Unreadable) as caught:
        parse(body)
    assert reason in caught.value.reason


def test_what_is_allowed_is_kept_as_it_is() -> None:
    value = {"a": [1, -2.5, 2**63, 1e300, True, None, "é 🎉 \n"], "b": {"": {}}}
    assert parse(json.dumps(value).encode()) == value
    assert parse(nested(DEEPEST + 1))


@pytest.mark.parametrize("kind", ["application/json", "application/json; charset=utf-8", "Application/Vnd.X+JSON"])
def test_content_types_that_are_json(kind: str) -> None:
    assert read_json(of_type(kind, b"{}")) == {}


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("text/plain", "content type"),
        ("application/x-www-form-urlencoded", "content type"),
        ("text/json+json", "content type"),
        ("", "content type"),
        ("application/json; charset=latin-1", "charset"),
    ],
)
def test_content_types_that_are_none(kind: str, reason: str) -> None:
    with pytest.raises(Unreadable) as caught:
        read_json(of_type(kind, b"{}"))
    assert reason in caught.value.reason


def test_a_content_type_that_is_missing_or_came_twice_is_refused() -> None:
    json_type = ("content-type", "application/json")
    for headers in ((), (json_type, json_type)):
        with pytest.raises(Unreadable):
            read_json(Received(b"{}", headers))


FORM = "application/x-www-form-urlencoded"


def test_a_form_has_its_payload_read() -> None:
    body = b"payload=" + quote_plus('{"a": "é+&="}').encode()
    assert read_json(of_type(FORM, body), takes_form=True) == {"a": "é+&="}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"payload=",
        b"payload=%ff",
        b"payload=%7B%7D&payload=%7B%7D",
        b"a=1&payload=%7B%7D",
        b"payload",
        b'{"title": "a plain JSON body"}',
        b'payload={"title": "x&payload=y"}',
        b'{"title": "x&payload=%7B%7D"}',
        "payload={é}".encode(),
    ],
)
def test_a_form_with_anything_else_is_refused(body: bytes) -> None:
    # the last but one: who may write a title could else have a signed JSON body read as a form of theirs
    with pytest.raises(Unreadable):
        read_json(of_type(FORM, body), takes_form=True)


def test_texts_for_people_are_short_and_plain() -> None:
    value = {"a": "\x1b[31mred\x1b[0m\x07\n  text\u202e", "b": "x" * 1000, "c": 12, "d": True, "e": " \n", "f": ["x"]}
    assert text(value, "a") == "red text"
    assert len(text(value, "b") or "") == 300
    assert (text(value, "c"), text(value, "d"), text(value, "e"), text(value, "f")) == ("12", None, None, None)
    assert text(value, "a", "b") is None
    assert first_line({"m": "\n\nsubject\n\nbody"}, "m") == "subject"
    assert first_line({"m": 1}, "m") is None


JSONS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.just("$ref"), inner),
    max_leaves=20,
)


@unhurried
@given(st.binary(max_size=60) | JSONS.map(lambda value: json.dumps(value).encode()))
def test_any_body_is_read_or_refused_in_words(body: bytes) -> None:
    try:
        value = parse(body)
    except Unreadable as refusal:
        assert refusal.reason
    else:
        assert json.loads(json.dumps(value, allow_nan=False)) == value


@unhurried
@given(st.binary(max_size=80))
def test_any_form_is_read_or_refused_in_words(body: bytes) -> None:
    try:
        read_json(of_type(FORM, b"payload=" + body), takes_form=True)
    except Unreadable as refusal:
        assert refusal.reason
