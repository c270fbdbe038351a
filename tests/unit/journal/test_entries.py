"""Entries as text: what comes back, what is noticed."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from prefect_wfexec.journal.entries import read_entry, write_entry
from prefect_wfexec.journal.facts import Actor, Fact, Kind, canonical_json
from prefect_wfexec.journal.keys import Keys
from tests.unit.journal.support import KEYS, OTHER_KEYS, RUN, at, chain, entered, requested, started, unhurried

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)
facts = st.builds(
    Fact,
    kind=st.sampled_from(list(Kind)),
    data=st.dictionaries(st.text(max_size=6), json_values, max_size=3),
    actor=st.builds(Actor, st.text(max_size=8), st.none() | st.text(max_size=8)),
    time=st.datetimes(min_value=datetime(1990, 1, 1), max_value=datetime(2200, 1, 1), timezones=st.just(UTC)),
    id=st.text("0123456789abcdef", min_size=24, max_size=24),
)
SAMPLE = write_entry(RUN, 3, "an id", "ab" * 32, [started("plan"), requested("cancel", comment="é\n")], KEYS)


@unhurried
@given(st.lists(facts, max_size=3), st.booleans())
def test_what_is_written_comes_back(given_facts: list[Fact], signed: bool) -> None:
    keys = KEYS if signed else None
    text = write_entry(RUN, 7, "an id", "ab" * 32, given_facts, keys)
    assert text.isascii()
    entry = read_entry(RUN, 7, text, KEYS)
    assert (entry.number, entry.id, entry.prev, entry.keyed) == (7, "an id", "ab" * 32, signed)
    assert entry.facts == tuple(given_facts)
    assert write_entry(RUN, 7, "an id", "ab" * 32, entry.facts, keys) == text


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), {1, 2}])
def test_what_is_no_json_is_not_written(value: Any) -> None:
    with pytest.raises((ValueError, TypeError)):
        write_entry(RUN, 1, "an id", "", [Fact(Kind.NOTED, {"value": value})], KEYS)


@unhurried
@given(st.integers(0, len(SAMPLE) - 1), st.characters(codec="utf-8"))
def test_a_changed_character_is_noticed(place: int, character: str) -> None:
    tampered = SAMPLE[:place] + character + SAMPLE[place + 1 :]
    if tampered == SAMPLE:
        return
    before, after = read_entry(RUN, 3, SAMPLE, KEYS), read_entry(RUN, 3, tampered, KEYS)
    assert after.digest != before.digest
    assert not after.keyed or (after.facts, after.prev, after.id) == (before.facts, before.prev, before.id)


@unhurried
@given(st.integers(0, len(SAMPLE)), st.text(max_size=6), st.integers(0, 12))
def test_a_piece_put_in_or_taken_out_is_noticed(place: int, text: str, length: int) -> None:
    tampered = SAMPLE[:place] + text + SAMPLE[place + length :]
    if tampered == SAMPLE:
        return
    before, after = read_entry(RUN, 3, SAMPLE, KEYS), read_entry(RUN, 3, tampered, KEYS)
    assert after.digest != before.digest
    assert not after.keyed or (after.facts, after.prev, after.id) == (before.facts, before.prev, before.id)


@pytest.mark.parametrize("name", ["id", "prev", "facts", "v", "more"])
def test_every_field_is_signed(name: str) -> None:
    body = json.loads(SAMPLE)
    body[name] = [] if name == "facts" else "changed"
    assert not read_entry(RUN, 3, canonical_json(body), KEYS).keyed


@pytest.mark.parametrize("mac", [None, "", "0" * 64, 7, [], "é", "\ud800"])
def test_a_signature_is_not_made_up(mac: Any) -> None:
    body = json.loads(SAMPLE) | {"mac": mac}
    entry = read_entry(RUN, 3, json.dumps(body), KEYS)
    assert not entry.keyed
    assert [fact.kind for fact in entry.trusted_facts] in ([], [Kind.REQUESTED])


@pytest.mark.parametrize(("run", "number"), [(RUN, 2), (RUN, 4), ("11111111-0000-4000-8000-000000000000", 3)])
def test_an_entry_can_not_be_moved(run: str, number: int) -> None:
    assert read_entry(RUN, 3, SAMPLE, KEYS).keyed
    assert not read_entry(run, number, SAMPLE, KEYS).keyed


def test_another_key_does_not_do() -> None:
    assert not read_entry(RUN, 3, SAMPLE, OTHER_KEYS).keyed


def test_without_a_key_a_signature_is_taken_on_trust_and_its_absence_is_seen() -> None:
    assert read_entry(RUN, 3, SAMPLE, None).keyed
    unsigned = write_entry(RUN, 3, "an id", "", [entered()], None)
    assert not read_entry(RUN, 3, unsigned, None).keyed
    assert read_entry(RUN, 3, unsigned, None).trusted_facts == ()


@pytest.mark.parametrize("keys", [KEYS, None])
def test_a_request_was_made_when_the_server_got_it_whatever_clock_its_maker_has(keys: Keys | None) -> None:
    said = datetime(2026, 3, 1, 11, tzinfo=UTC)
    facts = [Fact(Kind.REQUESTED, {"what": "decision"}, time=said), Fact(Kind.NOTED, {}, time=said)]
    entry = read_entry(RUN, 3, write_entry(RUN, 3, "an id", "", facts, keys), KEYS)
    got = said + timedelta(hours=5)
    times = {fact.kind: fact.time for fact in replace(entry, received=got).trusted_facts}
    assert times == ({Kind.REQUESTED: got, Kind.NOTED: said} if keys else {Kind.REQUESTED: got})
    assert entry.trusted_facts[0].time == said


def test_each_entry_names_the_one_before_it() -> None:
    texts = chain([[entered()], [started("a")], [requested("cancel")]])
    read = [read_entry(RUN, number, text, KEYS) for number, text in enumerate(texts, 1)]
    assert [entry.prev for entry in read] == ["", *(entry.digest for entry in read[:-1])]
    assert len({entry.digest for entry in read}) == 3


def test_a_string_that_looks_signed_twice_is_read_by_its_last_word_and_has_another_digest() -> None:
    doubled = SAMPLE.replace('{"facts"', '{"facts":[],"facts"', 1)
    assert read_entry(RUN, 3, doubled, KEYS).digest != read_entry(RUN, 3, SAMPLE, KEYS).digest


@unhurried
@given(st.text() | st.binary().map(lambda data: data.decode("utf-8", "surrogateescape")) | json_values.map(json.dumps))
@example("")
@example("null")
@example("[]")
@example("{}")
@example("[" * 100_000)
@example('{"facts":' * 50_000)
@example('{"id":"x","prev":"","facts":[null]}')
@example('{"id":"x","prev":"","facts":{"a":1}}')
@example('{"id":"x","prev":"","facts":7}')
@example("9" * 10_000)
@example('{"v":1e999,"id":"x","prev":"","facts":[],"mac":"x"}')
@example("\ud800")
def test_a_text_of_any_kind_is_an_entry_that_says_nothing(text: str) -> None:
    for keys in (KEYS, None):
        entry = read_entry(RUN, 1, text, keys)
        assert entry.facts == ()
        assert len(entry.digest) == 64


def unsigned(**changes: Any) -> str:
    fact = Fact(Kind.REQUESTED, {"what": "cancel"}, Actor("jane"), at(0)).as_json() | changes
    return json.dumps({"v": 1, "id": "x", "prev": "", "facts": [fact]})


def test_the_fact_the_next_test_spoils_is_read() -> None:
    assert [fact.kind for fact in read_entry(RUN, 1, unsigned(), KEYS).facts] == [Kind.REQUESTED]


@pytest.mark.parametrize(
    "changes",
    [
        {"time": "2030-01-01T00:00:00"},
        {"time": "0001-01-01T00:00:00+23:59"},
        {"time": "9999-12-31T23:59:59-23:59"},
        {"time": "soon"},
        {"time": 7},
        {"time": None},
        {"kind": "unheard-of"},
        {"kind": []},
        {"actor": None},
        {"actor": "jane"},
        {"actor": {}},
        {"actor": {"name": "jane"}},
        {"data": None},
        {"data": []},
        {"data": "x"},
    ],
)
def test_a_fact_that_is_none_makes_the_entry_say_nothing(changes: dict[str, Any]) -> None:
    assert read_entry(RUN, 1, unsigned(**changes), KEYS).facts == ()


def test_times_are_told_in_utc() -> None:
    [fact] = read_entry(RUN, 1, unsigned(time="2030-01-01T13:00:00+01:00"), KEYS).facts
    assert (fact.time, fact.time.tzinfo) == (at(0), UTC)


def test_one_json_text_for_one_value() -> None:
    assert canonical_json({"b": 1, "a": ["é", None]}) == '{"a":["\\u00e9",null],"b":1}'
    assert canonical_json({"a": {"y": 1, "x": 2}}) == canonical_json({"a": {"x": 2, "y": 1}})
