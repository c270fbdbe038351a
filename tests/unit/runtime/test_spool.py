"""The stored log gives back every line."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_wfexec.runtime.spool import PIECE_CHARACTERS, LogLine, Spool, read_spool, split_lines


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.gz"


def stored(path: Path, *records: tuple[str, str]) -> Spool:
    spool = Spool(path)
    for number, (stream, text) in enumerate(records):
        spool.append(float(number), stream, text)
    spool.finish()
    return spool


def test_lines_come_back_with_time_and_stream(path: Path) -> None:
    stored(path, ("stdout", "one\ntwo\nthr"), ("stderr", "bad\n"), ("stdout", "ee\n"), ("system", "done"))
    assert list(read_spool(path)) == [
        LogLine(0.0, "stdout", "one"),
        LogLine(0.0, "stdout", "two"),
        LogLine(1.0, "stderr", "bad"),
        LogLine(0.0, "stdout", "three"),
        LogLine(3.0, "system", "done"),
    ]
    assert path.stat().st_mode & 0o777 == 0o600


def test_any_gzip_tool_reads_it(path: Path) -> None:
    stored(path, ("stdout", "grün\n"))
    assert json.loads(gzip.decompress(path.read_bytes())) == {"t": 0.0, "s": "stdout", "m": "grün\n"}


def test_an_empty_log_has_no_lines(path: Path) -> None:
    spool = stored(path)
    assert list(spool.chunks()) == []
    assert list(read_spool(path)) == []


def test_each_chunk_stands_alone_and_all_are_the_file(path: Path) -> None:
    spool = Spool(path)
    lines = [f"{number * 7919 % 1_000_003} {'x' * (number % 90)}" for number in range(120_000)]
    for start in range(0, len(lines), 500):
        spool.append(1.0, "stdout", "\n".join(lines[start : start + 500]) + "\n")
    spool.finish()
    chunks = list(spool.chunks(max_bytes=300_000))
    assert len(chunks) > 3
    assert all(len(chunk) <= 300_000 for chunk in chunks)
    assert b"".join(chunks) == path.read_bytes()
    assert [line.message for chunk in chunks for line in read_spool([chunk])] == lines
    assert [line.message for line in read_spool(iter(chunks))] == lines


def test_an_endless_line_comes_in_pieces(path: Path) -> None:
    spool = Spool(path)
    for _ in range(50):
        spool.append(1.0, "stdout", "x" * 100_000)
    spool.append(2.0, "stdout", "\nnext\n")
    spool.finish()
    *pieces, last, following = read_spool(path)
    assert all(piece.continued and len(piece.message) <= PIECE_CHARACTERS + 70_000 for piece in pieces)
    assert not last.continued
    assert sum(len(piece.message) for piece in [*pieces, last]) == 5_000_000
    assert following == LogLine(2.0, "stdout", "next")


def test_a_file_cut_anywhere_gives_what_it_has(path: Path) -> None:
    stored(path, *(("stdout", f"line {number}\n") for number in range(3000)))
    data = path.read_bytes()
    whole = list(read_spool([data]))
    for size in range(0, len(data), 97):
        assert list(read_spool([data[:size]])) == whole[: len(list(read_spool([data[:size]])))]


def test_a_full_disk_loses_no_more_than_it_must_and_says_so() -> None:
    spool = Spool(Path("/dev/full"))
    for _ in range(20):
        spool.append(1.0, "stdout", "x" * 70_000 + "\n")
    spool.finish()
    assert spool.error is not None
    assert spool.lost >= 20 * 70_000


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", []),
        ("a", ["a"]),
        ("a\n", ["a"]),
        ("a\n\nb", ["a", "", "b"]),
        ("a\r\nb\r\n", ["a", "b"]),
        ("10%\r20%\r30%\n", ["10%", "20%", "30%"]),
        ("\r10%\r20%\r\n", ["10%", "20%"]),
        ("a\r\r\nb", ["a", "b"]),
        ("a\x0bb\u2028c\n", ["a\x0bb\u2028c"]),
    ],
)
def test_where_lines_end(text: str, lines: list[str]) -> None:
    assert split_lines(text) == lines


@given(st.lists(st.text(alphabet="ab\r\n\x1bü\U0001f600", max_size=6), max_size=12))
def test_where_records_are_cut_does_not_matter(tmp_path_factory: pytest.TempPathFactory, parts: list[str]) -> None:
    path = tmp_path_factory.mktemp("spool") / "log.gz"
    stored(path, *(("stdout", part) for part in parts))
    assert [line.message for line in read_spool(path)] == split_lines("".join(parts))


@given(
    st.lists(st.tuples(st.sampled_from(["stdout", "stderr"]), st.text(max_size=50)), max_size=20), st.integers(1, 99)
)
def test_nothing_is_lost_whatever_the_pieces_read(
    tmp_path_factory: pytest.TempPathFactory, records: list[tuple[str, str]], size: int
) -> None:
    path = tmp_path_factory.mktemp("spool") / "log.gz"
    stored(path, *records)
    data = path.read_bytes() if path.exists() else b""

    def blocks() -> Iterator[bytes]:
        for start in range(0, len(data), size):
            yield data[start : start + size]

    lines = list(read_spool(blocks()))
    for stream in ("stdout", "stderr"):
        text = "".join(text for name, text in records if name == stream)
        assert [line.message for line in lines if line.stream == stream] == split_lines(text)
