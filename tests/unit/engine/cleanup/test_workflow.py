"""The workflow that takes away what a run has made."""

from hypothesis import given
from hypothesis import strategies as st

from prefect_wfexec.definition.expansion import expand
from prefect_wfexec.definition.model import Cleanup, CleanupRules
from prefect_wfexec.definition.withs import validate_with
from prefect_wfexec.engine.cleanup.policy import CleanupPolicyRules, plan_of
from prefect_wfexec.engine.cleanup.workflow import GATE, CleanupPlan, cleanup_workflow, steps_to_clean
from prefect_wfexec.engine.outline import Outline
from prefect_wfexec.journal.facts import Fact, Kind
from prefect_wfexec.journal.fold import fold
from prefect_wfexec.steps.registry import find_step_type
from tests.unit.engine.support import step, workflow
from tests.unit.journal.support import (
    entered,
    entries,
    entry,
    fact,
    finished,
    folded,
    gate_opened,
    opened,
    requested,
    skipped,
    started,
    unhurried,
)

DESTROY = Cleanup("terraform.destroy")
PLANNED = {"dir": "infra", "vars": {"size": "${{ inputs.size }}"}, "lock_timeout": "5m", "targets": ["a"]}
MAKES = workflow(
    step("plan", uses="terraform.plan", with_=PLANNED, env={"TF_VAR_token": "${{ secrets.token }}"}),
    step("apply", "plan", uses="terraform.apply", with_={"plan": "${{ steps.plan.outputs.plan }}"}, cleanup=DESTROY),
    step("dns", "apply", uses="terraform.apply", with_={}, cleanup=Cleanup("terraform.destroy", {"dir": "dns"}, True)),
    step("never", "dns", uses="terraform.apply", with_={}, cleanup=DESTROY),
    outputs={"x": "${{ steps.plan.outputs.plan }}"},
)
BEGUN = (
    opened(),
    entered(),
    started("plan", seconds=1),
    finished("plan", seconds=2),
    started("apply", seconds=3),
    finished("apply", "Failed", seconds=4),
    started("dns", seconds=5),
    skipped("never", "upstream"),
)


def test_what_began_is_taken_away_the_newest_first_whatever_became_of_it() -> None:
    assert steps_to_clean(MAKES, folded(*BEGUN)) == ("dns", "apply")
    assert steps_to_clean(MAKES, folded(*BEGUN[:3])) == ()


def test_what_undoes_an_apply_is_given_what_its_plan_was_given() -> None:
    made = cleanup_workflow(MAKES, CleanupPlan(("apply",), attempts=4, delay_seconds=2.0))
    (one,) = made.steps
    assert (one.id, one.uses, one.with_) == (
        "apply",
        "terraform.destroy",
        {key: PLANNED[key] for key in ("dir", "vars")},
    )
    assert one.env == {"TF_VAR_token": "${{ secrets.token }}"}
    assert (one.retry.attempts, one.retry.delay_seconds, one.retry.takes_any) == (4, 2.0, True)
    assert (made.outputs, made.is_cleanup, one.cleanup) == ({}, True, None)


def test_each_instance_is_undone_by_what_its_own_plan_was_given() -> None:
    regions = {"region": ["eu", "us"]}
    with_plan = {"plan": "${{ steps.plan.outputs[matrix.region].plan }}"}
    several = expand(
        workflow(
            step("plan", uses="terraform.plan", with_={"dir": "infra"}, matrix=regions),
            step("apply", "plan", uses="terraform.apply", with_=with_plan, matrix=regions, cleanup=DESTROY),
        ),
        {},
    )
    began = [opened(), entered(), started("apply[eu]", seconds=1), started("apply[us]", seconds=2)]
    assert steps_to_clean(several, folded(*began)) == ("apply[us]", "apply[eu]")
    made = cleanup_workflow(several, CleanupPlan(("apply[us]", "apply[eu]")))
    assert [(one.id, one.with_, one.instance.matrix if one.instance else None) for one in made.steps] == [
        ("apply[us]", {"dir": "infra"}, {"region": "us"}),
        ("apply[eu]", {"dir": "infra"}, {"region": "eu"}),
    ]
    assert made.instances == {}


def test_what_is_protected_is_not_taken_away_unasked() -> None:
    deploys = expand(workflow(step("deploy", environments=("live",), cleanup=DESTROY)), {})
    target = {"environment": {"name": "live"}, "is_protected": True, "is_manual": False}
    state = folded(opened(), entered(), fact(Kind.VALIDATED, engine="e1", targets={"live": target}))
    assert plan_of(deploys, ("deploy[live]",), CleanupPolicyRules(), state).needs_approval


def test_one_that_fails_holds_up_no_other_and_without_the_approval_none_runs() -> None:
    made = cleanup_workflow(MAKES, CleanupPlan(("dns", "apply"), needs_approval=True))
    gate, dns, apply = made.steps
    assert (gate.id, gate.uses) == (GATE, "approval")
    assert "**dns**, **apply**" in gate.with_["message"]
    assert (dns.with_, dns.needs, apply.needs) == ({"dir": "dns"}, (GATE,), ("dns",))
    assert {dns.when, apply.when} == {"always"}
    assert dns.if_ == apply.if_ == f"steps.{GATE}.status == 'Success'"


def plan(*steps: str, rules: CleanupPolicyRules | None = None, facts: tuple[Fact, ...] = ()) -> CleanupPlan:
    state = folded(*BEGUN, *facts, requested("cancel", cleanup=True))
    return plan_of(MAKES, steps, rules or CleanupPolicyRules(), state)


def test_whoever_asks_for_an_approval_gets_one() -> None:
    assert not plan("apply").needs_approval
    protected = fact(Kind.VALIDATED, engine="e1", is_protected=True)
    assert plan("apply", facts=(protected,)).needs_approval
    assert plan("dns", "apply").needs_approval
    assert plan("apply", rules=CleanupPolicyRules(needs_approval=True)).needs_approval
    assert MAKES.cleanup == CleanupRules()


NOTIFY = [{"mail": ["ann@example.com"]}]
DECIDED = gate_opened("dns", 6, approvers=["ann@example.com", "bob"], quorum=2, is_governed=True, notify=NOTIFY)


def test_what_named_people_approved_goes_by_them_when_anybody_may_have_cancelled() -> None:
    asked = [requested("cancel", cleanup=True)]
    before = entries([[*BEGUN, DECIDED]])
    for is_keyed in (True, False):
        state = fold([*before, entry(asked, 9, keyed=is_keyed)])
        found = plan_of(MAKES, ("apply",), CleanupPolicyRules(), state)
        assert found.needs_approval is not is_keyed
    gate = cleanup_workflow(MAKES, found).steps[0]
    assert (gate.with_["approvers"], gate.with_["quorum"]) == (["ann@example.com", "bob"], 2)
    validate_with(find_step_type("approval").spec, dict(gate.with_))


def test_what_a_dead_engine_was_taking_away_is_simply_begun_again() -> None:
    assert Outline(cleanup_workflow(MAKES, CleanupPlan(("apply",)))).repeatable == {"apply"}
    assert Outline(MAKES).repeatable == frozenset()


@unhurried
@given(
    st.builds(
        CleanupPlan,
        st.lists(st.sampled_from(["apply", "dns"]), unique=True).map(tuple),
        st.booleans(),
        st.integers(1, 20),
        st.floats(0, 1e6),
    )
)
def test_a_plan_is_read_back_as_it_was_and_makes_the_same_workflow(plan: CleanupPlan) -> None:
    assert CleanupPlan.from_json(plan.as_json()) == plan
    assert cleanup_workflow(MAKES, CleanupPlan.from_json(plan.as_json())) == cleanup_workflow(MAKES, plan)


def test_a_plan_that_does_not_say_asks() -> None:
    assert CleanupPlan.from_json({"steps": ["apply"]}).needs_approval


def test_what_undoes_a_deploy_is_given_what_the_deploy_was_given() -> None:
    with_ = {"manifests": "k8s", "image": "x:1", "namespace": "shop", "block": "cluster"}
    deploys = workflow(
        step("deploy", uses="deploy.kubernetes", with_=with_, cleanup=Cleanup("deploy.kubernetes_undo")),
    )
    (one,) = cleanup_workflow(deploys, CleanupPlan(("deploy",))).steps
    assert (one.id, one.with_) == ("deploy", {"manifests": "k8s", "namespace": "shop", "block": "cluster"})
    validate_with(find_step_type(one.uses).spec, one.with_)
