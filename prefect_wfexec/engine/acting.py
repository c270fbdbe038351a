"""Does what the journal says is to be done: attempts begin, gates open, what has ended is shown."""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from prefect_wfexec.definition.model import Step
from prefect_wfexec.engine.approvals.gate_opener import GateOpener
from prefect_wfexec.engine.at_work import AtWork
from prefect_wfexec.engine.instance_names import plain_name
from prefect_wfexec.engine.opening import Entered
from prefect_wfexec.engine.painter import Painter
from prefect_wfexec.engine.reports import reports_of
from prefect_wfexec.engine.task_runs import write_task_run
from prefect_wfexec.journal.facts import Fact, Kind
from prefect_wfexec.journal.journal import Journal
from prefect_wfexec.status import StepStatus
from prefect_wfexec.steps.base import StepType
from prefect_wfexec.steps.registry import find_step_type


class Acting:
    """One per engine that has entered a run.

    Args:
        flow_run_id: The run.
        run: The run as the engine found it.
        journal: Its journal.
        work: What is at work.
        gates: Opens gates.
        painter: Who keeps Prefect's picture of the run up to date.
        validating: What looks at the run before all other steps.
    """

    def __init__(
        self,
        flow_run_id: UUID,
        run: Entered,
        journal: Journal,
        work: AtWork,
        gates: GateOpener,
        painter: Painter,
        validating: type[StepType],
    ) -> None:
        self._flow_run_id = flow_run_id
        self._run = run
        self._journal = journal
        self._work = work
        self._gates = gates
        self._painter = painter
        self._validating = validating

    def take_up(self) -> None:
        """Carry on what an earlier engine left half done, and show what is to run again."""
        for current in self._journal.state.steps.values():
            step = self._run.decider.outline.steps[current.id]
            if current.status is StepStatus.PENDING and current.attempts_before:
                write_task_run(step, self._flow_run_id, StepStatus.PENDING, "", current.attempt)
            elif current.status is StepStatus.RUNNING and _is_gate(step):
                self._gates.open(step)
            elif current.asks and self._journal.state.open_gate(current.id) is None:
                self._gates.ask(step)

    def act_on(self, facts: Sequence[Fact]) -> None:
        """Do what the facts say, in their order: an entry may end one attempt of a step and begin the next."""
        ended = {_attempt_of(fact) for fact in facts if fact.kind is Kind.STEP_FINISHED}
        begun = {_attempt_of(fact) for fact in facts if fact.kind is Kind.STEP_STARTED}
        for fact in facts:
            if fact.kind is Kind.STEP_STARTED and _attempt_of(fact) not in ended:
                self._start(self._step_of(fact))
            elif fact.kind is Kind.STEP_FINISHED:
                self._settle(fact, is_shown_by_us=_attempt_of(fact) in begun)
            elif fact.kind is Kind.STEP_SKIPPED:
                self._show_end(self._step_of(fact))
            elif fact.kind is Kind.APPROVAL_OPENED:
                self._show_waiting(self._step_of(fact), str(fact.data.get("message") or ""))

    def _step_of(self, fact: Fact) -> Step:
        return self._run.decider.outline.steps[str(fact.data["step"])]

    def _start(self, step: Step) -> None:
        if _is_gate(step):
            self._gates.open(step)
            return
        state = self._journal.state
        scope = self._run.scopes.scope(state, {"with": dict(step.with_), "env": dict(step.env)}, step)
        kind = self._validating if step is self._run.decider.outline.validation else find_step_type(step.uses)
        self._work.start(step, state.step(step.id).attempt, kind, scope)

    def _settle(self, fact: Fact, *, is_shown_by_us: bool) -> None:
        step = self._step_of(fact)
        finish = self._work.settle(step.id)
        for page in finish.artifacts if finish is not None else ():
            # Each instance of a step has pages of its own.
            key = page.key if step.instance is None else f"{page.key}-{plain_name(step.id)}"
            self._painter.page(replace(page, key=key))
        if fact.data.get("reports"):
            self._painter.count_reports(len(reports_of(self._journal.state)))
        if fact.data.get("asks"):
            self._gates.ask(step)
        if is_shown_by_us or _is_gate(step):
            self._show_end(step)

    def _show_waiting(self, step: Step, message: str) -> None:
        """Show a deployment that waits until somebody says that it goes on."""
        attempt = self._journal.state.step(step.id).attempt
        write_task_run(step, self._flow_run_id, StepStatus.WAITING, message, attempt)

    def _show_end(self, step: Step) -> None:
        """Show a step whose task run no task engine ended: skipped, cancelled before it began, a gate."""
        current = self._journal.state.step(step.id)
        if current.status.is_final:
            message = current.fault.message if current.fault else current.reason or current.summary
            write_task_run(step, self._flow_run_id, current.status, message, current.attempt, current.started)


def _attempt_of(fact: Fact) -> tuple[str, int]:
    return str(fact.data["step"]), int(fact.data["attempt"])


def _is_gate(step: Step) -> bool:
    return find_step_type(step.uses).spec.is_gate
