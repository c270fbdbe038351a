"""YAML text into data with places."""

import pytest

from prefect_wfexec.definition.document import MAX_BYTES, MAX_DEPTH, Document, read_document


def read(text: str) -> Document:
    return read_document(text, "x.yaml")


def codes(text: str) -> list[str]:
    return [found.code for found in read(text).diagnostics]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("true", True),
        ("False", False),
        ("yes", "yes"),
        ("no", "no"),
        ("on", "on"),
        ("off", "off"),
        ("~", None),
        ("null", None),
        ("", None),
        ("12", 12),
        ("-7", -7),
        ("0o17", 15),
        ("0x1F", 31),
        ("1.5", 1.5),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("3:30", "3:30"),
        ("2024-01-31", "2024-01-31"),
        ("1_000", "1_000"),
        ("0b11", "0b11"),
        (".inf", ".inf"),
        (".nan", ".nan"),
        ("1e999", "1e999"),
        ("9" * 30, "9" * 30),
        ("9" * 5000, "9" * 5000),
        ('"12"', "12"),
        ("'true'", "true"),
        ("=", "="),
        ("v1.2", "v1.2"),
    ],
)
def test_scalars_follow_yaml_1_2(written: str, value: object) -> None:
    found = read(f"key: {written}\n").data["key"]
    assert found == value
    assert type(found) is type(value)


def test_keys_are_always_text() -> None:
    assert read("{1: a, true: b, on: c, null: d}").data == {"1": "a", "true": "b", "on": "c", "null": "d"}


def test_places_count_from_one() -> None:
    document = read("a: 1\nb:\n  - x\n  - {c: [7]}\n")
    assert document.key_place(("b",)) == (2, 1)
    assert document.value_place(("b", 1, "c", 0)) == (4, 10)
    assert document.key_place(("b", 1, "c")) == (4, 6)
    assert document.value_place(("b", 9, "no")) == (3, 3)


def test_a_character_beyond_ascii_is_one_column() -> None:
    assert read("ä: {ö: 1}").value_place(("ä", "ö")) == (1, 8)


@pytest.mark.parametrize("bad", ["", "# only a comment\n", "---\n", "\n\n"])
def test_nothing_is_empty_or_null(bad: str) -> None:
    document = read(bad)
    assert document.data is None
    assert codes(bad) in (["empty"], [])


def test_too_large_is_told_before_reading() -> None:
    assert codes("a: [" + " " * MAX_BYTES) == ["too-large"]


def test_the_limit_counts_bytes() -> None:
    assert codes("a: " + "ä" * (MAX_BYTES // 2)) == ["too-large"]
    assert codes("a: " + "x" * (MAX_BYTES - 3)) == []


def test_depth_is_counted_before_building() -> None:
    assert codes("a: " + "[" * (MAX_DEPTH - 1) + "]" * (MAX_DEPTH - 1)) == []
    assert codes("a: " + "[" * 100_000) == ["too-deep"]


def test_every_fault_that_can_be_read_over_is_told() -> None:
    assert codes("a: &x 1\nb: *x\nc: !t 2\nd: 1\nd: 2\n") == ["alias", "alias", "tag", "duplicate-key"]


def test_the_first_of_two_equal_keys_is_kept() -> None:
    assert read("a: 1\na: 2\n").data == {"a": 1}


def test_a_billion_laughs_is_not_built() -> None:
    bomb = "a: &a [x, x]\n" + "".join(
        f"{chr(98 + n)}: &{chr(98 + n)} [*{chr(97 + n)}, *{chr(97 + n)}]\n" for n in range(20)
    )
    document = read(bomb)
    assert document.data["u"] == [None, None]
    assert set(codes(bomb)) == {"alias"}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("a: */15 * * * *", "unquoted-star"),
        ("a: {{ x }}", "unquoted-expression"),
        ("a: {b: ${{ x }}}", "unquoted-expression"),
        ("a: [${{ x }}]", "unquoted-expression"),
        ("a:\n\tb: 1", "yaml-syntax"),
        ("a: b: c", "yaml-syntax"),
        ("a: [1", "yaml-syntax"),
        ("a: @x", "yaml-syntax"),
        ("a: 'x", "yaml-syntax"),
        ("? [a]\n: b", "yaml-syntax"),
        ("a: 1\n---\nb: 2", "several-documents"),
        ("a: \x00", "control-character"),
        ('a: "\\0"', "control-character"),
        ("a: \ud800", "control-character"),
        ("a: 0123", "number-changes"),
        ("a: 3.10", "number-changes"),
    ],
)
def test_each_trap_has_its_own_code(text: str, code: str) -> None:
    assert codes(text) == [code]


def test_the_mend_of_an_unquoted_expression_can_be_copied() -> None:
    (found,) = read("with: {dir: ${{ inputs.dir }}}").diagnostics
    assert found.hint == 'put it in quotes: "${{ inputs.dir }}"'
    assert (found.line, found.column) == (1, 13)


def test_quoted_braces_are_not_blamed_for_another_fault() -> None:
    assert codes('a: "{{ x }}"\nb: [') == ["yaml-syntax"]


def test_windows_line_ends() -> None:
    document = read("a: 1\r\nb:\r\n  c: x\r\n")
    assert document.data == {"a": 1, "b": {"c": "x"}}
    assert document.value_place(("b", "c")) == (3, 6)


def test_a_thousand_faults_are_enough() -> None:
    assert len(read("a: 1\n" * 5000).diagnostics) == 1000
