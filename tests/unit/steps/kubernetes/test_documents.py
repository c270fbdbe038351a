"""Kubernetes YAML, read strictly and as Kubernetes reads it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_wfexec.steps.kubernetes.documents import NotYaml, read_documents


def values(text: str) -> list[Any]:
    return [document.value for document in read_documents(text)]


def test_empty_documents_hold_nothing_and_lines_are_known() -> None:
    found = read_documents("---\n---\na: 1\n---\n# nothing\n---\nb: 2\n")
    assert [(one.value, one.line) for one in found] == [({"a": 1}, 3), ({"b": 2}, 7)]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0644", 420),
        ("0o644", 420),
        ("0x1F", 31),
        ("12", 12),
        ("-3", -3),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        ("089", 89.0),
        ("3:30", "3:30"),
        ("2024-01-31", "2024-01-31"),
        ("1Gi", "1Gi"),
        ("500m", "500m"),
        ("'yes'", "yes"),
        ('"no"', "no"),
        ("true", True),
        ("y", "y"),
        ("~", None),
        (".inf", ".inf"),
        ("'0644'", "0644"),
    ],
)
def test_scalars(text: str, value: object) -> None:
    assert values(f"a: {text}") == [{"a": value}]


@pytest.mark.parametrize(
    ("text", "words", "line"),
    [
        ("a: 1\na: 2", "the key 'a' stands here twice", 2),
        ("a: &x 1\nb: *x", "anchors and aliases", 1),
        ("a: !!python/object:os.system 1", "the tag", 1),
        ("a: !x 1", "the tag", 1),
        ("x: 1\nb: {<<: {a: 1}}", "'<<' merges nothing", 2),
        ("a: [1\nb: 2", "", 2),
        ("a: yes", "'yes' may mean a text or a boolean", 1),
        ("a:\n- Off", "'Off' may mean", 2),
        ("? [a]\n: 1", "a key is a text", 1),
        ("[" * 70 + "]" * 70, "more than 64 deep", 1),
    ],
)
def test_what_is_not_strict_is_refused_with_its_line(text: str, words: str, line: int) -> None:
    with pytest.raises(NotYaml) as caught:
        read_documents(text)
    assert words in caught.value.message
    assert caught.value.line == line


def test_a_billion_laughs_are_refused() -> None:
    lines = ["a0: &a0 [x]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    with pytest.raises(NotYaml, match="anchors"):
        read_documents("\n".join(lines))


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        read_documents(text)
    except NotYaml as error:
        assert error.line >= 1
