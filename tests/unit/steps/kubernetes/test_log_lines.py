"""Lines of a log: each once, whole, without its stamp."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_wfexec.steps.kubernetes.log_lines import LONGEST_LINE, LogLines

LOG = [
    (f"2026-01-02T03:04:{second:02}.{nanos:09}Z", f"line {second}.{nanos}.{number}")
    for second in range(3)
    for nanos in (0, 500)
    for number in range(2)
]


def whole(lines: list[tuple[str, str]]) -> bytes:
    return "".join(f"{stamp} {text}\n" for stamp, text in lines).encode()


def since(start: str) -> bytes:
    """What a server gives that counts in whole seconds."""
    return whole([line for line in LOG if line[0][:19] >= start[:19]])


@given(st.lists(st.integers(0, len(whole(LOG))), max_size=6), st.integers(1, 40))
def test_no_line_is_lost_or_doubled_wherever_connections_break(breaks: list[int], piece: int) -> None:
    written: list[str] = []
    lines = LogLines("", written.append)
    for end in [*sorted(breaks), len(whole(LOG))]:
        query = lines.resume()
        data = since(query["sinceTime"]) if query else whole(LOG)
        missing = len(whole(LOG)) - len(data)
        data = data[: max(0, end - missing)]
        for start in range(0, len(data), piece):
            lines.take(data[start : start + piece])
    lines.end()
    assert "".join(written) == "".join(f"{text}\n" for _, text in LOG)


def test_prefix_offsets_carriage_returns_and_bytes_that_are_no_text() -> None:
    written: list[str] = []
    lines = LogLines("pod/web: ", written.append)
    lines.take(b"2026-01-02T03:04:05.000000001+02:00 a\r\n2026-01-02T03:04:05.000000002+02:00 \xff\n")
    assert written == ["pod/web: a\npod/web: \N{REPLACEMENT CHARACTER}\n"]
    assert lines.resume() == {"sinceTime": "2026-01-02T01:04:04Z"}


@pytest.mark.parametrize(
    "stamps",
    [
        ("03:04:05.000000200Z", "03:04:05.000000100Z"),
        ("03:04:05.5Z", "03:04:05.500000001Z"),
        ("03:04:05.000000001Z", "03:04:04.999999999Z"),
        ("02:59:59.000000001+02:00", "02:00:00.000000001+01:00"),
    ],
    ids=["out-of-order", "of-other-lengths", "out-of-order-over-a-second", "clocks-set-back"],
)
@pytest.mark.parametrize("breaks", [0, 1, 2])
def test_a_line_whose_stamp_is_not_greater_as_text_is_no_line_seen_before(stamps: list[str], breaks: int) -> None:
    written: list[str] = []
    lines = LogLines("", written.append)
    log = [f"2026-10-25T{stamp} line {number}\n".encode() for number, stamp in enumerate(stamps)]
    lines.take(b"".join(log[:breaks]))
    lines.resume()
    lines.take(b"".join(log))
    assert "".join(written) == "line 0\nline 1\n"


def test_a_last_line_without_a_break_and_an_endless_line_come_too() -> None:
    written: list[str] = []
    lines = LogLines("", written.append)
    lines.take(b"2026-01-02T03:04:05.1Z " + b"x" * (LONGEST_LINE + 5))
    lines.take(b"y\n2026-01-02T03:04:05.2Z end")
    lines.end()
    assert "".join(written).replace("\n", "") == "x" * (LONGEST_LINE + 5) + "yend"


def test_an_endless_line_that_comes_again_is_passed_on_once() -> None:
    written: list[str] = []
    lines = LogLines("", written.append)
    log = [b"2026-01-02T03:04:05.1Z " + b"x" * (LONGEST_LINE + 5), b"y" * (LONGEST_LINE + 5), b"z\n"]
    for _ in range(2):
        lines.resume()
        for piece in [*log, b"2026-01-02T03:04:05.2Z end\n"]:
            lines.take(piece)
    assert "".join(written).replace("\n", "") == "x" * (LONGEST_LINE + 5) + "y" * (LONGEST_LINE + 5) + "zend"


def test_an_endless_line_that_broke_off_is_not_lost() -> None:
    written: list[str] = []
    lines = LogLines("", written.append)
    log = [b"2026-01-02T03:04:05.1Z " + b"x" * (LONGEST_LINE + 5), b"y" * 10 + b"\n"]
    lines.take(log[0])
    lines.resume()
    for piece in log:
        lines.take(piece)
    assert "".join(written).replace("\n", "").endswith("x" * (LONGEST_LINE + 5) + "y" * 10)
