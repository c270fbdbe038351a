"""What a script may write into the file named by $WFEXEC_OUTPUT."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_wfexec.errors import StepFailed
from prefect_wfexec.steps.shell.output_file import MAX_BYTES, parse_outputs, read_output_file


@pytest.mark.parametrize(
    ("text", "outputs"),
    [
        ("", {}),
        ("\n\n", {}),
        ("a=1", {"a": "1"}),
        ("a=1\nb=2\n", {"a": "1", "b": "2"}),
        ("a=1\r\nb=2\r\n", {"a": "1", "b": "2"}),
        ("a=", {"a": ""}),
        ("a= spaces stay ", {"a": " spaces stay "}),
        ("url=https://x/?q=1&r==", {"url": "https://x/?q=1&r=="}),
        ("a=1\na=2", {"a": "2"}),
        ("size=1\nname=Grüße 🚀", {"size": "1", "name": "Grüße 🚀"}),
        ("_a-b9=x", {"_a-b9": "x"}),
        ("a=one\u2028two\x0bthree\x85four", {"a": "one\u2028two\x0bthree\x85four"}),
        ("a=x<<y", {"a": "x<<y"}),
        ("a<<EOF\nEOF", {"a": ""}),
        ("a<<EOF\none\ntwo=2\n\nthree\nEOF\nb=1", {"a": "one\ntwo=2\n\nthree", "b": "1"}),
        ("a<<EOF\r\none\r\nEOF\r\n", {"a": "one"}),
        ("a<<EOF=1\nx\nEOF=1", {"a": "x"}),
        ("a<<END\n END\nEND \nEND", {"a": " END\nEND "}),
    ],
)
def test_parses(text: str, outputs: dict[str, str]) -> None:
    assert parse_outputs(text) == outputs


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a=1\njust words", "line 2 is neither"),
        ("a=1\n\n=1", "line 3 has no usable key"),
        ("9a=1", "line 1 has no usable key: '9a'"),
        ("a b=1", "no usable key: 'a b'"),
        ("a =1", "no usable key: 'a '"),
        ("größe=1", "no usable key"),
        ("exit_code=0", "sets 'exit_code'"),
        ("stdout<<E\nx\nE", "sets 'stdout'"),
        ("a<<EOF\nx\n", "line 1 opens 'a', and no line closes it with 'EOF'"),
        ("b=1\na<<EOF\nEOF2\n", "line 2 opens 'a'"),
        ("a<<\nx", "without a terminator"),
    ],
)
def test_refuses_with_the_line(text: str, words: str) -> None:
    with pytest.raises(StepFailed) as caught:
        parse_outputs(text)
    assert words in caught.value.message
    assert caught.value.type == "bad_outputs"
    assert caught.value.hint


def test_a_refusal_keeps_what_stood_before_it() -> None:
    with pytest.raises(StepFailed) as caught:
        parse_outputs("a=1\nb=2\nnonsense\nc=3")
    assert caught.value.outputs == {"a": "1", "b": "2"}


@given(
    st.dictionaries(
        st.from_regex(r"[A-Za-z_][A-Za-z0-9_-]{0,10}", fullmatch=True).filter(
            lambda key: key not in {"exit_code", "stdout"}
        ),
        st.text(st.characters(exclude_characters="\n\r", exclude_categories=["Cs"])),
    ),
    st.booleans(),
)
def test_what_is_written_comes_back(outputs: dict[str, str], crlf: bool) -> None:
    end = "\r\n" if crlf else "\n"
    lines = "".join(f"{key}={value}{end}" for key, value in outputs.items())
    blocks = "".join(f"{key}<<-- end --{end}{value}{end}-- end --{end}" for key, value in outputs.items())
    assert parse_outputs(lines) == outputs
    assert parse_outputs(blocks) == outputs


@given(st.text())
def test_any_text_is_parsed_or_refused(text: str) -> None:
    try:
        outputs = parse_outputs(text)
    except StepFailed as refusal:
        outputs = refusal.outputs
    assert all(isinstance(value, str) for value in outputs.values())


def test_reads_a_file_with_a_byte_order_mark(tmp_path) -> None:
    path = tmp_path / "output"
    path.write_bytes(b"\xef\xbb\xbfa=1\n")
    assert read_output_file(path) == {"a": "1"}


def test_a_removed_file_gives_nothing(tmp_path) -> None:
    assert read_output_file(tmp_path / "gone") == {}


def test_one_mebibyte_is_read_and_one_byte_more_is_refused(tmp_path) -> None:
    path = tmp_path / "output"
    path.write_bytes(b"a=" + b"x" * (MAX_BYTES - 2))
    assert len(read_output_file(path)["a"]) == MAX_BYTES - 2
    path.write_bytes(b"a=" + b"x" * (MAX_BYTES - 1))
    with pytest.raises(StepFailed, match="larger than 1 MiB"):
        read_output_file(path)


def test_bytes_that_are_no_utf8_are_refused_with_the_line(tmp_path) -> None:
    path = tmp_path / "output"
    path.write_bytes(b"a=1\nb=\xff\xfe\n")
    with pytest.raises(StepFailed, match="line 2 is not UTF-8"):
        read_output_file(path)


@pytest.mark.parametrize("kind", ["pipe", "link", "folder"])
def test_only_a_plain_file_is_read(tmp_path, kind: str) -> None:
    path = tmp_path / "output"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "link":
        (tmp_path / "secret").write_text("a=1")
        path.symlink_to(tmp_path / "secret")
    else:
        path.mkdir()
    with pytest.raises(StepFailed) as caught:
        read_output_file(path)
    assert caught.value.type == "bad_outputs"
