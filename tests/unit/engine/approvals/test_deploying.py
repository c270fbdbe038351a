"""The gate before a deployment to a manual environment."""

from collections.abc import Mapping, Sequence
from typing import Any

from prefect_wfexec.definition.expansion import expand
from prefect_wfexec.definition.model import Workflow
from prefect_wfexec.engine.approvals import gates
from prefect_wfexec.engine.approvals.codes import CodeBook
from prefect_wfexec.engine.decide import Decider
from prefect_wfexec.engine.outline import Outline
from prefect_wfexec.engine.progress import run_status
from prefect_wfexec.engine.scope import Scopes
from prefect_wfexec.journal.facts import Actor, Fact, Kind
from prefect_wfexec.journal.fold import fold_facts
from prefect_wfexec.journal.state import ExecutionState
from prefect_wfexec.status import RunStatus, StepStatus
from tests.unit.engine.support import RUN_INFO, step, workflow
from tests.unit.journal.support import at, closed, entered, fact, finished, folded, opened, requested, started

CODES = CodeBook(b"a key", "a run")
DEPLOY = step(
    "deploy",
    "build",
    environments=("staging", "production"),
    env={"IMAGE": "${{ steps.build.outputs.ref }}", "TOKEN": "${{ secrets.token }}"},
    with_={"namespace": "${{ environment.name }}", "url": "x/${{ env.TOKEN }}"},
    run="./deploy.sh",
)
ONE = expand(workflow(step("build"), DEPLOY, step("smoke", "deploy")), {})
BUILT = (started("build"), finished("build", outputs={"ref": "app:1"}))
STAGED = (started("deploy[staging]"), finished("deploy[staging]"))


def target(name: str, **more: Any) -> dict[str, Any]:
    return {"environment": {"name": name, "variables": {}}, "is_protected": False, "is_manual": False, **more}


def validated(**production: Any) -> Fact:
    targets = {"staging": target("staging"), "production": target("production", is_manual=True, **production)}
    return fact(Kind.VALIDATED, engine="e1", targets=targets)


BEGUN = (opened(), entered(), validated(), *BUILT)


def next_of(state: ExecutionState, one: Workflow = ONE, mask: Any = None) -> Sequence[Fact]:
    outline = Outline(one)
    more = {} if mask is None else {"mask": mask}
    return Decider(outline, Scopes(one, outline, RUN_INFO), "e1", **more).next_facts(state, at(10))


def after(state: ExecutionState, facts: Sequence[Fact]) -> ExecutionState:
    return fold_facts(facts, state, 0)


def waiting(*more: Fact) -> ExecutionState:
    state = folded(*BEGUN, *STAGED, *more)
    return after(state, next_of(state))


def decided(state: ExecutionState, decision: str, by: str = "ann") -> ExecutionState:
    asked = after(state, [requested("decision", by=by, step="deploy[production]", decision=decision)])
    return after(asked, gates.gate_facts(asked, at(10), CODES))


def told(facts: Sequence[Fact]) -> list[tuple[str, str]]:
    return [(one.kind.value, str(one.data["step"])) for one in facts]


def test_an_automatic_environment_goes_on_and_a_manual_one_asks_before_it_starts() -> None:
    assert told(next_of(folded(*BEGUN))) == [("step_started", "deploy[staging]")]
    [opening] = next_of(folded(*BEGUN, *STAGED))
    assert (opening.kind, opening.data["step"]) == (Kind.APPROVAL_OPENED, "deploy[production]")
    state = waiting()
    assert state.step("deploy[production]").status is StepStatus.WAITING
    assert state.step("deploy[production]").attempt == 0
    assert next_of(state) == []
    assert run_status(state) is RunStatus.DEPLOYMENT_PENDING


def test_with_approvers_it_is_an_approval() -> None:
    state = folded(opened(), entered(), validated(policy={"approvers": ["jane"]}), *BUILT, *STAGED)
    state = after(state, next_of(state))
    assert run_status(state) is RunStatus.APPROVAL_PENDING
    [gate] = state.open_gates
    assert (gate.approvers, gate.is_governed, gate.environment) == (("jane",), True, "production")
    refused = decided(state, "approve", by="jane")
    assert refused.open_gates, "a name that nobody proved opens nothing"


def test_what_is_asked_is_all_that_the_step_is_given_and_no_secret() -> None:
    [gate] = waiting().open_gates
    assert gate.subject == {
        "deploy": "deploy",
        "environment": "production",
        "uses": "shell",
        "with": {"namespace": "production", "url": "x/${{ env.TOKEN }}"},
        "env": {"IMAGE": "app:1", "TOKEN": "${{ secrets.token }}"},
        "run": "./deploy.sh",
    }


def test_what_is_shown_is_masked_and_what_is_digested_is_not() -> None:
    state = folded(*BEGUN, *STAGED)
    [hidden] = next_of(state, mask=lambda _value: "***")
    [clear] = next_of(state)
    assert hidden.data["subject"] == "***"
    assert hidden.data["subject_digest"] == clear.data["subject_digest"]


def test_an_approval_starts_it_and_a_rejection_ends_it() -> None:
    approved = decided(waiting(), "approve")
    assert approved.step("deploy[production]").status is StepStatus.PENDING
    assert told(next_of(approved)) == [("step_started", "deploy[production]")]

    rejected = decided(waiting(), "reject")
    rejected = after(rejected, next_of(rejected))
    current = rejected.step("deploy[production]")
    assert current.status is StepStatus.FAILED
    assert current.fault is not None
    assert (current.fault.type, current.fault.message) == ("rejected", "rejected by ann")
    assert rejected.step("smoke").reason == "'deploy[production]' failed"


def test_each_fact_of_a_decision_may_be_the_last_of_its_entry() -> None:
    asked = after(waiting(), [requested("decision", by="ann", step="deploy[production]", decision="reject")])
    for fact_ in gates.gate_facts(asked, at(10), CODES):
        asked = after(asked, [fact_])
        again = gates.gate_facts(asked, at(10), CODES)
        state = after(asked, again)
        state = after(state, next_of(state))
        assert state.step("deploy[production]").status is StepStatus.FAILED


def test_a_cancelled_run_closes_the_gate_and_deploys_nothing() -> None:
    cancelled = after(waiting(), [requested("cancel", by="joe")])
    closed_gates = after(cancelled, gates.gate_facts(cancelled, at(10), CODES))
    ended = after(closed_gates, next_of(closed_gates))
    assert ended.step("deploy[production]").status is StepStatus.CANCELLED
    assert ended.step("deploy[production]").attempt == 0
    assert [gate.outcome for gate in ended.gates] == ["cancelled"]


def reset(*steps: str, **more: object) -> Fact:
    return fact(Kind.RESET, request="r1", what="retry", reset=list(steps), **more)


def failed_after_approval() -> ExecutionState:
    state = decided(waiting(), "approve")
    state = after(state, next_of(state))
    ended = [finished("deploy[production]", "Failed", error={"type": "exit_code"}), closed("Failed")]
    return after(state, ended)


def retried(state: ExecutionState, validation: Fact) -> ExecutionState:
    return after(state, [reset("deploy[production]"), validation])


def test_a_retry_of_the_same_deployment_is_covered() -> None:
    again = retried(failed_after_approval(), validated())
    assert told(next_of(again)) == [("step_started", "deploy[production]")]


def test_a_retry_of_another_deployment_is_asked_anew() -> None:
    build = [reset("build", "deploy[production]"), validated(), started("build", attempt=2)]
    again = after(failed_after_approval(), [*build, finished("build", attempt=2, outputs={"ref": "app:2"})])
    assert told(next_of(again)) == [("approval_opened", "deploy[production]")]


def test_an_approval_is_worth_what_the_rules_of_now_say() -> None:
    again = retried(failed_after_approval(), validated(policy={"approvers": ["jane"]}))
    assert told(next_of(again)) == [("approval_opened", "deploy[production]")]


def test_a_rejected_deployment_can_be_asked_about_again() -> None:
    state = decided(waiting(), "reject")
    state = after(state, [*next_of(state), closed("Approval Rejected")])
    again = after(state, [reset("deploy[production]", "smoke"), validated()])
    assert told(next_of(again)) == [("approval_opened", "deploy[production]")]


def test_an_attempt_that_is_tried_again_by_itself_is_not_asked_again() -> None:
    state = decided(waiting(), "approve")
    state = after(state, next_of(state))
    retry = finished("deploy[production]", "Failed", error={"type": "exit_code"}, retry_at=at(5).isoformat())
    assert told(next_of(after(state, [retry]))) == [("step_started", "deploy[production]")]


def test_an_environment_nobody_read_is_not_deployed_to() -> None:
    state = folded(opened(), entered(), *BUILT)
    ended = after(state, next_of(state))
    current = ended.step("deploy[staging]")
    assert current.fault is not None and current.fault.type == "environment"


def protected(**more: Any) -> ExecutionState:
    targets: Mapping[str, Any] = {"staging": target("staging", is_protected=True, **more)}
    return folded(opened(), entered(), fact(Kind.VALIDATED, engine="e1", targets=targets), *BUILT)


def test_a_protected_environment_is_deployed_to_after_its_own_gate_or_one_above() -> None:
    automatic = protected()
    failed = after(automatic, next_of(automatic)).step("deploy[staging]")
    assert failed.fault is not None and failed.fault.type == "not_approved"
    manual = protected(is_manual=True, policy={"approvers": ["ann"]})
    assert told(next_of(manual)) == [("approval_opened", "deploy[staging]")]
    approved = fact(Kind.DECIDED, step="deploy[staging]", generation=1, decision="approve", actor=Actor("ann", "code"))
    asked = after(after(manual, next_of(manual)), [approved])
    done = after(asked, gates.gate_facts(asked, at(10), CODES))
    assert told(next_of(done)) == [("step_started", "deploy[staging]")]


def test_a_forgiven_failure_stops_the_later_environments_and_not_what_follows() -> None:
    soft = expand(
        workflow(
            step("deploy", environments=("staging", "production"), on_failure="continue"), step("smoke", "deploy")
        ),
        {},
    )
    failed = [started("deploy[staging]"), finished("deploy[staging]", "Failed", error={"type": "exit_code"})]
    state = folded(opened(), entered(), validated(), *failed)
    assert told(next_of(state, soft)) == [("step_skipped", "deploy[production]"), ("step_started", "smoke")]
    lost = finished("deploy[staging]", "Failed", error={"type": "outcome_unknown"})
    state = folded(opened(), entered(), validated(), failed[0], lost)
    assert told(next_of(state, soft)) == [("step_skipped", "deploy[production]"), ("step_skipped", "smoke")]
