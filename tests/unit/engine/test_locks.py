"""What a run does and shows that waits for a lock, has it, or has lost it."""

from typing import Any

import pytest

from prefect_wfexec.definition.model import Concurrency
from prefect_wfexec.engine.environment import NotDeployable
from prefect_wfexec.engine.progress import lock_words, run_status
from prefect_wfexec.engine.progress_page import progress_markdown
from prefect_wfexec.engine.validation import LONGEST_LOCK_KEY, lock_key
from prefect_wfexec.journal.facts import Fact, Kind
from prefect_wfexec.journal.state import ExecutionState
from prefect_wfexec.status import RunStatus
from tests.unit.engine.support import decider, step, workflow
from tests.unit.journal.support import at, closed, entered, fact, folded, opened, requested

VALIDATED = fact(Kind.VALIDATED, 0, engine="e1", lock="tf/network")
WAITS = fact(
    Kind.LOCK_REQUESTED, 1, engine="e1", key="tf/network", holder="wfr_a", since="2030-01-01T11:00:00+00:00", ahead=1
)
HAS = fact(Kind.LOCK_ACQUIRED, 2, engine="e1", key="tf/network", number=7)
STEPS = (step("work"), step("sweep", when="cancelled"))


def state(*facts: Fact) -> ExecutionState:
    return folded(opened(), entered(), VALIDATED, *facts)


def kinds(found: list[Fact]) -> list[tuple[str, str]]:
    return [(one.kind.value, str(one.data["step"])) for one in found]


def lost(number: int = 7, **data: Any) -> Fact:
    return fact(Kind.LOCK_RELEASED, 3, number=number, reason="by \x1b[31mforce", **data)


@pytest.mark.parametrize("facts", [(), (WAITS,)])
def test_no_step_starts_without_the_lock(facts: tuple[Fact, ...]) -> None:
    assert decider(*STEPS).next_facts(state(*facts), at(5)) == []
    assert kinds(decider(*STEPS).next_facts(state(*facts, HAS), at(5)))[0] == ("step_started", "work")


@pytest.mark.parametrize("facts", [(), (WAITS,)])
def test_a_run_that_is_cancelled_without_the_lock_runs_nothing(facts: tuple[Fact, ...]) -> None:
    found = decider(*STEPS).next_facts(state(*facts, requested("cancel")), at(5))
    assert kinds(found) == [("step_skipped", "work"), ("step_skipped", "sweep")]
    assert {one.data["status"] for one in found} == {"Cancelled"}
    had = decider(*STEPS).next_facts(state(*facts, HAS, requested("cancel")), at(5))
    assert ("step_started", "sweep") in kinds(had)


def test_what_it_shows() -> None:
    waiting = state(WAITS)
    words = "waits for lock 'tf/network', held by wfr_a since 2030-01-01T11:00:00Z"
    assert run_status(waiting) is RunStatus.PENDING and lock_words(waiting) == words
    assert words in progress_markdown(workflow(*STEPS), waiting)
    held = state(WAITS, HAS)
    assert run_status(held) is RunStatus.RUNNING and lock_words(held) == ""
    gone = state(WAITS, HAS, lost())
    assert run_status(gone) is RunStatus.RUNNING and lock_words(gone) == "lost lock 'tf/network': by force"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"holder": "wfr_a", "ahead": 2}, "waits for lock 'k', held by wfr_a; 1 more comes first"),
        ({"holder": "wfr_a", "ahead": 3}, "waits for lock 'k', held by wfr_a; 2 more come first"),
        ({"holder": "", "ahead": 1}, "waits for lock 'k', which is free and not for this run yet"),
    ],
)
def test_for_whom_it_waits(data: dict[str, Any], words: str) -> None:
    assert lock_words(state(fact(Kind.LOCK_REQUESTED, 1, engine="e1", key="k", **data))) == words


def test_what_is_said_of_an_earlier_number_or_by_another_engine_changes_nothing() -> None:
    held = state(HAS)
    assert state(HAS, lost(number=6)).lock == held.lock
    assert state(HAS, fact(Kind.LOCK_REQUESTED, 3, engine="e0", key="x")).lock == held.lock


def test_a_run_that_has_ended_stands_in_no_relation_to_a_lock() -> None:
    assert state(HAS, closed()).lock is None
    assert state(HAS, closed(), WAITS).lock is None


def test_a_retry_asks_anew() -> None:
    again = state(HAS, closed("Failed"), fact(Kind.RESET, 4, request="r", reset=[]), entered("e2", 5))
    assert again.lock is None
    assert not again.lacks_lock, "until it is validated anew"
    validated = fact(Kind.VALIDATED, 6, engine="e2", lock="tf/network")
    assert folded(opened(), entered("e2"), validated).lacks_lock


@pytest.mark.parametrize(
    ("template", "key"),
    [
        ("tf/network", "tf/network"),
        (" tf/${{ inputs.name }} ", "tf/x"),
        ("${{ inputs.number }}", "7"),
    ],
)
def test_keys(template: str, key: str) -> None:
    assert lock_key(Concurrency(template), {"inputs": {"name": "x", "number": 7}}) == key


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("", "not a name"),
        (" ", "not a name"),
        (None, "not a name"),
        (True, "not a name"),
        ([], "not a name"),
        ("a\x1b[31m", "can't be shown"),
        ("a\nb", "can't be shown"),
        ("x" * (LONGEST_LOCK_KEY + 1), "more than"),
    ],
)
def test_keys_that_name_nothing(value: Any, words: str) -> None:
    with pytest.raises(NotDeployable, match=words):
        lock_key(Concurrency("${{ inputs.value }}"), {"inputs": {"value": value}})


def test_a_key_that_can_t_be_worked_out() -> None:
    with pytest.raises(NotDeployable, match="the lock's key can't be worked out"):
        lock_key(Concurrency("${{ inputs.missing }}"), {"inputs": {}})
