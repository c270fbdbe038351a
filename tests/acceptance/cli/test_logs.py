"""`logs`: whole, by step and stream, searched, followed, downloaded, whatever the bytes."""

import json
from pathlib import Path

import pytest

from tests.support.shapes import LOG_LINE, assert_shape
from tests.support.wfexec import Wfexec

LINES = 200_000
ODD = r"""
    version: 1
    name: odd-output
    steps:
      - id: bytes
        run: |
          printf 'caf\303\251 \377\376 end\n'
          printf '\033[31mred\033[0m and \033]0;title\007plain\n'
          printf '10%%\r50%%\r100%%\n'
          printf 'a\tb\n\n'
          printf 'windows\r\n'
          printf 'oh no\n' >&2
          printf 'no newline at the end'
      - {id: again, run: 'echo "again $WFEXEC_ATTEMPT"; test $WFEXEC_ATTEMPT = 2', retry: {attempts: 2, delay: 1s}}
"""
FLOOD = f"""
    version: 1
    name: flood
    steps:
      - {{id: before, run: "echo before"}}
      - {{id: flood, run: "seq 1 {LINES}"}}
"""


@pytest.fixture(scope="module")
def odd(wfexec: Wfexec) -> str:
    wfexec.write("odd.yaml", ODD)
    result = wfexec("run", "odd.yaml")
    assert result.code == 0, result.out
    assert "\x1b" not in result.out
    return result.run


@pytest.fixture(scope="module")
def flood(wfexec: Wfexec) -> str:
    wfexec.write("flood.yaml", FLOOD)
    result = wfexec("run", "flood.yaml", "--json")
    assert result.code == 0, result.err[-3000:]
    return str(result.json()["name"])


def _messages(wfexec: Wfexec, *arguments: str) -> list[str]:
    result = wfexec("logs", *arguments, "--json")
    assert result.code == 0, result.err
    lines = [json.loads(line) for line in result.out.splitlines()]
    for line in lines:
        assert_shape(line, LOG_LINE)
    return [f"{line['step']}.{line['attempt']} {line['stream']} {line['message']}" for line in lines]


def test_every_line_comes_back(wfexec: Wfexec, odd: str) -> None:
    messages = _messages(wfexec, odd)
    stdout = [line.removeprefix("bytes.1 stdout ") for line in messages if line.startswith("bytes.1 stdout ")]
    assert stdout[0] == "café \ufffd\ufffd end"
    assert stdout[2:5] == ["10%", "50%", "100%"]
    assert stdout[5:] == ["a\tb", "", "windows", "no newline at the end"]
    assert "bytes.1 stderr oh no" in messages
    assert [line for line in messages if line.startswith("again") and "stdout" in line] == [
        "again.1 stdout again 1",
        "again.2 stdout again 2",
    ]


def test_the_terminal_gets_no_escape_sequences(wfexec: Wfexec, odd: str) -> None:
    text = wfexec("logs", odd, "--step", "bytes").out
    assert "red and plain" in text
    assert "\x1b" not in text and "\x07" not in text


def test_streams_steps_and_search(wfexec: Wfexec, odd: str) -> None:
    assert _messages(wfexec, odd, "--step", "bytes", "--stream", "errors") == ["bytes.1 stderr oh no"]
    output = _messages(wfexec, odd, "--stream", "output")
    assert output and all(" stdout " in line for line in output)
    assert _messages(wfexec, odd, "--search", "WINDOWS") == ["bytes.1 stdout windows"]
    assert _messages(wfexec, odd, "--search", "nowhere to be found") == []
    assert wfexec("logs", odd, "--step", "bites").code == 2


def test_a_flood_is_kept_whole(wfexec: Wfexec, flood: str) -> None:
    file = Path(wfexec.folder / "flood.log")
    downloaded = wfexec("logs", flood, "--step", "flood", "--stream", "output", "--download", "flood.log")
    assert downloaded.code == 0
    assert f"{LINES} lines" in downloaded.err
    numbers = [int(line.rpartition(" ")[2]) for line in file.read_text().splitlines()]
    assert numbers == list(range(1, LINES + 1))
    assert _messages(wfexec, flood, "--search", "123456") == ["flood.1 stdout 123456"]


def test_a_download_to_nowhere_is_2(wfexec: Wfexec, odd: str) -> None:
    result = wfexec("logs", odd, "--download", "no/such/folder/x.log")
    assert result.code == 2
    assert "can't be written" in result.err


@pytest.mark.shows("logs.live", "view.log")
def test_following_a_live_run_shows_each_line_once(wfexec: Wfexec) -> None:
    wfexec.write(
        "ticking.yaml",
        """
        version: 1
        name: ticking
        steps:
          - id: tick
            run: |
              for n in $(seq 1 20); do echo "tick $n"; sleep 0.1; done
              until test -e stop.mark; do sleep 0.1; done
              echo over
          - {id: tock, run: "echo tock"}
        """,
    )
    going = wfexec.start("run", "ticking.yaml")
    name = going.run
    going.until("Tick Running")
    following = wfexec.start("logs", name, "--follow")
    watching = wfexec.start("show", name, "--follow")
    following.until("tick 20")
    wfexec.write("stop.mark", "")
    lines = [line.rpartition("| ")[2] for line in following.end().out.splitlines()]
    assert lines == [*(f"tick {number}" for number in range(1, 21)), "over", "tock"]
    assert going.end().code == 0
    shown = watching.end()
    assert shown.code == 0
    assert shown.out.count("Execution Summary") == 1
    assert "✓ Tock Success" in shown.out
