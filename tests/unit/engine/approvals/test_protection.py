"""Protected environments: what a definition must have, and what a run may do."""

from typing import Any

import pytest

from prefect_wfexec.definition.model import Step
from prefect_wfexec.engine.approvals.gates import subject_digest
from prefect_wfexec.engine.approvals.protection import is_approved, unguarded
from prefect_wfexec.engine.outline import Outline
from prefect_wfexec.engine.scope import Scopes
from prefect_wfexec.journal.facts import Fact
from prefect_wfexec.steps.terraform.models import PlanReference
from tests.unit.engine.support import RUN_INFO, step, workflow
from tests.unit.journal.support import entered, finished, folded, gate_closed, gate_opened, opened, started

PLAN = step("plan", uses="terraform.plan", with_={"dir": "infra"})
THE_PLAN = "${{ steps.plan.outputs.plan }}"
APPLY = step("apply", "plan", "ask", uses="terraform.apply", with_={"plan": THE_PLAN})


def ask(subject: Any = THE_PLAN, **more: Any) -> Step:
    return step("ask", "plan", uses="approval", with_={"subject": subject}, **more)


@pytest.mark.parametrize("subject", [THE_PLAN, [THE_PLAN, "more"], {"plan": THE_PLAN}])
def test_a_gate_on_the_plan_is_enough(subject: Any) -> None:
    assert unguarded(Outline(workflow(PLAN, ask(subject), APPLY))) is None


@pytest.mark.parametrize(
    "steps",
    [
        (PLAN, step("apply", "plan", uses="terraform.apply", with_={"plan": THE_PLAN})),
        (PLAN, ask("${{ steps.plan.outputs.summary }}"), APPLY),
        (PLAN, ask("${{ steps.plan.outputs.digest }}"), APPLY),
        (PLAN, ask(None), APPLY),
        (PLAN, ask(), step("apply", "plan", uses="terraform.apply", with_={"plan": THE_PLAN})),
        (step("destroy", uses="terraform.destroy", with_={"dir": "infra"}),),
    ],
)
def test_anything_else_is_not(steps: tuple[Step, ...]) -> None:
    problem = unguarded(Outline(workflow(*steps)))
    assert problem is not None
    assert "needs an approval" in problem[0]


def test_a_destroy_wants_any_gate_above_it() -> None:
    destroy = step("destroy", "ask", uses="terraform.destroy", with_={"dir": "infra"})
    assert unguarded(Outline(workflow(PLAN, ask(None), destroy))) is None


REFERENCE = dict.fromkeys(PlanReference.model_fields, "") | {"kind": "terraform.plan", "digest": "d" * 64}
OTHER = {**REFERENCE, "digest": "e" * 64}


def approved(*more: Fact, plan: Any = REFERENCE, asked: Any = REFERENCE, has_changes: bool = True) -> bool:
    outline = Outline(workflow(PLAN, ask(), APPLY))
    state = folded(
        opened(),
        entered(),
        started("plan"),
        finished("plan", outputs={"plan": plan, "has_changes": has_changes}),
        started("ask"),
        gate_opened("ask", subject_digest=subject_digest(asked)),
        *more,
    )
    return is_approved(outline, Scopes(outline.workflow, outline, RUN_INFO), state, APPLY)


def test_what_was_approved_may_be_applied_and_nothing_else() -> None:
    yes = (gate_closed("ask"), finished("ask"))
    assert approved(*yes)
    assert not approved(*yes, asked=OTHER)
    assert not approved()
    assert not approved(gate_closed("ask", "rejected"), finished("ask", "Failed"))
    assert not approved(finished("ask"))


def test_a_plan_that_changes_nothing_needs_nobody() -> None:
    assert approved(has_changes=False)


def test_a_plan_that_another_step_calls_empty_is_not() -> None:
    fake = step("fake", "plan", run="x")
    apply = step("apply", "fake", "ask", uses="terraform.apply", with_={"plan": "${{ steps.fake.outputs.plan }}"})
    outline = Outline(workflow(PLAN, fake, ask("${{ steps.fake.outputs.plan }}"), apply))
    state = folded(
        opened(),
        entered(),
        started("plan"),
        finished("plan", outputs={"plan": REFERENCE, "has_changes": True}),
        started("fake"),
        finished("fake", outputs={"plan": REFERENCE, "has_changes": False}),
    )
    assert not is_approved(outline, Scopes(outline.workflow, outline, RUN_INFO), state, apply)
