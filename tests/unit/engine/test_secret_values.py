"""Every text a secret may be printed as."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_wfexec.engine.secret_values import strings_in
from tests.unit.journal.support import unhurried


@pytest.mark.parametrize(
    ("value", "texts"),
    [
        ("hunter2", ["hunter2"]),
        ("", [""]),
        (12345678, ["12345678"]),
        (1.5, ["1.5"]),
        (True, []),
        (None, []),
        (["a", {"b": "c"}], ["a", "c"]),
        ('{"password": "x"}', ['{"password": "x"}', "x"]),
        ('["a", "b"]', ['["a", "b"]', "a", "b"]),
        ("{no json", ["{no json"]),
        ("[" * 100_000, ["[" * 100_000]),
    ],
)
def test_texts(value: Any, texts: list[str]) -> None:
    assert strings_in(value) == texts


values = st.recursive(
    st.text("abcdef", min_size=1) | st.integers(1000, 9999),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("xyz"), inner, max_size=3),
    max_leaves=6,
)


def leaves(value: Any) -> set[str]:
    if isinstance(value, dict | list):
        items = value.values() if isinstance(value, dict) else value
        return {leaf for item in items for leaf in leaves(item)}
    return {str(value)}


@unhurried
@given(values)
def test_every_leaf_is_found_also_inside_json_text(value: Any) -> None:
    assert leaves(value) <= set(strings_in(value))
    assert leaves(value) <= set(strings_in(json.dumps(value))) or not isinstance(value, dict | list)
