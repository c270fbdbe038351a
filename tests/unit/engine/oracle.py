"""What the language says of a run, written once more and as simply as can be, to compare the engine with."""

from prefect_wfexec.definition.model import Step, Workflow
from prefect_wfexec.journal.state import ExecutionState, StepState
from prefect_wfexec.status import RunStatus, StepStatus

BAD = {StepStatus.FAILED, StepStatus.CANCELLED}
NEVER_FORGIVEN = {"outcome_unknown", "internal", "rejected", "expired"}


def steps_above(workflow: Workflow, step_id: str) -> set[str]:
    above: set[str] = set()
    pending = [step_id]
    while pending:
        for need in workflow.step(pending.pop()).needs:
            if need not in above:
                above.add(need)
                pending.append(need)
    return above


def counts(workflow: Workflow, state: ExecutionState, step_id: str) -> bool:
    """Whether this step's end is a failure that the run does not go on after."""
    current = state.step(step_id)
    goes_on = current.status is StepStatus.FAILED and workflow.step(step_id).on_failure == "continue"
    return current.status in BAD and (not goes_on or _kind(current) in NEVER_FORGIVEN)


def check_start(workflow: Workflow, state: ExecutionState, step_id: str, attempt: int) -> None:
    """Whether a step may start now.

    Raises:
        AssertionError: it may not.
    """
    step, current = workflow.step(step_id), state.step(step_id)
    assert state.closed is None
    assert not current.status.is_final
    assert current.status is not StepStatus.RUNNING
    assert attempt == current.attempt + 1
    assert attempt - current.attempts_before <= step.retry.attempts
    above = steps_above(workflow, step_id)
    ordinary = {need for need in above if workflow.step(need).when != "cancelled"}
    assert all(state.step(need).status.is_final for need in (above if state.cancel else ordinary))
    if state.cancel is not None:
        assert step.when == "cancelled"
        assert all(state.step(one.id).status.is_final for one in workflow.steps if one.when != "cancelled")
        return
    assert step.when != "cancelled"
    assert not stops_whatever(workflow, state, step)
    if is_manual(state, step):
        decided = [gate for gate in state.gates if gate.step == step_id and gate.environment and gate.outcome]
        assert decided, "a manual environment is deployed to before anybody said so"
    if step.when == "success":
        assert not any(counts(workflow, state, need) for need in above)
    if step.when == "failure":
        assert any(state.step(need).status in BAD for need in above)


def expected_outcome(workflow: Workflow, state: ExecutionState) -> RunStatus:
    """How the run ends, from how its steps ended."""
    kinds = {step.id: _kind(state.step(step.id)) for step in workflow.steps}
    if state.cancel is not None:
        return RunStatus.TERMINATION_FAILED if "outcome_unknown" in kinds.values() else RunStatus.TERMINATED
    failed = [kinds[step.id] for step in workflow.steps if counts(workflow, state, step.id)]
    if not failed:
        return RunStatus.SUCCEEDED
    if {"outcome_unknown", "internal"} & set(failed):
        return RunStatus.ERROR
    return RunStatus.APPROVAL_REJECTED if set(failed) <= {"rejected", "expired"} else RunStatus.FAILED


def stops_whatever(workflow: Workflow, state: ExecutionState, step: Step) -> bool:
    """Whether a step never runs, whatever its `when`: validation failed, or the environment before its own did."""
    if step.uses != "validation" and any(
        one.uses == "validation" and state.step(one.id).status is not StepStatus.SUCCESS for one in workflow.steps
    ):
        return True
    if step.environment is None or step.instance is None:
        return False
    chain = workflow.instances[step.instance.of]
    earlier = chain[: chain.index(step.id)]
    ended_well = {StepStatus.SUCCESS, StepStatus.SKIPPED}
    return any(state.step(one).status not in ended_well or state.step(one).skip_cause == "upstream" for one in earlier)


def is_manual(state: ExecutionState, step: Step) -> bool:
    """Whether a step waits until somebody says that it goes on."""
    target = state.target(step.environment)
    return target is not None and target.is_manual


def _kind(step: StepState) -> str:
    return step.fault.type if step.fault else ""


def check_end(workflow: Workflow, state: ExecutionState) -> None:
    """Whether every step of a run that ended stands as it should, given how those above it ended.

    Raises:
        AssertionError: one does not.
    """
    assert state.closed is not None
    assert state.closed.status is expected_outcome(workflow, state)
    assert bool(state.closed.reason) is (state.closed.status is not RunStatus.SUCCEEDED)
    for step in workflow.steps:
        current = state.step(step.id)
        assert current.status.is_final
        if is_manual(state, step) and current.status is StepStatus.SUCCESS:
            assert any(gate.step == step.id and gate.outcome == "approved" for gate in state.gates)
        assert current.status is not StepStatus.SKIPPED or current.reason
        assert all(not gate.is_open for gate in state.gates)
        if state.cancel is None:
            _check_step(workflow, state, step, current)
        elif current.attempt == 0 and step.when != "cancelled":
            assert current.status in {StepStatus.CANCELLED, StepStatus.SKIPPED}


def _check_step(workflow: Workflow, state: ExecutionState, step: Step, current: StepState) -> None:
    above = steps_above(workflow, step.id)
    may_run = {
        "always": True,
        "cancelled": False,
        "failure": any(state.step(need).status in BAD for need in above),
        "success": not any(counts(workflow, state, need) for need in above),
    }[step.when]
    ran = current.attempt > 0
    if stops_whatever(workflow, state, step):
        assert not ran
        assert (current.status, current.skip_cause) == (StepStatus.SKIPPED, "upstream")
        return
    if not may_run:
        assert not ran
        assert current.status is StepStatus.SKIPPED
        assert current.skip_cause == ("upstream" if step.when == "success" else "when")
        return
    holds = _condition(state, step)
    assert ran is (holds is not False)
    if holds is False:
        assert (current.status, current.skip_cause) == (StepStatus.SKIPPED, "condition")
    if holds is None:
        assert (current.status, _kind(current)) == (StepStatus.FAILED, "expression")


def _condition(state: ExecutionState, step: Step) -> bool | None:
    """The truth of the few conditions the tests write; None: it can't be worked out."""
    if step.if_ is None:
        return True
    if step.if_ in {"true", "false"}:
        return step.if_ == "true"
    name, _, word = step.if_.removeprefix("steps.").partition(".status == ")
    return state.step(name).status.value == word.strip("'") if word else None
