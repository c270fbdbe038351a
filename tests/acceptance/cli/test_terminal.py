"""On a real terminal: the live step list, the question at a gate, Ctrl-C from the keyboard."""

import re
from collections.abc import Callable, Iterator

import pytest

from prefect_wfexec.cli.signatures import UNCHECKED
from prefect_wfexec.settings import SECRET_KEY
from tests.support.terminal import Terminal
from tests.support.wfexec import COMMAND, Wfexec

ASKING = """
    version: 1
    name: ask-me
    steps:
      - {id: prepare, name: Prepare The Ground, run: "seq 1 30; printf 'long %0300d\\\\n' 7"}
      - {id: gate, uses: approval, with: {message: Shall we?}}
      - {id: go, run: "echo went; sleep 1"}
"""

Open = Callable[..., Terminal]


@pytest.fixture
def open_terminal(wfexec: Wfexec) -> Iterator[Open]:
    opened: list[Terminal] = []

    def start(*arguments: str, columns: int = 100, rows: int = 40) -> Terminal:
        terminal = Terminal(
            [*COMMAND, *arguments], env=wfexec.environment, folder=wfexec.folder, columns=columns, rows=rows
        )
        opened.append(terminal)
        return terminal

    yield start
    for terminal in opened:
        terminal.close()


@pytest.mark.parametrize(("columns", "rows"), [(100, 40), (44, 12)])
def test_the_list_is_drawn_in_place_and_the_question_is_answered(
    wfexec: Wfexec, open_terminal: Open, columns: int, rows: int
) -> None:
    wfexec.write("ask.yaml", ASKING)
    terminal = open_terminal("run", "ask.yaml", columns=columns, rows=rows)
    terminal.until("approve or reject?")
    terminal.type("maybe\r")
    terminal.until("maybe")
    terminal.type("a\r")
    terminal.until("why?")
    terminal.type("looks fine\r")
    assert terminal.end() == 0
    lines = terminal.screen.lines
    text = "\n".join(lines)
    assert "Shall we?" in text
    assert "Approved by jane" in text
    # Every line of the log stands there once, and nothing of the redrawn list is left behind.
    assert [line for line in lines if line.startswith("prepare | ")][:30] == [f"prepare | {n}" for n in range(1, 31)]
    assert "prepare | long " + "0" * 299 + "7" in text.replace("\n", "")
    if columns >= 4:
        assert sum(re.match(r"1\. Prepare The Ground", line) is not None for line in lines) == 1
        assert sum(line.startswith("ask-me · ") for line in lines) == 0
    assert lines[next(n for n, line in enumerate(lines) if line == "Execution Summary") + 3] == "Status:    Completed ✓"


def test_the_list_moves_while_steps_run(wfexec: Wfexec, open_terminal: Open) -> None:
    steps = "\n".join(f"  - {{id: s{n}, run: 'until test -e s{n}.mark; do sleep 0.05; done'}}" for n in range(1, 41))
    wfexec.write("many.yaml", f"version: 1\nname: many-steps\nsteps:\n{steps}\n")
    terminal = open_terminal("run", "many.yaml", rows=15)
    for number in (1, 2, 30):
        for before in range(1, number):
            wfexec.write(f"s{before}.mark", "")
        terminal.until_shown(rf" ?{number}\. S{number} +▶")
    terminal.type("\x03")
    assert terminal.end() == 4
    assert "cancelling" in terminal.text
    assert "Traceback" not in terminal.text


def test_a_rejection_typed_in(wfexec: Wfexec, open_terminal: Open) -> None:
    wfexec.write("ask.yaml", ASKING)
    terminal = open_terminal("run", "ask.yaml")
    terminal.until("approve or reject?")
    terminal.type("r\r")
    terminal.until("why?")
    terminal.type("too late today\r")
    assert terminal.end() == 3
    assert "too late today" in "\n".join(terminal.screen.lines)


def test_a_decision_from_elsewhere_withdraws_the_question(wfexec: Wfexec, as_bob: Wfexec, open_terminal: Open) -> None:
    wfexec.write("ask.yaml", ASKING)
    terminal = open_terminal("run", "ask.yaml")
    terminal.until("approve or reject?")
    run = re.search(r"wfr_\w+", terminal.text)
    assert run is not None
    assert as_bob.json("approve", run[0])["outcome"] == "approved"
    assert terminal.end() == 0
    assert "Approved by bob" in "\n".join(terminal.screen.lines)


def test_two_questions_are_asked_one_after_the_other(wfexec: Wfexec, open_terminal: Open) -> None:
    wfexec.write(
        "both.yaml",
        """
        version: 1
        name: both
        steps:
          - {id: east, uses: approval, needs: [], with: {message: East now?}}
          - {id: west, uses: approval, needs: [], with: {message: West now?}}
          - {id: go, needs: [east, west], run: "echo went"}
        """,
    )
    terminal = open_terminal("run", "both.yaml")
    terminal.until("East now?")
    terminal.until("approve or reject?")
    assert "West now?" not in terminal.text
    terminal.type("a\r")
    terminal.until("why?")
    terminal.type("\r")
    terminal.until("West now?")
    terminal.type("a\r")
    terminal.until("West now?")
    terminal.type("\r")
    assert terminal.end() == 0
    assert terminal.text.count("Approved by jane") >= 2


def test_who_follows_without_the_key_reads_above_the_list_that_nothing_was_checked(
    wfexec: Wfexec, as_bob: Wfexec, open_terminal: Open
) -> None:
    wfexec.write("ask.yaml", ASKING)
    going = wfexec.with_environment(**{SECRET_KEY.variable: "a key that only the engine has"}).start("run", "ask.yaml")
    going.until("wfexec approve wfr_")
    terminal = open_terminal("show", going.run, "--follow")
    terminal.until_shown(UNCHECKED[:40])
    terminal.until_shown(r"2\. Gate ")
    assert as_bob("approve", going.run).code == 0
    assert (terminal.end(), going.end().code) == (0, 0)
    lines = terminal.screen.lines
    assert sum(line == UNCHECKED for line in lines) == 1
    assert not any(line.startswith(("starting", "ask-me · ")) for line in lines)
    assert sum(line.startswith("1. Prepare The Ground") for line in lines) == 1


def test_without_a_terminal_nobody_is_asked(wfexec: Wfexec, as_bob: Wfexec) -> None:
    wfexec.write("ask.yaml", ASKING)
    going = wfexec.start("run", "ask.yaml")
    going.until("wfexec approve wfr_")
    assert "approve or reject?" not in going.out + going.err
    assert as_bob("approve", going.run).code == 0
    assert going.end().code == 0
