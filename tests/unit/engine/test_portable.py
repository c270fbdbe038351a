"""Paths of the run's folder in the journal, and back on another machine."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_wfexec.engine.portable import local, portable

HERE, THERE = Path("/home/a/ws/files"), Path("/srv/b/files")
texts = st.text(max_size=20) | st.sampled_from(
    [str(HERE), f"{HERE}/x", f"{HERE}x", "workspace:/x", "workspace:/../x", "/etc/passwd", f"see {HERE}/x"]
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.text(max_size=5), values, max_size=4))
def test_on_the_same_machine_nothing_changes(outputs: dict[str, Any]) -> None:
    stored, places = portable(outputs, HERE)
    assert local(stored, places, HERE) == outputs


def test_on_another_machine_paths_are_that_one_s() -> None:
    outputs = {"path": f"{HERE}/src", "root": str(HERE), "deep": {"a": [1, f"{HERE}/a b/ü"]}, "near": f"{HERE}x/y"}
    stored, places = portable(outputs, HERE)
    assert stored["path"] == "workspace:/src"
    assert str(HERE) not in str({**stored, "near": ""})
    assert local(stored, places, THERE) == {
        "path": f"{THERE}/src",
        "root": str(THERE),
        "deep": {"a": [1, f"{THERE}/a b/ü"]},
        "near": f"{HERE}x/y",
    }


def test_a_text_that_only_looks_so_stays_as_it_is() -> None:
    outputs = {"text": "workspace:/src", "path": f"{HERE}/src"}
    stored, places = portable(outputs, HERE)
    assert local(stored, places, THERE) == {"text": "workspace:/src", "path": f"{THERE}/src"}


@pytest.mark.parametrize("value", ["workspace:/../../etc", "workspace:/a/../../../etc", "***", None, 3])
def test_nothing_leads_out_of_the_folder(value: Any) -> None:
    assert local({"path": value}, [("path",)], THERE) == {"path": value}


def test_places_that_are_not_there_change_nothing() -> None:
    assert local({"a": [1]}, [("b",), ("a", "7"), ("a", "x"), ("a", "0", "c")], THERE) == {"a": [1]}
