"""What runs again when a run that failed is retried."""

from hypothesis import given
from hypothesis import strategies as st

from prefect_wfexec.definition.model import Step
from prefect_wfexec.engine.outline import Outline
from prefect_wfexec.engine.reset import reset_for_retry
from prefect_wfexec.journal.facts import Fact, Kind
from tests.unit.engine.support import step, workflow
from tests.unit.journal.support import closed, entered, fact, finished, folded, opened, skipped, started, unhurried

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


def reset(steps: tuple[Step, ...], *facts: Fact) -> list[str]:
    state = folded(opened(), entered(), *facts, closed("Failed"))
    return list(reset_for_retry(Outline(workflow(*steps)), state))


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
