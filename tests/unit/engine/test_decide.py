"""What starts next, what is skipped, and why."""

from collections.abc import Sequence

import pytest

from prefect_wfexec.definition.model import Step
from prefect_wfexec.engine.decide import whole_steps
from prefect_wfexec.journal.facts import Fact, Kind
from prefect_wfexec.journal.fold import fold_facts
from prefect_wfexec.journal.state import ExecutionState
from prefect_wfexec.status import StepStatus
from tests.unit.engine.support import decider, step
from tests.unit.journal.support import (
    at,
    closed,
    entered,
    fact,
    finished,
    folded,
    gate_closed,
    gate_opened,
    opened,
    requested,
    skipped,
    started,
)

BEGUN = (opened(), entered())


def told(facts: Sequence[Fact]) -> list[str]:
    """Facts as short words: `start a`, `skip b`, `end c`."""
    words = {Kind.STEP_STARTED: "start", Kind.STEP_SKIPPED: "skip", Kind.STEP_FINISHED: "end"}
    return [f"{words[one.kind]} {one.data['step']}" for one in facts]


def next_of(steps: Sequence[Step], *facts: Fact, seconds: float = 10) -> list[str]:
    return told(decider(*steps).next_facts(folded(*BEGUN, *facts), at(seconds)))


def ended(step_id: str, status: str = "Success", kind: str = "failed") -> tuple[Fact, Fact]:
    error = {"type": kind, "message": kind} if status == "Failed" else None
    return started(step_id), finished(step_id, status, error=error)


def after(steps: Sequence[Step], *facts: Fact) -> ExecutionState:
    """The state once what follows is folded too."""
    state = folded(*BEGUN, *facts)
    return fold_facts(decider(*steps).next_facts(state, at(10)), state, 0)


SEQUENCE = (step("a"), step("b", "a"), step("c", "b"))


def test_a_plain_list_is_a_sequence() -> None:
    assert next_of(SEQUENCE) == ["start a"]
    assert next_of(SEQUENCE, started("a")) == []
    assert next_of(SEQUENCE, *ended("a")) == ["start b"]
    assert next_of(SEQUENCE, *ended("a"), *ended("b")) == ["start c"]


def test_a_graph_is_one_too() -> None:
    steps = (step("a"), step("b"), step("c", "a", "b"))
    assert next_of(steps) == ["start a", "start b"]
    assert next_of(steps, *ended("a")) == ["start b"]
    assert next_of(steps, *ended("a"), started("b")) == []
    assert next_of(steps, *ended("a"), *ended("b")) == ["start c"]


def test_a_start_names_its_engine_and_attempt() -> None:
    [fact] = decider(*SEQUENCE, engine="e1").next_facts(folded(*BEGUN), at(10))
    assert (fact.kind, fact.time) == (Kind.STEP_STARTED, at(10))
    assert fact.data == {"step": "a", "attempt": 1, "engine": "e1"}


@pytest.mark.parametrize("status", ["Failed", "Cancelled"])
def test_nothing_runs_below_a_failure_and_each_step_says_why(status: str) -> None:
    assert next_of(SEQUENCE, *ended("a", status)) == ["skip b", "skip c"]
    state = after(SEQUENCE, *ended("a", status))
    assert [state.step(name).skip_cause for name in "bc"] == ["upstream", "upstream"]
    assert [state.step(name).reason for name in "bc"] == [f"'a' {status.lower()}"] * 2


@pytest.mark.parametrize("cause", ["condition", "when", "optional", "manual"])
def test_a_step_skipped_by_itself_or_by_hand_satisfies_who_needs_it(cause: str) -> None:
    assert next_of(SEQUENCE, skipped("a", cause)) == ["start b"]
    assert next_of(SEQUENCE, skipped("a", "upstream")) == ["skip b", "skip c"]


def test_a_step_that_skips_itself_satisfies_who_needs_it() -> None:
    assert next_of(SEQUENCE, started("a"), finished("a", "Skipped", reason="nothing to do")) == ["start b"]


def test_on_failure_continue_goes_on() -> None:
    steps = (step("a", on_failure="continue"), step("b", "a"), step("tell", "a", when="failure"))
    assert next_of(steps, *ended("a", "Failed")) == ["start b", "start tell"]
    assert next_of(steps, *ended("a", "Cancelled")) == ["skip b", "start tell"]


def test_when_failure_runs_below_any_failure_and_never_else() -> None:
    steps = (*SEQUENCE, step("tell", "c", when="failure"))
    assert next_of(steps, *ended("a", "Failed")) == ["skip b", "skip c", "start tell"]
    assert next_of(steps, *ended("a"), *ended("b"), *ended("c")) == ["skip tell"]
    state = after(steps, *ended("a"), *ended("b"), *ended("c"))
    assert (state.step("tell").skip_cause, state.step("tell").reason) == ("when", "nothing above it failed")
    beside = (step("a"), step("b"), step("tell", "b", when="failure"))
    assert next_of(beside, *ended("a", "Failed"), *ended("b")) == ["skip tell"]


def test_after_a_failure_was_handled_the_steps_below_still_do_not_run() -> None:
    steps = (step("a"), step("tell", "a", when="failure"), step("b", "tell"), step("last", "b", when="always"))
    assert next_of(steps, *ended("a", "Failed"), *ended("tell")) == ["skip b", "start last"]


@pytest.mark.parametrize("status", ["Success", "Failed", "Skipped", "Cancelled"])
def test_when_always_runs_whatever_happened(status: str) -> None:
    steps = (step("a"), step("b", "a", when="always"))
    assert next_of(steps, *ended("a", status)) == ["start b"]


def test_an_if_decides_once_its_needs_have_ended() -> None:
    steps = (step("a"), step("b", "a", if_="steps.a.outputs.has_changes"), step("c", "b"))
    assert next_of(steps, started("a"), finished("a", outputs={"has_changes": True})) == ["start b"]
    unchanged = (started("a"), finished("a", outputs={"has_changes": False}))
    assert next_of(steps, *unchanged) == ["skip b", "start c"]
    state = after(steps, *unchanged)
    assert state.step("b").skip_cause == "condition"
    assert state.step("b").reason == "condition not met: steps.a.outputs.has_changes"


def test_an_if_sees_the_status_and_what_the_run_would_end_as() -> None:
    steps = (
        step("a"),
        step("b", "a", when="always", if_="steps.a.status == 'Failed'"),
        step("c", "a", when="always", if_="run.status == 'Failed'"),
        step("d", "a", when="always", if_="run.status == 'Succeeded'"),
    )
    assert next_of(steps, *ended("a", "Failed")) == ["start b", "start c", "skip d"]


@pytest.mark.parametrize("expression", ["steps.a.outputs.missing", "1 + 1", "steps.a.status ++"])
def test_an_if_that_can_not_be_worked_out_fails_its_step(expression: str) -> None:
    steps = (step("a"), step("b", "a", if_=expression), step("c", "b"))
    assert next_of(steps, *ended("a")) == ["start b", "end b", "skip c"]
    fault = after(steps, *ended("a")).step("b").fault
    assert fault is not None
    assert fault.type == "expression"
    assert fault.message


def test_a_retry_starts_when_it_is_due() -> None:
    failed = (started("a"), finished("a", "Failed", retry_at=at(20).isoformat()))
    assert next_of(SEQUENCE, *failed, seconds=19.9) == []
    assert next_of(SEQUENCE, *failed, seconds=20) == ["start a"]
    [fact] = decider(*SEQUENCE).next_facts(folded(*BEGUN, *failed), at(20), changed=set())
    assert fact.data["attempt"] == 2


def test_only_what_ended_is_looked_at() -> None:
    steps = (step("a"), step("b"), step("c", "a"), step("d", "b"))
    state = folded(*BEGUN, *ended("a"), *ended("b"))
    assert told(decider(*steps).next_facts(state, at(10), changed={"a"})) == ["start c"]
    assert told(decider(*steps).next_facts(state, at(10), changed=set())) == []
    assert told(decider(*steps).next_facts(state, at(10))) == ["start c", "start d"]


CANCEL = requested("cancel", by="joe")
WITH_TIDY = (*SEQUENCE, step("tidy", "a", when="cancelled"), step("last", "c", when="always"))


def test_after_a_cancel_nothing_starts_and_what_runs_ends_first() -> None:
    assert next_of(WITH_TIDY, started("a"), CANCEL) == ["skip b", "skip c", "skip last"]
    state = after(WITH_TIDY, started("a"), CANCEL)
    assert {state.step(name).status for name in ("b", "c", "last")} == {StepStatus.CANCELLED}
    assert state.step("b").reason == "the run was cancelled"
    assert state.step("tidy").status is StepStatus.PENDING


def test_steps_for_cancelled_runs_start_once_the_others_have_stopped() -> None:
    stopped = (started("a"), CANCEL, finished("a", "Cancelled"))
    assert next_of(WITH_TIDY, *stopped) == ["skip b", "skip c", "skip last", "start tidy"]


def test_a_step_for_cancelled_runs_still_runs_when_its_needs_ended_long_before_the_cancel() -> None:
    assert next_of(WITH_TIDY, *ended("a")) == ["start b"]
    assert next_of(WITH_TIDY, *ended("a"), started("b"), CANCEL, finished("b", "Cancelled")) == [
        "skip c",
        "skip last",
        "start tidy",
    ]


def test_a_step_for_cancelled_runs_holds_up_no_other() -> None:
    steps = (step("a"), step("tidy", "a", when="cancelled"), step("b", "tidy"), step("c", "b"))
    assert next_of(steps, *ended("a")) == ["start b"]
    assert next_of(steps, *ended("a"), *ended("b")) == ["start c"]
    state = after(steps, *ended("a"), *ended("b"), *ended("c"))
    assert (state.step("tidy").status, state.step("tidy").skip_cause) == (StepStatus.SKIPPED, "when")
    assert state.step("tidy").reason == "the run was not cancelled"
    assert decider(*steps).is_over(state)


def test_an_if_counts_after_a_cancel_too() -> None:
    steps = (
        step("a"),
        step("tidy", "a", when="cancelled", if_="steps.a.outputs.made"),
        step("tell", "tidy", when="cancelled"),
    )
    made = (started("a"), finished("a", outputs={"made": True}), CANCEL)
    assert next_of(steps, *made) == ["start tidy"]
    nothing = (started("a"), finished("a", outputs={"made": False}), CANCEL)
    assert next_of(steps, *nothing) == ["skip tidy", "start tell"]


def test_steps_for_cancelled_runs_keep_their_order() -> None:
    steps = (step("two", "one", when="cancelled"), step("a"), step("one", "a", when="cancelled"))
    assert next_of(steps, CANCEL) == ["skip a", "start one"]
    assert next_of(steps, CANCEL, skipped("a", "upstream", status="Cancelled"), started("one")) == []
    done = (CANCEL, skipped("a", "upstream", status="Cancelled"), *ended("one", "Failed"))
    assert next_of(steps, *done) == ["start two"]


def test_steps_for_cancelled_runs_keep_their_order_across_others() -> None:
    steps = (step("one", when="cancelled"), step("a", "one"), step("two", "a", when="cancelled"))
    assert next_of(steps, CANCEL) == ["skip a", "start one"]


def test_a_cancel_leaves_an_open_gate_to_be_closed_and_ends_a_retry() -> None:
    steps = (step("gate", uses="approval"), step("call"), step("tidy", "gate", when="cancelled"))
    waiting = (
        started("gate"),
        gate_opened("gate"),
        started("call"),
        finished("call", "Failed", retry_at=at(5).isoformat()),
        CANCEL,
    )
    assert next_of(steps, *waiting) == ["skip call"]
    stopped = (*waiting, gate_closed("gate", "cancelled"), finished("gate", "Cancelled"))
    assert next_of(steps, *stopped) == ["skip call", "start tidy"]


def test_a_run_is_over_when_every_step_has_ended_and_only_once() -> None:
    done = (*ended("a"), *ended("b"), *ended("c"))
    over = decider(*SEQUENCE)
    assert not over.is_over(folded(*BEGUN))
    assert not over.is_over(folded(*BEGUN, *done[:-1]))
    assert over.is_over(folded(*BEGUN, *done))
    assert not over.is_over(folded(*BEGUN, *done, closed()))


def test_facts_that_belong_together_are_not_parted() -> None:
    pair = [started("a"), finished("a", "Failed")]
    gate = [gate_closed("g"), finished("g")]
    facts = [started("x"), *pair, *gate, skipped("y")]
    assert [len(whole_steps(facts, limit)) for limit in range(1, 8)] == [1, 3, 3, 5, 5, 6, 6]
    assert whole_steps(facts, 3) == facts[:3]
    assert whole_steps(pair, 1) == pair
    assert whole_steps([], 5) == []


PIPELINE = (step("validation", uses="validation"), step("a", "validation"), step("b", "a"), step("c", "validation"))


def test_nothing_starts_before_validation_has_ended_in_a_retry_either() -> None:
    again = (started("validation", 2),)
    before = (*ended("validation"), *ended("a"), *ended("b", "Failed"), *ended("c"))
    retried = (
        *before,
        closed("Failed"),
        fact(Kind.RESET, request="req_1", what="retry", reset=["b", "validation"], reasons={}),
    )
    assert next_of(PIPELINE, *retried) == ["start validation"]
    assert next_of(PIPELINE, *retried, *again) == []
    seen = folded(*BEGUN, *retried, *again, finished("validation", "Success", attempt=2))
    assert told(decider(*PIPELINE).next_facts(seen, at(10), ["validation"])) == ["start b"]
