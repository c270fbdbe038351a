"""Much output, and one very long line: memory stays bounded, the log is kept whole."""

import time
from pathlib import Path

import pytest

from tests.support.wfexec import Going, Wfexec, peak_bytes

MOST_BYTES = 400 << 20
WRITER = """
import sys
block = b"".join(b"%0127d\\n" % n for n in range(4096))
for _ in range(int(sys.argv[1])):
    sys.stdout.buffer.write(block)
"""


def _peak(going: Going, deadline_seconds: float) -> int:
    """The most memory the process held until it ended."""
    peak, deadline = 0, time.monotonic() + deadline_seconds
    while going.process.poll() is None:
        assert time.monotonic() < deadline, "the run does not end"
        try:
            peak = max(peak, peak_bytes(going.process.pid))
        except (OSError, StopIteration):
            break
        time.sleep(0.1)
    return peak


def _run(wfexec: Wfexec, name: str, script: str, deadline_seconds: float) -> str:
    wfexec.write(f"{name}.yaml", f"version: 1\nname: {name}\nsteps:\n  - {{id: write, run: {script!r}}}\n")
    out = wfexec.folder / f"{name}.out"
    going = wfexec.start("run", f"{name}.yaml", out=out)
    assert _peak(going, deadline_seconds) < MOST_BYTES
    assert going.end().code == 0, going.err
    with out.open("rb") as lines:
        return lines.readline().decode().split()[1]


def _lines(wfexec: Wfexec, run: str) -> tuple[int, int]:
    """How many lines the downloaded log has, and how many characters."""
    going = wfexec.start("logs", run, "--step", "write", "--stream", "output", "--download", "whole.log")
    assert _peak(going, 600) < MOST_BYTES
    assert going.end().code == 0, going.err
    count = size = 0
    with Path(wfexec.folder / "whole.log").open("rb") as log:
        for line in log:
            count += 1
            size += len(line.partition(b" ")[2]) - 1
    return count, size


def test_one_line_of_100_megabytes(wfexec: Wfexec) -> None:
    run = _run(wfexec, "long-line", "head -c 104857600 /dev/zero | tr '\\0' x; echo", 200)
    assert _lines(wfexec, run) == (1, 100 << 20)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_one_gigabyte_of_output(wfexec: Wfexec) -> None:
    wfexec.write("writer.py", WRITER)
    blocks = (1 << 30) // (128 * 4096)
    run = _run(wfexec, "gigabyte", f"python3 writer.py {blocks}", 1200)
    assert _lines(wfexec, run) == (blocks * 4096, blocks * 4096 * 127)
