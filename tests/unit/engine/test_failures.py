"""Cards of steps that failed, and what can be done about them."""

import pytest

from prefect_wfexec.definition.model import Cleanup, Retry
from prefect_wfexec.engine.failure_text import action_lines, card_lines, failure_lines, wrapped
from prefect_wfexec.engine.failures import (
    LONGEST_MESSAGE_LINES,
    LONGEST_TAIL_LINES,
    MOST_STEPS,
    Action,
    FailureCard,
    actions_for,
    failure_cards,
)
from prefect_wfexec.engine.progress_page import progress_markdown
from prefect_wfexec.journal.facts import Fact, Kind
from prefect_wfexec.status import StepStatus
from tests.unit.engine.support import step, workflow
from tests.unit.journal.support import (
    at,
    closed,
    entered,
    fact,
    finished,
    folded,
    gate_opened,
    opened,
    requested,
    skipped,
    started,
)

PLAN = {"plan": "${{ steps.plan.outputs.plan }}"}
RUN = "wfr_x"
BEGUN = (opened(run_name=RUN), entered())
WORKFLOW = workflow(
    step("plan", uses="terraform.plan"),
    step("apply", "plan", name="Apply", uses="terraform.apply", with_=PLAN, cleanup=Cleanup("terraform.destroy")),
    step("check", "apply", allow_skip=True, retry=Retry(3)),
    step("told", "check"),
)
PLANNED = (*BEGUN, started("plan"), finished("plan", seconds=5), started("apply", seconds=5))
APPLIED = (*PLANNED, finished("apply", seconds=10), started("check", seconds=10))


def error(kind: str = "exit_code", message: str = "it is broken", **more: object) -> dict[str, object]:
    return {"type": kind, "message": message, "exit_code": 1, "tail": "", **more}


def failed_apply(**more: object) -> tuple[Fact, ...]:
    return (
        *PLANNED,
        finished("apply", "Failed", seconds=20, **{"error": error("terraform_error"), **more}),
        skipped("check", "upstream", 20),
        skipped("told", "upstream", 20),
        closed("Failed", seconds=21),
    )


def card(*facts: Fact) -> FailureCard:
    (found,) = failure_cards(WORKFLOW, folded(*facts), at(100))
    return found


def commands(*facts: Fact, is_over: bool = True) -> dict[tuple[str, str], str]:
    actions = actions_for(WORKFLOW, folded(*facts), RUN, is_over=is_over)
    assert len({(one.action, one.step) for one in actions}) == len(actions)
    return {(one.action, one.step): one.command for one in actions}


def test_nothing_failed() -> None:
    assert failure_cards(WORKFLOW, folded(*APPLIED), at(100)) == []
    assert commands(*PLANNED[:-1], is_over=False) == {}


def test_a_card() -> None:
    found = card(*failed_apply(outputs={"summary": "3 added"}))
    assert found == FailureCard(
        step="apply",
        name="Apply",
        status=StepStatus.FAILED,
        is_error=False,
        attempt=1,
        attempts=1,
        seconds=15,
        exit_code=1,
        kind="terraform_error",
        message=("it is broken",),
        done="3 added",
    )
    assert list(card_lines(found, RUN)) == [
        "Error Details",
        "Step: Apply (apply)",
        "Status: Failed",
        "Duration: 15s",
        "Exit Code: 1",
        "Done Until Then: 3 added",
        "Error:",
        "  it is broken",
    ]


def test_which_attempt_of_how_many() -> None:
    again = finished("check", "Failed", seconds=11, error=error(), retry_at=at(12).isoformat())
    assert failure_cards(WORKFLOW, folded(*APPLIED, again), at(12)) == []
    found = card(*APPLIED, again, started("check", 2, seconds=12), finished("check", "Failed", 2, error=error()))
    assert "Attempt: 2 of 3" in card_lines(found, RUN)


def test_a_long_error_is_cut_and_says_where_the_rest_is() -> None:
    message = "\n".join(f"line {number}" for number in range(400))
    found = card(*failed_apply(error=error("terraform_error", message)))
    lines = list(card_lines(found, RUN))
    assert found.message[-1] == f"line {LONGEST_MESSAGE_LINES - 1}"
    assert lines[-2:] == [f"  … {400 - LONGEST_MESSAGE_LINES} more lines:", f"    wfexec logs {RUN} --step apply"]
    long = card(*failed_apply(error=error("terraform_error", "x" * 9999)))
    assert max(map(len, long.message)) == 500


def test_output_is_shown_where_the_error_does_not_say_it_all() -> None:
    tail = "\n".join(f"line {number}" for number in range(40))
    script = card(
        *APPLIED, finished("check", "Failed", error=error(message="it ended with 1:\nline 38\nline 39", tail=tail))
    )
    assert script.message == ("it ended with 1",)
    assert script.tail == tuple(f"line {number}" for number in range(40 - LONGEST_TAIL_LINES, 40))
    told = card(*APPLIED, finished("check", "Failed", error=error(message="it ended with 1:\nthe end", tail="the end")))
    assert (told.message, told.tail) == (("it ended with 1:", "the end"), ())
    diagnosed = card(*failed_apply(error=error("terraform_error", "no such thing\nwith x", tail=tail)))
    assert diagnosed.tail == ()
    cut_short = card(*failed_apply(error=error("timeout", "timed out\nstopped in order", tail=tail)))
    assert len(cut_short.tail) == LONGEST_TAIL_LINES
    halted = card(*failed_apply(error=error("timeout", "timed out\nstopped in order\n\nhalted\nwith x", tail=tail)))
    assert halted.tail == ()
    unknown = card(*failed_apply(error=error("outcome_unknown", "it died\nlook\nhere\nand\nthere", tail=tail)))
    assert len(unknown.tail) == LONGEST_TAIL_LINES
    bare = card(*failed_apply(error=error("terraform_error", "no reason", tail=tail)))
    assert len(bare.tail) == LONGEST_TAIL_LINES


def test_nothing_in_a_card_steers_a_terminal() -> None:
    found = card(*failed_apply(error=error("x", "bad\x1b[2J\x00", tail="\x1b]0;title\x07end")))
    assert (found.message, found.tail) == (("bad",), ("end",))


def test_an_unknown_outcome_is_no_failure_of_the_step_and_comes_with_advice() -> None:
    found = card(*failed_apply(error=error("outcome_unknown")))
    assert found.is_error
    lines = list(card_lines(found, RUN))
    assert "Status: Failed, and how it went is not known" in lines
    assert lines[-2].startswith("  → look first: compare the state with what exists")
    assert lines[-1] == "  → a retry plans anew and asks about what is new; the old plan is never applied again"


def test_a_run_that_was_cleaned_up_after_is_not_said_to_be_retried() -> None:
    cleanup = fact(Kind.CLEANUP_STARTED, engine="e1", run="r", name="wfr_c", plan={})
    *before, ended = failed_apply(error=error("outcome_unknown"))
    found = card(*before, requested("cancel", cleanup=True), cleanup, ended)
    assert len(found.advice) == 1 and found.advice[0].startswith("look first")
    script = card(*APPLIED, finished("check", "Failed", error=error("outcome_unknown")))
    assert script.advice == ("look at what the step has changed before it runs again",)


def test_what_can_be_done_at_the_end() -> None:
    assert commands(*failed_apply()) == {
        ("errors", "apply"): "wfexec logs wfr_x --step apply --stream errors",
        ("logs", "apply"): "wfexec logs wfr_x --step apply",
        ("retry", ""): "wfexec retry wfr_x",
        ("retry_from", "apply"): "wfexec retry wfr_x --from apply",
        ("cleanup", ""): "wfexec cancel wfr_x --cleanup",
    }


def test_what_never_closed_can_be_cancelled_too() -> None:
    found = commands(*failed_apply()[:-1])
    assert found["cancel", ""] == "wfexec cancel wfr_x"
    assert found["cleanup", ""] == "wfexec cancel wfr_x --cleanup"
    assert found["retry", ""] == "wfexec retry wfr_x"
    asked = commands(*failed_apply()[:-1], requested("cancel"))
    assert ("cancel", "") not in asked
    assert asked["cleanup", ""] == "wfexec cancel wfr_x --cleanup"
    assert ("cleanup", "") not in commands(*failed_apply()[:-1], requested("cancel", cleanup=True))


def test_a_step_is_skipped_only_where_it_may_be() -> None:
    facts = (*APPLIED, finished("check", "Failed", error=error()), skipped("told", "upstream"), closed("Failed"))
    assert commands(*facts)["skip", "check"] == 'wfexec skip wfr_x --step check --reason "…"'
    assert ("skip", "apply") not in commands(*failed_apply())


def test_while_the_run_goes_on_it_can_be_cancelled_and_not_retried() -> None:
    facts = (*APPLIED, finished("check", "Failed", error=error()))
    assert set(commands(*facts, is_over=False)) == {
        ("errors", "check"),
        ("logs", "check"),
        ("cancel", ""),
        ("cleanup", ""),
    }


@pytest.mark.parametrize("is_governed", [False, True])
def test_while_somebody_is_asked_the_choices_are_those_of_the_gate(is_governed: bool) -> None:
    asked = (
        *APPLIED,
        finished("check", "Failed", seconds=17, error=error(), asks=True),
        gate_opened("check", choices=["retry", "abort"], is_governed=is_governed),
    )
    assert (card(*asked).status, card(*asked).seconds) == (StepStatus.WAITING, 7)
    found = commands(*asked, is_over=False)
    code = " --code …" if is_governed else ""
    assert found["retry", "check"] == f"wfexec approve wfr_x --step check{code}"
    assert found["abort", "check"] == f"wfexec reject wfr_x --step check{code}"
    assert ("skip", "check") not in found
    with_skip = (*asked[:-1], gate_opened("check", choices=["retry", "skip", "abort"]))
    assert commands(*with_skip, is_over=False)["skip", "check"].startswith("wfexec skip wfr_x --step check --reason")


def test_a_gate_has_no_log() -> None:
    one = workflow(step("ask", uses="approval"))
    facts = (*BEGUN, started("ask"), finished("ask", "Failed", error=error("rejected")), closed("Approval Rejected"))
    found = actions_for(one, folded(*facts), RUN, is_over=True)
    assert [action.action for action in found] == ["retry", "retry_from"]


def test_what_an_apply_had_done_may_be_nothing() -> None:
    assert card(*failed_apply(outputs={"summary": "No changes"})).done == "nothing"


def test_an_odd_id_is_quoted() -> None:
    one = workflow(step("a[x y]"))
    facts = (*BEGUN, started("a[x y]"), finished("a[x y]", "Failed", error=error()), closed("Failed"))
    found = actions_for(one, folded(*facts), RUN, is_over=True)
    assert found[1].command == "wfexec logs wfr_x --step 'a[x y]'"


ACTIONS = (Action("logs", "View", "wfexec logs wfr_x --step a", "a"), Action("retry", "Retry Step", "wfexec retry x"))


def test_a_command_stands_below_its_words_where_there_is_no_room_and_is_never_broken() -> None:
    assert list(action_lines(ACTIONS)) == [
        "Actions:",
        "  [View]       wfexec logs wfr_x --step a",
        "  [Retry Step] wfexec retry x",
    ]
    assert list(action_lines(ACTIONS, 41)) == list(action_lines(ACTIONS))
    assert list(action_lines(ACTIONS, 40)) == [
        "Actions:",
        "  [View]",
        "    wfexec logs wfr_x --step a",
        "  [Retry Step]",
        "    wfexec retry x",
    ]
    assert list(action_lines((), 40)) == []


@pytest.mark.parametrize("width", [1, 20, 44, 80])
def test_words_are_wrapped_between_and_never_lost(width: int) -> None:
    line = '   5:   provisioner "local-exec" { command = "' + "word " * 30 + "x" * 100
    lines = wrapped(line, width, 2)
    assert " ".join(" ".join(lines).split()) == " ".join(line.split())
    assert all(len(one) <= max(width, 30) for one in lines if "xxx" not in one)
    assert wrapped(line, None, 2) == [f"  {line}"]
    assert wrapped("", 44, 2) == [""]


def test_several_steps_share_what_can_be_done_about_the_run() -> None:
    one = workflow(step("a"), step("b"))
    facts = [*BEGUN, started("a"), started("b")]
    facts += [finished("a", "Failed", error=error()), finished("b", "Failed", error=error()), closed("Failed")]
    state = folded(*facts)
    cards = failure_cards(one, state, at(9))
    lines = list(failure_lines(cards, actions_for(one, state, RUN, is_over=True), RUN))
    assert lines.count("Error Details") == 2
    assert lines.index("The Whole Run") > lines.index("  [Retry From Here] wfexec retry wfr_x --from b")
    assert lines[-1] == "  [Retry Step] wfexec retry wfr_x"


def test_of_very_many_the_first_few_are_shown() -> None:
    ids = [f"s{number}" for number in range(MOST_STEPS + 5)]
    one = workflow(*(step(step_id) for step_id in ids))
    facts = [*BEGUN, *(started(step_id) for step_id in ids)]
    facts += [finished(step_id, "Failed", error=error()) for step_id in ids]
    state = folded(*facts, closed("Failed"))
    actions = actions_for(one, state, RUN, is_over=True)
    lines = list(failure_lines(failure_cards(one, state, at(9)), actions, RUN))
    assert lines.count("Error Details") == MOST_STEPS
    assert "5 more steps failed, see the list above" in lines
    assert len({action.step for action in actions}) == MOST_STEPS + 1


def test_the_page_in_prefect_has_the_card() -> None:
    page = progress_markdown(WORKFLOW, folded(*failed_apply(error=error("x", "bad\n```\n# Title"))))
    assert "\nError Details\nStep: Apply (apply)\n" in page
    assert "  bad\n  ` ` `\n  # Title\n" in page
    assert "wfexec retry wfr_x\n" in page
    assert page.count("```") == 2
    assert "Error Details" not in progress_markdown(WORKFLOW, folded(*APPLIED))
