"""What happens to a step's output on its way to the stored log and to Prefect's logger."""

import asyncio
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefect_wfexec.runtime.masking import Masker
from prefect_wfexec.runtime.spool import Spool, read_spool, split_lines
from prefect_wfexec.runtime.streams import StepOutput


class Taken(list[tuple[str, str]]):
    """A sink that keeps what it is given."""

    def __call__(self, stream: str, text: str) -> None:
        self.append((stream, text))

    def lines(self, stream: str) -> list[str]:
        return [line for name, text in self for line in text.split("\n") if name == stream]


@pytest.fixture
def taken() -> Taken:
    return Taken()


@pytest.fixture
def output(tmp_path: Path, taken: Taken) -> StepOutput:
    return StepOutput(Masker(["hunter22"]), Spool(tmp_path / "log.gz"), taken)


def stored(tmp_path: Path, stream: str) -> list[str]:
    return [line.message for line in read_spool(tmp_path / "log.gz") if line.stream == stream]


def test_both_ways_get_masked_lines(output: StepOutput, taken: Taken, tmp_path: Path) -> None:
    output.feed("stdout", b"one hunt")
    output.feed("stderr", b"bad\n")
    output.feed("stdout", b"er22\ntwo\n")
    output.system("done with hunter22")
    output.finish()
    assert taken == [("stderr", "bad"), ("stdout", "one ***\ntwo"), ("system", "done with ***")]
    assert stored(tmp_path, "stdout") == ["one ***", "two"]
    assert stored(tmp_path, "stderr") == ["bad"]
    assert stored(tmp_path, "system") == ["done with ***"]


def test_a_flood_comes_in_few_blocks_and_whole_lines(output: StepOutput, taken: Taken, tmp_path: Path) -> None:
    lines = [f"line {number}" for number in range(100_000)]
    data = "".join(f"{line}\n" for line in lines).encode()
    for start in range(0, len(data), 50_001):
        output.feed("stdout", data[start : start + 50_001])
    output.finish()
    assert taken.lines("stdout") == lines == stored(tmp_path, "stdout")
    assert len(taken) < 60
    assert max(len(text) for _, text in taken) <= 1 << 16


def test_streams_that_alternate_come_in_few_blocks_too(output: StepOutput, taken: Taken) -> None:
    for number in range(20_000):
        output.feed("stdout", b"out %d\n" % number)
        output.feed("stderr", b"err %d\n" % number)
    output.finish()
    assert taken.lines("stdout") == [f"out {number}" for number in range(20_000)]
    assert taken.lines("stderr") == [f"err {number}" for number in range(20_000)]
    assert len(taken) < 1000


def test_the_sink_is_spared_and_the_stored_log_has_the_rest(tmp_path: Path, taken: Taken) -> None:
    output = StepOutput(Masker(), Spool(tmp_path / "log.gz"), taken, sink_characters=1000)
    for number in range(1000):
        output.feed("stdout", b"line %d\n" % number)
    output.finish()
    assert taken[-1][0] == "system"
    assert "stored log" in taken[-1][1]
    assert 900 <= sum(len(text) + 1 for stream, text in taken if stream == "stdout") <= 1000
    assert taken.lines("stdout") == [f"line {number}" for number in range(len(taken.lines("stdout")))]
    assert len(stored(tmp_path, "stdout")) == 1000


def test_one_endless_line_is_stored_whole(output: StepOutput, taken: Taken, tmp_path: Path) -> None:
    for _ in range(40):
        output.feed("stdout", b"x" * 250_000)
    output.feed("stdout", b"\nend\n")
    output.finish()
    *pieces, end = stored(tmp_path, "stdout")
    assert sum(map(len, pieces)) == 10_000_000
    assert end == "end"
    assert max(len(text) for _, text in taken) <= 1 << 17


async def until(condition: object, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.01)


async def test_lines_arrive_while_the_command_is_silent(tmp_path: Path, taken: Taken) -> None:
    output = StepOutput(Masker(["hunter22"]), Spool(tmp_path / "log.gz"), taken)
    output.feed("stdout", b"working\nmore?")
    assert taken == []
    await until(lambda: taken == [("stdout", "working")])
    await until(lambda: ("stdout", "more?") in taken)
    output.finish()


async def test_lines_written_from_a_thread_arrive_too(tmp_path: Path, taken: Taken) -> None:
    output = StepOutput(Masker(), Spool(tmp_path / "log.gz"), taken)
    await asyncio.to_thread(output.text, "stdout", "from a thread")
    await until(lambda: taken == [("stdout", "from a thread")])
    assert threading.active_count() >= 1
    output.finish()


def test_the_tail_of_stdout_is_exact_and_bounded(output: StepOutput) -> None:
    output.feed("stdout", "ü".encode() * 100_000)
    output.feed("stdout", b"\r\n last hunt")
    assert output.stdout_tail().endswith("\r\n last hunt")
    assert 65_530 < len(output.stdout_tail().encode()) <= 65_536
    output.feed("stdout", b"er22")
    assert output.stdout_tail().endswith("ü\r\n last ***")
    output.finish()
    assert output.stdout_tail().endswith("ü\r\n last ***")


def test_the_tail_has_the_last_lines_of_both_streams(output: StepOutput) -> None:
    for number in range(100):
        output.feed("stdout", b"out %d\n" % number)
        output.feed("stderr", b"err %d\n" % number)
    output.feed("stderr", b"half of hunt")
    lines = output.tail().split("\n")
    assert lines[-3:] == ["out 99", "err 99", "half of hunt"]
    assert len(lines) == 40
    output.feed("stdout", b"x" * 1_000_000)
    assert len(output.tail()) <= 1 << 14
    output.finish()


def test_text_begins_a_line_of_its_own(output: StepOutput, tmp_path: Path) -> None:
    output.feed("stdout", b"half")
    output.text("stdout", "whole")
    output.finish()
    assert stored(tmp_path, "stdout") == ["half", "whole"]


def test_what_comes_after_the_end_spoils_nothing(output: StepOutput, taken: Taken, tmp_path: Path) -> None:
    output.feed("stdout", b"in time\n")
    output.finish()
    output.system("too late")
    output.finish()
    assert taken == [("stdout", "in time")]
    assert [line.message for line in read_spool(tmp_path / "log.gz")] == ["in time"]


def test_a_full_disk_is_told_once_and_stops_nothing(taken: Taken) -> None:
    output = StepOutput(Masker(), Spool(Path("/dev/full")), taken)
    for _ in range(5):
        output.feed("stdout", b"x" * 99_999 + b"\n")
    output.finish()
    assert sum(len(text) for stream, text in taken if stream == "stdout") >= 5 * 99_999
    assert [text for stream, text in taken if stream == "system"] == [
        "the stored log is incomplete from here on: No space left on device"
    ]


SOME_SECRETS = ["hunter22", "ünïcode-secret", "aaaaaab"]
data = st.binary(max_size=60) | st.sampled_from([secret.encode() for secret in SOME_SECRETS]) | st.just(b"a" * 9)


@given(parts=st.lists(data, max_size=8), cuts=st.lists(st.integers(min_value=0), max_size=10))
@settings(max_examples=150, deadline=None)
def test_any_bytes_in_any_pieces(tmp_path_factory: pytest.TempPathFactory, parts: list[bytes], cuts: list[int]) -> None:
    folder = tmp_path_factory.mktemp("streams")
    taken = Taken()
    masker = Masker(SOME_SECRETS)
    output = StepOutput(masker, Spool(folder / "log.gz"), taken)
    whole = b"".join(parts)
    places = sorted({cut % (len(whole) + 1) for cut in cuts})
    for start, end in zip([0, *places], [*places, len(whole)], strict=True):
        output.feed("stdout", whole[start:end])
    output.finish()
    expected = masker.mask(whole.decode(errors="replace"))
    assert stored(folder, "stdout") == split_lines(expected)
    assert output.stdout_tail() == expected
    assert split_lines("".join(f"{text}\n" for _, text in taken)) == split_lines(expected)
