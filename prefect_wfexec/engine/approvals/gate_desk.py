"""Where a run meets who decides in Prefect's UI: its form is looked at, and the process leaves when it is of no use."""

import asyncio
from typing import TYPE_CHECKING

from prefect_wfexec.definition.durations import parse_duration
from prefect_wfexec.definition.model import Workflow
from prefect_wfexec.engine.approvals.form_desk import is_shown_crashed, look_at_form
from prefect_wfexec.engine.approvals.forms import Answer, Form, current_form
from prefect_wfexec.engine.fencing import is_current
from prefect_wfexec.engine.flow_run import FlowRunPicture
from prefect_wfexec.engine.painter import Painter
from prefect_wfexec.engine.progress import run_status
from prefect_wfexec.journal.facts import Fact, Kind
from prefect_wfexec.journal.journal import Journal
from prefect_wfexec.journal.state import ExecutionState
from prefect_wfexec.settings import HOLD

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.objects import FlowRun


class GateDesk:
    """One per engine.

    Args:
        engine: The engine's id.
        client: A client that stays open.
        flow_run: The run.
        journal: Its journal.
        picture: How Prefect shows it.
        painter: Who keeps that up to date.

    Attributes:
        answers: What was filled in and is not in the journal yet.
    """

    def __init__(
        self,
        engine: str,
        client: "PrefectClient",
        flow_run: "FlowRun",
        journal: Journal,
        picture: FlowRunPicture,
        painter: Painter,
    ) -> None:
        self.answers: list[Answer] = []
        self._engine = engine
        self._client = client
        self._flow_run = flow_run
        self._journal = journal
        self._picture = picture
        self._painter = painter
        self._idle_since: float | None = None
        self._unanswered = ""

    async def look(self, workflow: Workflow) -> None:
        """Take what somebody filled in; when Prefect shows the run going on without it, pause it again."""
        state = self._journal.state
        if not is_current(state, self._engine) or state.closed is not None:
            return
        form = current_form(workflow, state)
        if form is None:
            await self._look_at_state()
            return
        is_shown = self._picture.shown_form == form.base
        # An answer may be older than this process: what it shows now says nothing about that.
        is_unanswered = is_shown and self._unanswered == form.base
        seen = await look_at_form(self._client, self._flow_run.id, form, is_unanswered=is_unanswered)
        if seen is None:
            return
        self._unanswered = form.base if is_shown and seen.answer is None else ""
        if seen.answer is not None:
            self.answers.append(seen.answer)
        elif is_shown and seen.is_bypassed and not (seen.is_dispatched and self._can_be_woken):
            self._painter.again()

    async def _look_at_state(self) -> None:
        """A worker may report late that an earlier process of the run crashed, when this one has long taken over."""
        if self.has_deployment and await is_shown_crashed(self._client, self._flow_run.id):
            self._painter.again()

    @property
    def has_deployment(self) -> bool:
        """Whether a worker or runner started this process, and may start others."""
        return self._flow_run.deployment_id is not None

    @property
    def _can_be_woken(self) -> bool:
        """Whether Prefect starts another process when somebody resumes the run: for a subflow it would not."""
        return self.has_deployment and self._flow_run.parent_task_run_id is None

    async def may_leave(self, workflow: Workflow, *, is_busy: bool) -> bool:
        """Whether the run has only waited for so long that its process may leave, and Prefect will start another."""
        state, now = self._journal.state, asyncio.get_running_loop().time()
        form = current_form(workflow, state)
        retries = any(step.retry_at is not None for step in state.steps.values())
        if form is None or is_busy or retries or self.answers or not self._can_be_woken:
            self._idle_since = None
            return False
        self._idle_since = now if self._idle_since is None else self._idle_since
        gate = state.open_gate(form.step)
        hold = gate.hold if gate is not None and gate.hold is not None else parse_duration(HOLD.read())
        if now - self._idle_since < hold:
            return False
        self._idle_since = None
        return await self._suspend(form)

    async def _suspend(self, form: Form) -> bool:
        """Tell Prefect first, then look once more.

        Who decides writes to the journal or the form and then looks at the run's state: so either the decision is seen
        here, or they see that another process has to be started.
        """
        await self._painter.caught_up()
        if not await self._picture.show_status(run_status(self._journal.state), form, suspends=True):
            return False

        def decide(state: ExecutionState) -> list[Fact]:
            waits = any(gate.step == form.step for gate in state.open_gates)
            if not waits or state.requests or state.cancel or not is_current(state, self._engine):
                return []
            text = f"waits for a decision on '{form.step}' without a process"
            return [Fact(Kind.NOTED, {"engine": self._engine, "suspended": True, "text": text})]

        seen = await look_at_form(self._client, self._flow_run.id, form, is_unanswered=False)
        await self._journal.catch_up()
        if seen is not None and seen.answer is None and await self._journal.append(decide):
            return True
        if seen is not None and seen.answer is not None:
            self.answers.append(seen.answer)
        self._painter.again()
        return False
