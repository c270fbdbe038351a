"""Opens gates in a run: those the definition asks for, and those that ask what becomes of a step that failed."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from uuid import UUID

from prefect_wfexec.definition.expressions import ExpressionError
from prefect_wfexec.definition.model import Step
from prefect_wfexec.engine.approvals.failing import opening_after_failure
from prefect_wfexec.engine.approvals.gates import Opening
from prefect_wfexec.engine.approvals.opening import policies_over, prepare_gate
from prefect_wfexec.engine.approvals.rules import rules_of
from prefect_wfexec.engine.at_work import AtWork
from prefect_wfexec.engine.fencing import is_current
from prefect_wfexec.engine.lending import Lending
from prefect_wfexec.engine.opening import Entered
from prefect_wfexec.engine.task_runs import write_task_run
from prefect_wfexec.errors import EngineError, StepFailed, one_line
from prefect_wfexec.journal.facts import Fact, utc_now
from prefect_wfexec.journal.state import ExecutionState
from prefect_wfexec.status import StepStatus


class GateOpener:
    """One per engine that has entered a run; the loop closes what is opened here, when it is decided.

    Args:
        engine: The engine's id.
        flow_run_id: The run.
        run: The run as the engine found it.
        lent: What attempts are lent.
        work: What is at work.
        opened: Called with the facts of a gate that was opened.
    """

    def __init__(
        self,
        engine: str,
        flow_run_id: UUID,
        run: Entered,
        lent: Lending,
        work: AtWork,
        opened: Callable[[Sequence[Fact]], None],
    ) -> None:
        self._engine = engine
        self._flow_run_id = flow_run_id
        self._run = run
        self._lent = lent
        self._work = work
        self._opened = opened

    def open(self, step: Step) -> None:
        """Open the gate that a step is."""
        number = self._lent.journal.state.step(step.id).attempt
        self._work.spawn(step, number, self._open(step, number))

    def ask(self, step: Step) -> None:
        """Ask what becomes of a step that failed."""
        number = self._lent.journal.state.step(step.id).attempt
        self._work.spawn(step, number, self._ask(step, number))

    async def _open(self, step: Step, number: int) -> None:
        state = self._lent.journal.state
        scope = self._run.scopes.portable.scope(state, {"with": dict(step.with_)}, step)
        try:
            opening = await prepare_gate(step, scope, state, self._lent, state.validation)
        except (StepFailed, ExpressionError, EngineError) as error:
            kind = error.type if isinstance(error, StepFailed) else "expression"
            self._work.failed(step, number, error.code if isinstance(error, EngineError) else kind, one_line(error))
            return

        def decide(now_state: ExecutionState) -> list[Fact]:
            is_ready = now_state.step(step.id).status is StepStatus.RUNNING
            return [opening.fact(utc_now())] if is_ready and is_current(now_state, self._engine) else []

        facts = await self._lent.journal.append(decide)
        if opening.covered_by is None:
            self._show_waiting(step, number, facts)
        self._opened(facts)

    async def _ask(self, step: Step, number: int) -> None:
        def decide(state: ExecutionState) -> list[Fact]:
            asks = state.step(step.id).asks and state.open_gate(step.id) is None
            return [self._question(step, state).fact(utc_now())] if asks and is_current(state, self._engine) else []

        facts = await self._lent.journal.append(decide)
        self._show_waiting(step, number, facts)
        self._opened(facts)

    def _question(self, step: Step, state: ExecutionState) -> Opening:
        """What is asked about a step that failed: whoever may approve there decides, who started the run included."""
        is_protected = state.validation is not None and state.validation.is_protected
        rules = rules_of({}, policies_over({}, state.validation), is_protected=is_protected)
        return opening_after_failure(self._run.decider.outline, state, step, replace(rules, allow_self=True))

    def _show_waiting(self, step: Step, number: int, facts: Sequence[Fact]) -> None:
        if facts:
            message = str(facts[0].data.get("message") or "")
            write_task_run(step, self._flow_run_id, StepStatus.WAITING, message, number)
