"""What to do next: a pure function of the folded state. It says what starts and what is skipped, and does neither."""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from prefect_wfexec.definition.expressions import ExpressionError, evaluate_condition
from prefect_wfexec.definition.model import Step
from prefect_wfexec.engine.approvals.deploying import (
    Mask,
    is_approved_deployment,
    opening_of_deployment,
    refusal_of_deployment,
)
from prefect_wfexec.engine.approvals.protection import changes, is_approved
from prefect_wfexec.engine.approvals.rules import RulesError
from prefect_wfexec.engine.outcome import counts_as_failed
from prefect_wfexec.engine.outline import Outline
from prefect_wfexec.engine.scope import Scopes
from prefect_wfexec.errors import one_line
from prefect_wfexec.journal.facts import Fact, Kind
from prefect_wfexec.journal.fold import fold_facts
from prefect_wfexec.journal.state import ExecutionState, SkipCause, StepState
from prefect_wfexec.status import StepStatus

SATISFYING_SKIPS: frozenset[SkipCause] = frozenset({"condition", "when", "optional", "manual"})


def whole_steps(facts: Sequence[Fact], limit: int) -> list[Fact]:
    """The first facts, about `limit`: what starts a step or closes its gate is not parted from what comes of it."""
    count = min(limit, len(facts))
    while count < len(facts) and _belongs_to_the_one_before(facts, count):
        count += 1
    return list(facts[:count])


def _belongs_to_the_one_before(facts: Sequence[Fact], place: int) -> bool:
    this, before = facts[place], facts[place - 1]
    if this.kind in {Kind.RESET, Kind.REQUESTED}:
        return True
    is_end = this.kind in {Kind.STEP_FINISHED, Kind.STEP_SKIPPED}
    return is_end and this.data["step"] == before.data.get("step")


@dataclass
class Decider:
    """Decides for one engine of one run; `mask` hides what is secret in what a gate shows."""

    outline: Outline
    scopes: Scopes
    engine: str
    mask: Mask = lambda value: value

    def next_facts(self, state: ExecutionState, now: datetime, changed: Iterable[str] | None = None) -> list[Fact]:
        """The facts that follow from the state: steps to start and steps to skip.

        Args:
            state: The run as it is.
            now: The time, for retries that are due.
            changed: Steps that ended since the last call: only their dependants, and retries, are looked at. None:
                every step is.
        """
        if state.cancel is not None:
            return self._after_cancel(state, now)
        validation = self.outline.validation
        is_unseen = validation is not None and not state.step(validation.id).status.is_final
        if is_unseen or (state.lacks_lock and not self.failed_validation(state)):
            # Nothing starts, in a retry either, and the lock is not asked for, before all is seen to be there.
            return self._for_step(validation, state, now) if validation is not None else []
        facts: list[Fact] = []
        queue = deque(self._candidates(state, changed))
        while queue:
            step_id = queue.popleft()
            found = self._for_step(self.outline.steps[step_id], state, now)
            if not found:
                continue
            facts += found
            state = fold_facts(found, state, 0)
            if state.step(step_id).status.is_final:
                queue.extend(self.outline.dependants[step_id])
        return facts + self._never_cancelled(state, now)

    def _candidates(self, state: ExecutionState, changed: Iterable[str] | None) -> list[str]:
        changed = None if changed is None else list(changed)
        if changed is None or (self.outline.validation is not None and self.outline.validation.id in changed):
            return list(self.outline.steps)
        waiting = [step.id for step in state.steps.values() if step.retry_at is not None]
        # The gate before a deployment may have been decided.
        waiting += [step.id for step in self.outline.deployments if state.step(step.id).status is StepStatus.PENDING]
        return list(dict.fromkeys([*(d for step in changed for d in self.outline.dependants[step]), *waiting]))

    def failed_validation(self, state: ExecutionState) -> bool:
        """Whether the run was looked at before its first step, and something stands in its way: nothing else starts."""
        if self.outline.validation is None:
            return False
        status = state.step(self.outline.validation.id).status
        return status.is_final and status is not StepStatus.SUCCESS

    def _for_step(self, step: Step, state: ExecutionState, now: datetime) -> list[Fact]:
        current = state.step(step.id)
        if step.when == "cancelled" or current.status.is_final or current.status is StepStatus.RUNNING:
            return []
        if current.retry_at is not None:
            return self._started(step, state, now) if current.retry_at <= now else []
        if current.status is StepStatus.WAITING or not self._needs_are_final(step, state):
            return []
        return self._when(step, state, now)

    def _needs_are_final(self, step: Step, state: ExecutionState) -> bool:
        return all(state.step(need).status.is_final for need in self.outline.needs[step.id])

    def _when(self, step: Step, state: ExecutionState, now: datetime) -> list[Fact]:
        stopped_by = self._stopped_by(step, state)
        if stopped_by:
            return [self._skip(step, now, "upstream", stopped_by)]
        failed_above = [
            found
            for found in self.outline.ancestors_among(step.id, state.failed)
            if step.when == "failure" or counts_as_failed(self.outline, state, found)
        ]
        if step.when == "success":
            blocker = self._blocker(step, state, failed_above)
            if blocker:
                return [self._skip(step, now, "upstream", blocker)]
        elif step.when == "failure" and not failed_above:
            return [self._skip(step, now, "when", "nothing above it failed")]
        return self._condition(step, state, now)

    def _stopped_by(self, step: Step, state: ExecutionState) -> str:
        """What keeps a step from running whatever its `when` says: validation, or the environment before its own."""
        validation = self.outline.validation
        if validation is not None and step is not validation and self.failed_validation(state):
            return f"'{validation.id}' {state.step(validation.id).status.value.lower()}"
        earlier = self.outline.earlier_deployment.get(step.id)
        if earlier is None:
            return ""
        current = state.step(earlier)
        if current.status in {StepStatus.FAILED, StepStatus.CANCELLED}:
            return f"'{earlier}' {current.status.value.lower()}"
        return f"'{earlier}' was skipped" if _is_unsatisfying(current) else ""

    def _blocker(self, step: Step, state: ExecutionState, failed_above: list[str]) -> str:
        if failed_above:
            return f"'{failed_above[0]}' {state.step(failed_above[0]).status.value.lower()}"
        for need in self.outline.needs[step.id]:
            if _is_unsatisfying(state.step(need)) and not self._is_forgiven(need, state):
                return f"'{need}' was skipped"
        return ""

    def _is_forgiven(self, step_id: str, state: ExecutionState) -> bool:
        """Whether a step was skipped because it failed in an earlier environment, which the run goes on after."""
        while (earlier := self.outline.earlier_deployment.get(step_id)) is not None:
            current = state.step(earlier)
            if current.status is StepStatus.FAILED:
                return not counts_as_failed(self.outline, state, earlier)
            if not _is_unsatisfying(current):
                return False
            step_id = earlier
        return False

    def _condition(self, step: Step, state: ExecutionState, now: datetime) -> list[Fact]:
        if step.if_ is None:
            return self._started(step, state, now)
        try:
            holds = evaluate_condition(step.if_, self.scopes.scope(state, step.if_, step, is_expression=True))
        except ExpressionError as error:
            return self._failed_at_once(step, state, now, "expression", one_line(error))
        if holds:
            return self._started(step, state, now)
        return [self._skip(step, now, "condition", f"condition not met: {step.if_}")]

    def _started(self, step: Step, state: ExecutionState, now: datetime) -> list[Fact]:
        """The step's start, or the gate before it; its end too, when it would change what nobody approved."""
        is_retried_by_itself = state.step(step.id).retry_at is not None
        if step.environment is not None and not self.outline.workflow.is_cleanup and not is_retried_by_itself:
            found = self._before_deployment(step, state, now)
            if found:
                return found
        if self._may_change(step, state):
            return [self._start(step, state, now)]
        message = "the environment is protected, and what this step would change was not approved"
        return self._failed_at_once(step, state, now, "not_approved", message)

    def _before_deployment(self, step: Step, state: ExecutionState, now: datetime) -> list[Fact]:
        """The gate of a manual environment, or that it was refused; nothing when the deployment may start."""
        target = state.target(step.environment)
        if target is None:
            message = f"environment '{step.environment}' was not read before the first step"
            return self._failed_at_once(step, state, now, "environment", message)
        if not target.is_manual:
            return []
        refusal = refusal_of_deployment(step, state)
        if refusal is not None:
            return self._failed_at_once(step, state, now, *refusal)
        try:
            opening = opening_of_deployment(step, target, self.scopes, state, self.mask)
        except (ExpressionError, RulesError) as error:
            return self._failed_at_once(step, state, now, error.code, one_line(error))
        return [] if is_approved_deployment(opening, state) else [opening.fact(now)]

    def _may_change(self, step: Step, state: ExecutionState) -> bool:
        """Whether the step changes nothing in a protected environment but what was approved."""
        target = state.target(step.environment)
        if target is not None:
            # By itself a deployment to a manual environment starts only after its own gate.
            has_own_gate = target.is_manual and not self.outline.workflow.is_cleanup
            is_free = not target.is_protected or has_own_gate
        else:
            is_protected = state.validation is not None and state.validation.is_protected
            is_free = not is_protected or not changes(step)
        return is_free or is_approved(self.outline, self.scopes, state, step)

    def _failed_at_once(self, step: Step, state: ExecutionState, now: datetime, kind: str, message: str) -> list[Fact]:
        fault = {"type": kind, "message": message, "exit_code": None, "tail": ""}
        return [self._start(step, state, now), self._finish_failed(step, state, now, fault)]

    def _never_cancelled(self, state: ExecutionState, now: datetime) -> list[Fact]:
        """Once all else has ended, nothing is left that could be cancelled."""
        pending = [step for step in self.outline.on_cancel if not state.step(step.id).status.is_final]
        if not pending or not self._others_are_final(state):
            return []
        return [self._skip(step, now, "when", "the run was not cancelled") for step in pending]

    def _others_are_final(self, state: ExecutionState) -> bool:
        return all(state.step(step.id).status.is_final for step in reversed(self.outline.others))

    def _after_cancel(self, state: ExecutionState, now: datetime) -> list[Fact]:
        """What has not started never will; once what runs has stopped, the steps `when: cancelled` run.

        A run that never had its lock, or that was not seen to have all it needs, runs none at all.
        """
        validation = self.outline.validation
        is_unseen = validation is not None and state.step(validation.id).status is not StepStatus.SUCCESS
        never_began = state.lacks_lock or is_unseen
        facts = [
            self._cancel(step, now)
            for step in (*self.outline.others, *(self.outline.on_cancel if never_began else ()))
            if state.step(step.id).status in {StepStatus.PENDING, StepStatus.WAITING} and not state.open_gate(step.id)
        ]
        state = fold_facts(facts, state, 0)
        if not self._others_are_final(state):
            return facts
        for step in self.outline.on_cancel:
            above = self.outline.ancestors_among(step.id, (other.id for other in self.outline.on_cancel))
            is_pending = state.step(step.id).status is StepStatus.PENDING
            if is_pending and all(state.step(other).status.is_final for other in above):
                found = self._condition(step, state, now)
                facts += found
                state = fold_facts(found, state, 0)
        return facts

    def _cancel(self, step: Step, now: datetime) -> Fact:
        data = {"step": step.id, "cause": "upstream", "reason": "the run was cancelled", "status": "Cancelled"}
        return Fact(Kind.STEP_SKIPPED, data, time=now)

    def _start(self, step: Step, state: ExecutionState, now: datetime) -> Fact:
        attempt = state.step(step.id).attempt + 1
        return Fact(Kind.STEP_STARTED, {"step": step.id, "attempt": attempt, "engine": self.engine}, time=now)

    def _finish_failed(self, step: Step, state: ExecutionState, now: datetime, fault: Mapping[str, object]) -> Fact:
        data = {
            "step": step.id,
            "attempt": state.step(step.id).attempt + 1,
            "engine": self.engine,
            "status": StepStatus.FAILED.value,
            "error": fault,
        }
        return Fact(Kind.STEP_FINISHED, data, time=now)

    def _skip(self, step: Step, now: datetime, cause: SkipCause, reason: str) -> Fact:
        return Fact(Kind.STEP_SKIPPED, {"step": step.id, "cause": cause, "reason": reason}, time=now)

    def is_over(self, state: ExecutionState) -> bool:
        """Whether every step has ended and the run can be closed."""
        if state.closed is not None or len(state.steps) < len(self.outline.steps):
            return False
        return all(state.step(step_id).status.is_final for step_id in self.outline.steps)


def _is_unsatisfying(step: StepState) -> bool:
    """Whether a step was skipped for a reason that keeps its dependants from running."""
    return step.status is StepStatus.SKIPPED and step.skip_cause not in SATISFYING_SKIPS
