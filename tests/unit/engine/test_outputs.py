"""Outputs on their way into the journal and back."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefect_wfexec.engine.outputs import LARGEST_IN_ENTRY, hide, load_outputs, store_outputs, value_at
from prefect_wfexec.errors import EngineError
from prefect_wfexec.journal.facts import canonical_json
from prefect_wfexec.runtime.masking import MASK, Masker
from prefect_wfexec.testing import MemoryBlobs

SECRET = "hunter2hunter2"
Path = tuple[str, ...]


async def stored(outputs: dict[str, Any], sensitive: tuple[Path, ...] = (), secrets: tuple[str, ...] = ()) -> Any:
    blobs = MemoryBlobs()
    found = await store_outputs(outputs, sensitive, Masker(secrets), blobs)
    if found.ref is not None:
        whole, paths = await load_outputs(found.ref, blobs)
        assert whole == json.loads(canonical_json(outputs))
        assert all(isinstance(path, tuple) for path in paths)
    else:
        assert found.shown == outputs
    return found


async def test_small_and_open_outputs_stand_in_the_entry() -> None:
    found = await stored({"counts": {"add": 3}, "text": "fine", "list": [1, None]})
    assert found.ref is None


async def test_what_is_declared_secret_is_hidden_and_kept() -> None:
    outputs = {"values": {"vpc": "v-1", "password": "x", "pin": 1234, "open": True}, "list": [{"key": "k"}, "b"]}
    paths = (("values", "password"), ("values", "pin"), ("values", "open"), ("list", "0", "key"))
    found = await stored(outputs, paths)
    assert found.shown == {
        "values": {"vpc": "v-1", "password": MASK, "pin": MASK, "open": MASK},
        "list": [{"key": MASK}, "b"],
    }
    assert sorted(map(tuple, found.ref["sensitive"])) == sorted(paths)


async def test_a_declared_path_that_is_not_there_changes_nothing_that_shows() -> None:
    outputs = {"a": {"b": 1}, "list": [1]}
    found = await stored(outputs, (("x",), ("a", "c"), ("a", "b", "d"), ("list", "7"), ("list", "²"), ("list", "-1")))
    assert found.shown == outputs


async def test_a_known_secret_is_hidden_wherever_it_comes_out() -> None:
    outputs = {"stdout": f"password is {SECRET}!", "deep": [{"x": [SECRET]}], "fine": "open"}
    found = await stored(outputs, secrets=(SECRET,))
    assert found.shown == {"stdout": MASK, "deep": [{"x": [MASK]}], "fine": "open"}
    assert SECRET not in canonical_json([found.shown, found.ref])


async def test_a_secret_number_is_hidden_too() -> None:
    found = await stored({"pin": 12345678, "other": 5}, secrets=("12345678",))
    assert found.shown == {"pin": MASK, "other": 5}


@pytest.mark.parametrize("outputs", [{SECRET: 1}, {"a": {SECRET: 1}, "b": 2}, {"a": [{SECRET: {"x": 1}}]}])
async def test_a_secret_in_a_name_hides_what_it_names(outputs: dict[str, Any]) -> None:
    found = await stored(outputs, secrets=(SECRET,))
    assert isinstance(found.shown, dict)
    assert SECRET not in canonical_json([found.shown, found.ref])


@pytest.mark.parametrize(
    "outputs",
    [
        {"text": "x" * 100_000},
        {"text": "é\x00" * 40_000},
        {"text": "😀" * 40_000, "small": 1},
        {"rows": [{"n": n} for n in range(20_000)], "small": 1},
        {f"name_{n}": "y" * 3000 for n in range(300)},
        {f"name_{n}": n for n in range(20_000)},
        {"n" * 100_000: 1},
    ],
)
async def test_large_outputs_are_kept_whole_and_shown_cut(outputs: dict[str, Any]) -> None:
    found = await stored(outputs)
    assert found.ref is not None
    assert len(canonical_json(found.shown)) <= LARGEST_IN_ENTRY
    if "small" in outputs:
        assert found.shown["small"] == 1
        assert "in all" in next(iter(found.shown.values()))


async def test_a_large_secret_stays_hidden_when_cut() -> None:
    found = await stored({"text": SECRET + "x" * 100_000, "more": "y" * 100_000}, secrets=(SECRET,))
    assert found.shown["text"] == MASK


@pytest.mark.parametrize("value", [float("nan"), {1, 2}, b"bytes"])
async def test_what_is_no_json_is_refused(value: Any) -> None:
    with pytest.raises((ValueError, TypeError)):
        await stored({"x": value})


async def test_a_blob_that_is_gone_is_said() -> None:
    found = await store_outputs({"a": 1}, [("a",)], Masker(), MemoryBlobs())
    assert found.ref is not None
    with pytest.raises(EngineError, match="gone"):
        await load_outputs(found.ref, MemoryBlobs())


def test_a_value_by_its_path() -> None:
    outputs = {"a": [{"b": 1}], "0": "zero"}
    assert value_at(outputs, ("a", "0", "b")) == 1
    assert value_at(outputs, ()) == outputs
    assert value_at(outputs, ("0",)) == "zero"
    missing: list[Path] = [("x",), ("a", "1"), ("a", "b"), ("a", "0", "b", "c"), ("0", "x")]
    assert [value_at(outputs, path) for path in missing] == [None] * len(missing)


def test_hiding_changes_a_copy() -> None:
    outputs = {"a": {"b": [1, 2]}}
    assert hide(outputs, [("a", "b", "1")]) == {"a": {"b": [1, MASK]}}
    assert hide(outputs, [("a",), ("a", "b")]) == {"a": MASK}
    assert hide(outputs, [()]) == {MASK: MASK}
    assert outputs == {"a": {"b": [1, 2]}}


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-9, 99_999_999)
    | st.sampled_from(["open", SECRET, f"<{SECRET}>", "12345678"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", SECRET]), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from(["a", "b", "c", SECRET]), values, max_size=4))
async def test_no_known_secret_is_ever_shown(outputs: dict[str, Any]) -> None:
    found = await stored(outputs, secrets=(SECRET, "12345678"))
    text = canonical_json([found.shown, found.ref and found.ref["sensitive"]])
    assert SECRET not in text
    assert "12345678" not in text
