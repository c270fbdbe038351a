"""What to do next: a pure function of the folded state. It says what starts and what is skipped, and does neither."""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from prefect_wfexec.definition.expressions import ExpressionError, evaluate_condition
from prefect_wfexec.definition.model import Step
from prefect_wfexec.engine.approvals.protection import changes, is_approved
from prefect_wfexec.engine.outcome import counts_as_failed
from prefect_wfexec.engine.outline import Outline
from prefect_wfexec.engine.scope import Scopes
from prefect_wfexec.journal.facts import Fact, Kind
from prefect_wfexec.journal.fold import fold_facts
from prefect_wfexec.journal.state import ExecutionState, SkipCause
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
    """Decides for one engine of one run."""

    outline: Outline
    scopes: Scopes
    engine: str

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
        if state.lacks_lock:
            return []
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
        if changed is None:
            return list(self.outline.steps)
        waiting = [step.id for step in state.steps.values() if step.retry_at is not None]
        return list(dict.fromkeys([*(d for step in changed for d in self.outline.dependants[step]), *waiting]))

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

    def _blocker(self, step: Step, state: ExecutionState, failed_above: list[str]) -> str:
        if failed_above:
            return f"'{failed_above[0]}' {state.step(failed_above[0]).status.value.lower()}"
        for need in self.outline.needs[step.id]:
            current = state.step(need)
            if current.status is StepStatus.SKIPPED and current.skip_cause not in SATISFYING_SKIPS:
                return f"'{need}' was skipped"
        return ""

    def _condition(self, step: Step, state: ExecutionState, now: datetime) -> list[Fact]:
        if step.if_ is None:
            return self._started(step, state, now)
        try:
            holds = evaluate_condition(step.if_, self.scopes.scope(state, step.if_, is_expression=True))
        except ExpressionError as error:
            message = f"{error.message}; {error.hint}" if error.hint else error.message
            fault = {"type": "expression", "message": message, "exit_code": None, "tail": ""}
            return [self._start(step, state, now), self._finish_failed(step, state, now, fault)]
        if holds:
            return self._started(step, state, now)
        return [self._skip(step, now, "condition", f"condition not met: {step.if_}")]

    def _started(self, step: Step, state: ExecutionState, now: datetime) -> list[Fact]:
        """The step's start; in a protected environment its end too, when it would change what nobody approved."""
        start = self._start(step, state, now)
        is_protected = state.validation is not None and state.validation.is_protected
        if not is_protected or not changes(step) or is_approved(self.outline, self.scopes, state, step):
            return [start]
        message = "the environment is protected, and what this step would change was not approved"
        fault = {"type": "not_approved", "message": message, "exit_code": None, "tail": ""}
        return [start, self._finish_failed(step, state, now, fault)]

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

        A run that never had its lock runs none at all.
        """
        facts = [
            self._cancel(step, now)
            for step in (*self.outline.others, *(self.outline.on_cancel if state.lacks_lock else ()))
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
