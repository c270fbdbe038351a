"""What runs again when a run that failed is retried."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_wfexec.definition.expansion import expand
from prefect_wfexec.definition.model import Step
from prefect_wfexec.engine.outline import Outline
from prefect_wfexec.engine.reset import CannotReset, ResetKind, Wanted, reset_set
from prefect_wfexec.journal.facts import Fact, Kind
from tests.unit.engine.support import step, workflow
from tests.unit.journal.support import (
    closed,
    decided,
    entered,
    fact,
    finished,
    folded,
    gate_closed,
    gate_opened,
    opened,
    skipped,
    started,
    unhurried,
)

PLAN = {"plan": "${{ steps.plan.outputs.plan }}"}
DEPLOY = (
    step("before"),
    step("plan", "before", uses="terraform.plan"),
    step("look", "plan", env={"TEXT": "${{ steps.plan.outputs.text }}"}),
    step("other", "look"),
    step("gate", "other", uses="approval", with_={"subject": "${{ steps.plan.outputs.plan }}"}),
    step("apply", "gate", uses="terraform.apply", with_=PLAN),
    step("check", "apply"),
    step("tell", "check", when="always"),
    step("mend", "check", when="failure"),
    step("undo", "check", when="cancelled"),
)


def done(name: str, status: str = "Success", **data: object) -> list[Fact]:
    return [started(name), finished(name, status=status, **data)]


def reset(
    steps: tuple[Step, ...], *facts: Fact, kind: ResetKind = "retry", only: str | None = None, **inputs: str
) -> list[str]:
    """What runs again; empty when it is refused."""
    state = folded(opened(), entered(), *facts, closed("Failed"))
    try:
        return list(reset_set(Outline(workflow(*steps)), state, Wanted(kind, only, inputs)))
    except CannotReset:
        return []


def refusal(steps: tuple[Step, ...], *facts: Fact, kind: ResetKind = "retry", only: str | None = None) -> str:
    state = folded(opened(), entered(), *facts, closed("Failed"))
    with pytest.raises(CannotReset) as caught:
        reset_set(Outline(workflow(*steps)), state, Wanted(kind, only))
    return str(caught.value.code)


def through_gate() -> list[Fact]:
    return [fact for name in ("before", "plan", "look", "other", "gate") for fact in done(name)]


def test_a_step_below_an_apply_that_went_well_runs_alone_with_what_follows_a_failure() -> None:
    facts = [*through_gate(), *done("apply"), *done("check", "Failed"), *done("tell"), *done("mend")]
    assert reset(DEPLOY, *facts) == ["check", "tell", "mend", "undo"]


def test_an_apply_that_used_its_plan_plans_and_asks_again() -> None:
    used = fact(Kind.STEP_CLAIMED, step="apply", claim="sha", engine="e1")
    facts = [*through_gate(), started("apply"), used, finished("apply", status="Failed")]
    facts += [skipped("check", "upstream"), *done("tell"), *done("mend")]
    assert reset(DEPLOY, *facts) == ["plan", "look", "gate", "apply", "check", "tell", "mend", "undo"]


def test_an_apply_that_never_used_its_plan_applies_that_plan() -> None:
    facts = [*through_gate(), *done("apply", "Failed"), skipped("check", "upstream"), *done("tell"), *done("mend")]
    assert reset(DEPLOY, *facts) == ["apply", "check", "tell", "mend", "undo"]


def test_a_rejected_gate_is_asked_again_and_a_condition_that_did_not_hold_stands() -> None:
    steps = (step("a"), step("gate", "a", uses="approval"), step("b", "gate"), step("c", "a"))
    facts = [*done("a"), *done("gate", "Failed"), skipped("b", "upstream"), skipped("c", "condition")]
    assert reset(steps, *facts) == ["gate", "b"]


def test_a_forgiven_failure_is_left_alone_and_so_is_a_run_without_any() -> None:
    steps = (step("a", on_failure="continue"), step("b", "a"))
    assert reset(steps, *done("a", "Failed"), *done("b")) == []
    assert reset(steps, *done("a"), *done("b")) == []


@unhurried
@given(st.lists(st.sampled_from(["Success", "Failed", "Cancelled", "Skipped"]), min_size=3, max_size=8), st.data())
def test_what_succeeded_and_has_nothing_failed_above_never_runs_again(statuses: list[str], data: st.DataObject) -> None:
    names = [f"s{place}" for place in range(len(statuses))]
    steps = tuple(
        step(name, *data.draw(st.lists(st.sampled_from(names[:place]), unique=True)) if place else ())
        for place, name in enumerate(names)
    )
    facts = [
        found
        for name, status in zip(names, statuses, strict=True)
        for found in ([skipped(name, "condition")] if status == "Skipped" else done(name, status))
    ]
    again = reset(steps, *facts)
    assert [name for name, status in zip(names, statuses, strict=True) if status in {"Failed", "Cancelled"}] == again


FAILED_AT_APPLY = [
    *through_gate(),
    started("apply"),
    fact(Kind.STEP_CLAIMED, step="apply", claim="sha", engine="e1"),
    finished("apply", status="Failed"),
    skipped("check", "upstream"),
    *done("tell"),
]


def test_one_of_several_failures_is_retried_alone() -> None:
    steps = (step("a"), step("b"), step("c", "a"), step("d", "b"))
    facts = [*done("a", "Failed"), *done("b", "Failed"), skipped("c", "upstream"), skipped("d", "upstream")]
    assert reset(steps, *facts) == ["a", "b", "c", "d"]
    assert reset(steps, *facts, only="b") == ["b", "d"]
    assert refusal(steps, *facts, only="c") == "not-failed"
    assert refusal(steps, *facts, only="x") == "unknown-step"


def test_from_a_step_on_everything_behind_it_runs_again_whatever_became_of_it() -> None:
    facts = [*through_gate(), *done("apply"), *done("check"), *done("tell"), skipped("mend", "when")]
    assert reset(DEPLOY, *facts, kind="retry_from", only="apply") == ["apply", "check", "tell", "mend", "undo"]
    assert refusal(DEPLOY, *facts) == "nothing-failed"


def test_from_an_apply_that_used_its_plan_it_is_planned_and_asked_again() -> None:
    again = reset(DEPLOY, *FAILED_AT_APPLY, kind="retry_from", only="apply")
    assert again == ["plan", "look", "gate", "apply", "check", "tell", "mend", "undo"]


def test_from_a_step_above_all_of_it_runs_again_once() -> None:
    assert reset(DEPLOY, *FAILED_AT_APPLY, kind="retry_from", only="before") == [one.id for one in DEPLOY]


@pytest.mark.parametrize("fault", ["stale_plan", "blob_gone", "plan_mismatch"])
def test_a_plan_that_is_of_no_use_is_made_again(fault: str) -> None:
    error = {"type": fault, "message": "", "exit_code": None, "tail": ""}
    facts = [*through_gate(), started("apply"), finished("apply", status="Failed", error=error)]
    assert reset(DEPLOY, *facts)[:4] == ["plan", "look", "gate", "apply"]


def test_a_skipped_step_lets_run_what_it_held_up() -> None:
    steps = (step("a"), step("b", "a", allow_skip=True), step("c", "b"), step("d", "c", when="always"))
    facts = [*done("a"), *done("b", "Failed"), skipped("c", "upstream"), *done("d")]
    assert reset(steps, *facts, kind="skip", only="b") == ["b", "c", "d"]


@pytest.mark.parametrize(
    ("skipping", "behind"),
    [
        ({"uses": "approval", "allow_skip": True}, {}),
        ({}, {}),
        ({"allow_skip": True}, {"env": {"X": "${{ steps.a.outputs.stdout }}"}}),
    ],
)
def test_what_may_not_be_skipped_is_refused(skipping: dict[str, object], behind: dict[str, object]) -> None:
    steps = (step("a", **skipping), step("b", "a", **behind))
    assert refusal(steps, *done("a", "Failed"), skipped("b", "upstream"), kind="skip", only="a") == "no-skip"


def test_what_is_not_behind_a_failure_has_a_default_for_a_skip() -> None:
    steps = (step("a", allow_skip=True, outputs={"stdout": ""}), step("b", "a", if_="steps.a.outputs.stdout == ''"))
    assert reset(steps, *done("a", "Failed"), skipped("b", "upstream"), kind="skip", only="a") == ["a", "b"]


def test_other_inputs_reach_from_where_they_are_used_to_what_runs_again() -> None:
    steps = (
        step("aside", env={"X": "${{ inputs.size }}"}),
        step("make", env={"X": "${{ inputs.size }}"}),
        step("turn", "make"),
        step("use", "turn"),
        step("end", "use"),
    )
    facts = [fact for name in ("aside", "make", "turn") for fact in done(name)]
    facts += [*done("use", "Failed"), skipped("end", "upstream")]
    assert reset(steps, *facts) == ["use", "end"]
    assert reset(steps, *facts, size="2") == ["make", "turn", "use", "end"]
    assert reset(steps, *facts, other="2") == ["use", "end"]


def test_the_inputs_of_a_run_that_named_people_decide_on_do_not_change() -> None:
    steps = (step("gate", uses="approval"), step("work", "gate", env={"X": "${{ inputs.size }}"}))
    gate = gate_opened("gate", 5, is_governed=True, approvers=["ann"])
    facts = [started("gate"), gate, decided("gate"), *closed_gate("gate"), *done("work", "Failed")]
    state = folded(opened(), entered(), *facts, closed("Failed"))
    assert list(reset_set(Outline(workflow(*steps)), state, Wanted())) == ["work"]
    with pytest.raises(CannotReset) as caught:
        reset_set(Outline(workflow(*steps)), state, Wanted(inputs={"size": "2"}))
    assert caught.value.code == "inputs-decided"


def closed_gate(name: str) -> list[Fact]:
    closing = fact(Kind.APPROVAL_CLOSED, step=name, generation=1, outcome="approved")
    return [closing, finished(name)]


SEVERAL = expand(
    workflow(
        step("image", phase="build", matrix={"region": "${{ inputs.regions }}"}, allow_skip=True),
        step("deploy", "image", phase="deploy", environments=("staging", "production"), allow_skip=True),
        step("smoke", "deploy", phase="post_deploy", env={"U": "${{ steps.deploy.outputs.production.url }}"}),
    ),
    {"regions": ["eu", "us"]},
)
BUILT = [fact for name in ("validation", "image[eu]") for fact in done(name)]


def reset_several(*facts: Fact, kind: ResetKind = "retry", only: str | None = None, **inputs: str) -> list[str] | str:
    """What runs again, or why it is refused."""
    state = folded(opened(), entered(), *facts, closed("Failed"))
    try:
        return list(reset_set(Outline(SEVERAL), state, Wanted(kind, only, inputs)))
    except CannotReset as refused:
        return refused.code


def test_of_several_instances_those_run_again_that_failed_and_validation_always_does() -> None:
    failed = [*BUILT, *done("image[us]", "Failed"), skipped("deploy[staging]", "upstream")]
    assert reset_several(*failed)[:3] == ["validation", "image[us]", "deploy[staging]"]
    assert reset_several(*failed, only="image")[:2] == ["validation", "image[us]"]
    assert reset_several(*failed, only="image[us]")[:2] == ["validation", "image[us]"]
    assert reset_several(*failed, only="image[eu]") == "not-failed"
    assert reset_several(*failed, only="nowhere") == "unknown-step"


def test_from_a_step_with_instances_all_of_them_and_from_one_it_alone() -> None:
    every = [*BUILT, *done("image[us]"), *done("deploy[staging]"), *done("deploy[production]", "Failed")]
    behind = ["deploy[staging]", "deploy[production]", "smoke"]
    assert reset_several(*every, kind="retry_from", only="image") == ["validation", "image[eu]", "image[us]", *behind]
    assert reset_several(*every, kind="retry_from", only="image[us]") == ["validation", "image[us]", *behind]
    assert reset_several(*every, kind="retry_from", only="deploy[production]") == [
        "validation",
        "deploy[production]",
        "smoke",
    ]


def test_one_instance_is_skipped_at_a_time_when_nobody_needs_what_it_gives() -> None:
    failed = [*BUILT, *done("image[us]", "Failed")]
    assert reset_several(*failed, kind="skip", only="image") == "no-skip"
    assert reset_several(*failed, kind="skip", only="image[us]")[:2] == ["validation", "image[us]"]
    later = [*BUILT, *done("image[us]"), *done("deploy[staging]"), *done("deploy[production]", "Failed")]
    assert reset_several(*later, kind="skip", only="deploy[production]") == "no-skip"


def test_what_a_matrix_is_made_of_does_not_change() -> None:
    failed = [*BUILT, *done("image[us]", "Failed")]
    assert reset_several(*failed, regions="eu") == "matrix-changed"


def lost(
    steps: tuple[Step, ...], *facts: Fact, kind: ResetKind = "retry", only: str | None = None, **inputs: str
) -> dict[str, str]:
    """What runs again in a run that was not closed: its process is gone."""
    return reset_set(Outline(workflow(*steps)), folded(opened(), entered(), *facts), Wanted(kind, only, inputs))


AT_THE_GATE = [
    *done("before"),
    *done("plan"),
    *done("look"),
    *done("other"),
    started("gate"),
    gate_opened("gate"),
]


def test_a_run_that_lost_its_process_goes_on_where_nothing_had_failed() -> None:
    assert lost(DEPLOY, *done("before")) == {}
    assert lost(DEPLOY, *AT_THE_GATE) == {}


def test_with_other_inputs_it_does_again_what_is_made_of_them_and_asks_anew() -> None:
    steps = tuple(
        step("plan", "before", uses="terraform.plan", with_={"vars": {"size": "${{ inputs.size }}"}})
        if one.id == "plan"
        else one
        for one in DEPLOY
    )
    again = list(lost(steps, *AT_THE_GATE, size="5"))
    assert again == ["plan", "look", "other", "gate", "apply", "check", "tell", "mend", "undo"]


TWO_APPLIES = (
    step("plan", uses="terraform.plan"),
    step("first", "plan", uses="terraform.apply", with_=PLAN),
    step("gate", "plan", uses="approval", with_={"subject": "${{ steps.plan.outputs.plan }}"}),
    step("second", "gate", uses="terraform.apply", with_=PLAN),
)
FIRST_FAILED = [*done("plan"), started("first"), fact(Kind.STEP_CLAIMED, step="first", claim="p", engine="e1")]


@pytest.mark.parametrize("is_decided", [False, True])
def test_what_a_gate_beside_it_was_asked_about_another_plan_lets_nothing_through(is_decided: bool) -> None:
    facts = [*FIRST_FAILED, finished("first", status="Failed"), started("gate"), gate_opened("gate")]
    facts += [decided("gate"), gate_closed("gate"), finished("gate")] if is_decided else []
    assert lost(TWO_APPLIES, *facts)["gate"] == "it asks about 'plan'"


def test_a_gate_that_nothing_waits_behind_is_not_asked_again() -> None:
    gate = [started("gate"), gate_opened("gate"), decided("gate"), gate_closed("gate"), finished("gate")]
    facts = [*FIRST_FAILED, finished("first", status="Failed"), *gate, *done("second")]
    assert "gate" not in lost(TWO_APPLIES, *facts)
