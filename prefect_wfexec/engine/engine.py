"""The run loop: fold, decide what is ready, start it, wait for the first thing that happens, and again."""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prefect.logging.loggers import flow_run_logger

from prefect_wfexec.definition.model import JSON, Workflow
from prefect_wfexec.engine import fencing
from prefect_wfexec.engine.acting import Acting
from prefect_wfexec.engine.approvals import gates
from prefect_wfexec.engine.approvals.codes import CodeBook
from prefect_wfexec.engine.approvals.failing import failing_facts
from prefect_wfexec.engine.approvals.gate_desk import GateDesk
from prefect_wfexec.engine.approvals.gate_opener import GateOpener
from prefect_wfexec.engine.approvals.links import LinkBook, public_url
from prefect_wfexec.engine.at_work import AtWork
from prefect_wfexec.engine.cancelling import cancel_request, is_cancelled_in_prefect
from prefect_wfexec.engine.cleanup.beginning import hand_over, is_to_be_cleaned, reopen
from prefect_wfexec.engine.cleanup.parent import Parent
from prefect_wfexec.engine.cleanup.policy import read_rules
from prefect_wfexec.engine.closing import cleanup_page, closing_fact, outputs_page, reports_page, stored_run_outputs
from prefect_wfexec.engine.context import RunContext
from prefect_wfexec.engine.decide import whole_steps
from prefect_wfexec.engine.flow_run import (
    APPROVAL_LABEL,
    DURATION_LABEL,
    REPORTS_LABEL,
    REPORTS_TAG,
    FlowRunPicture,
    final_state,
    page_of,
)
from prefect_wfexec.engine.lending import Lending
from prefect_wfexec.engine.listening import Listener
from prefect_wfexec.engine.notices.desk import NoticeDesk
from prefect_wfexec.engine.notices.due import next_reminder
from prefect_wfexec.engine.nudge import show_life
from prefect_wfexec.engine.opening import Entered, enter_run
from prefect_wfexec.engine.painter import Painter
from prefect_wfexec.engine.reports import reports_of
from prefect_wfexec.engine.retrying import PREFECT_USER, Retry, reset, wanted_retry
from prefect_wfexec.engine.session import Session
from prefect_wfexec.engine.tidying import put_away
from prefect_wfexec.engine.validating import validation_type
from prefect_wfexec.journal.facts import Fact, Kind, utc_now
from prefect_wfexec.journal.fold import fold_facts
from prefect_wfexec.journal.journal import Decide
from prefect_wfexec.journal.keys import Keys, foreign_journal
from prefect_wfexec.journal.state import ExecutionState
from prefect_wfexec.status import RunStatus

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.objects import FlowRun, State

FACTS_AN_ENTRY = 100
POLL_SECONDS = 1.0
POLL_WHILE_HEARING_SECONDS = 5.0
LOOK_SECONDS = 5.0


class Engine:
    """One process executing one run.

    Args:
        workflow: The definition this process was given; a run that is open already keeps the one it was opened with.
        client: A Prefect client that stays open.
        flow_run: The run.
        inputs: Its inputs, validated.
        context: Who or what started it.
        keys: The key of its journal and blobs.
        home: Prefect's home, where traces of commands are left.
        session: Who watches.
        parent: The run that this one cleans up after, if it is a cleanup.

    Attributes:
        handed_over: The run that takes away what this one has made, once there is one.
    """

    def __init__(
        self,
        workflow: Workflow,
        client: "PrefectClient",
        flow_run: "FlowRun",
        inputs: dict[str, JSON],
        context: RunContext,
        keys: Keys,
        home: Path,
        session: Session,
        parent: Parent | None = None,
    ) -> None:
        self.id = fencing.new_engine_id()
        self.handed_over: FlowRun | None = None
        self._given = workflow
        self._parent = parent
        self._client = client
        self._flow_run = flow_run
        self._logger = flow_run_logger(flow_run)
        self._inputs = inputs
        self._context = context
        self._session = session
        self._wake = asyncio.Event()
        owner = parent.flow_run.id if parent is not None else None
        self._lent = Lending(self.id, client, flow_run, workflow.name, keys, home, owner)
        self._journal = self._lent.journal
        self._codes = CodeBook(keys.codes, str(flow_run.id))
        self._work = AtWork(self.id, flow_run.id, self._lent, self._wake.set, session.on_log)
        self._picture = FlowRunPicture(client, flow_run, self._lent.wire, self.id)
        url = public_url()
        self._painter = Painter(self._picture, f"{url}/console/executions/{flow_run.id}" if url else "")
        self._listener = Listener(flow_run.id, self._wake.set)
        self._changed: set[str] | None = None
        self._last_contact = 0.0
        self._last_look = asyncio.get_running_loop().time()
        self._last_sign = utc_now()
        self._retry: Retry | None = None
        links = LinkBook(keys.links, str(flow_run.id), url)
        self._notices = NoticeDesk(
            self.id, self._lent.run, self._journal, self._codes, links, self._lent.masker, self._wake.set
        )
        self._desk = GateDesk(self.id, client, flow_run, self._journal, self._picture, self._painter)
        self._run: Entered
        self._acting: Acting
        self._is_entered = False

    async def execute(self) -> "State[Any]":
        """Run the run to its end; the state Prefect gets.

        Raises:
            Superseded: a newer engine took over.
            EngineError: a fault of ours, of Prefect or of the machine.
        """
        await self._journal.catch_up()
        if self._journal.is_foreign:
            raise foreign_journal(self._flow_run.id)
        if self._journal.entries:
            self._retry = await wanted_retry(self._client, self._flow_run.id, self._journal.state)
        if self._retry is not None and self._journal.state.closed is not None:
            await reset(self._journal, self._given, self.id, self._retry)
        await reopen(self._journal, self.id)
        if self._journal.state.closed is None:
            alive = asyncio.create_task(show_life(self._client, self._flow_run.id, self.id), name="wfexec-alive")
            try:
                await self._enter_and_run()
            except asyncio.CancelledError:
                await self._stop_when_prefect_cancels()
                raise
            finally:
                await self._leave()
                alive.cancel()
        if self.handed_over is not None and self._journal.state.closed is None:
            raise fencing.HandedOver(f"run {self.handed_over.name} takes away what this one has made")
        return self._final_state()

    @property
    def state(self) -> ExecutionState:
        """The run as its journal says."""
        return self._journal.state

    def _final_state(self) -> "State[Any]":
        closed = self._journal.state.closed
        if closed is None:
            raise fencing.Superseded("a newer engine runs this run")
        return final_state(closed.status, f"{closed.reason} (journal {self._journal.head[:16]})".strip())

    async def _stop_when_prefect_cancels(self) -> None:
        """The process is told to end: when that is Prefect's Cancel, bring the run to its end first."""
        state = self._journal.state
        if not self._is_entered or state.closed is not None or not fencing.is_current(state, self.id):
            return
        if not await is_cancelled_in_prefect(self._client, self._flow_run.id):
            return
        await self._journal.append(await self._cancel_by_prefect())
        await self._loop()
        if self._journal.state.closed is not None:
            # Set by us: Prefect's own engine makes a cancelled run Cancelled, whatever became of it.
            await self._picture.end(self._final_state())

    async def _cancel_by_prefect(self) -> Decide:
        rules = await read_rules(self._run.workflow)
        return cancel_request(PREFECT_USER, cleans_up=rules.on_cancel == "cleanup")

    async def _enter_and_run(self) -> None:
        self._session.journal = self._journal
        self._session.is_open.set()
        self._session.wake = self._wake_from_any_thread(asyncio.get_running_loop())
        has_deployment = self._flow_run.deployment_id is not None
        entered = await enter_run(
            self.id,
            self._given,
            self._inputs,
            self._context,
            self._lent,
            has_deployment=has_deployment,
            retry=self._retry,
            parent=self._parent,
        )
        state = self._journal.state
        if entered is None:
            await self._picture.open(state)
            return
        self._run, self._is_entered = entered, True
        opener = GateOpener(self.id, self._flow_run.id, entered, self._lent, self._work, self._gate_opened)
        validating = validation_type(entered.scopes, self._journal, self._client)
        self._acting = Acting(self._flow_run.id, entered, self._journal, self._work, opener, self._painter, validating)
        self._picture.is_entered_again = len(state.engines) > 1
        self._painter.start()
        self._painter.job(lambda: self._picture.open(state))
        self._tell(())
        await self._validate()
        if not entered.decider.failed_validation(self._journal.state):
            while not await self._lent.lock.is_settled(entered.workflow.concurrency):
                self._tell(())
                await self._wait()
        self._changed = None
        self._acting.take_up()
        await self._desk.look(self._run.workflow)
        await self._loop()

    async def _validate(self) -> None:
        """Let Validation come to its end before the lock is asked for; without one there is nothing to wait for."""
        validation = self._run.decider.outline.validation
        while validation is not None and self._journal.state.lacks_lock:
            await self._advance()
            state = self._journal.state
            if not fencing.is_current(state, self.id):
                await self._give_way()
            if state.step(validation.id).status.is_final or state.cancel is not None:
                return
            await self._wait()

    def _wake_from_any_thread(self, loop: asyncio.AbstractEventLoop) -> Callable[[], None]:
        def wake() -> None:
            loop.call_soon_threadsafe(self._wake.set)

        return wake

    async def _leave(self) -> None:
        """Stop what still runs, whatever the reason for leaving, and record how it ended."""
        self._work.stop("leaving")
        await self._listener.stop()
        if self._journal.state.closed is not None:
            await self._lent.lock.release()
            await self._notices.finish(self._run.workflow if self._is_entered else None)
        await self._work.until_stopped()
        if self._work.has_news:
            with contextlib.suppress(Exception):
                await self._journal.append(self._work.finishes)
        await self._work.let_go()
        await self._painter.finish()
        await self._lent.supervisor.close()
        await self._lent.wire.close()
        closed = self._journal.state.closed
        if closed is not None:
            self._lent.commands.forget_all()
        if closed is not None and self._parent is None:
            await asyncio.to_thread(put_away, self._lent.workspace, is_done=closed.status is RunStatus.SUCCEEDED)

    # -- the loop ------------------------------------------------------------------------------------------------

    async def _loop(self) -> None:
        while True:
            await self._advance()
            state = self._journal.state
            self._notices.look(self._run.workflow)
            if not fencing.is_current(state, self.id):
                await self._give_way()
            elif self._run.decider.is_over(state):
                await self._end()
                return
            await self._wait()
            self._notices.look(self._run.workflow)
            is_busy = bool(self._work.names) or self._work.has_news or self._notices.is_busy
            if await self._desk.may_leave(self._run.workflow, is_busy=is_busy):
                raise fencing.Suspended("the run waits for a decision and needs no process until then")

    async def _advance(self) -> None:
        """Append what follows from what happened, until nothing follows any more."""
        while True:
            facts = await self._journal.append(self._decide)
            self._desk.answers.clear()
            self._last_contact = asyncio.get_running_loop().time()
            if self._journal.state.cancel is not None:
                self._work.stop("cancelled", but_for=[step.id for step in self._run.decider.outline.on_cancel])
            if not facts:
                self._changed = set()
                return
            may_be_cut = len(facts) >= FACTS_AN_ENTRY
            self._changed = None if may_be_cut else set()
            self._acting.act_on(facts)
            self._warn_of_refusals(facts)
            self._tell(facts)
            if not may_be_cut:
                return

    def _decide(self, state: ExecutionState) -> list[Fact]:
        own = self._work.finishes(state)
        if not fencing.is_current(state, self.id) or state.closed is not None:
            return own
        now = utc_now()
        # Conditions must see outputs in clear, also those that their entry shows masked or cut.
        self._run.scopes.values.update(self._work.values)
        after = fold_facts(own, state, 0)
        found = gates.gate_facts(after, now, self._codes, self._desk.answers)
        after = fold_facts(found, after, 0)
        found += (failing := failing_facts(self._run.decider.outline, after, now))
        after = fold_facts(failing, after, 0)
        ends = {Kind.STEP_FINISHED, Kind.STEP_SKIPPED}
        ended = {str(fact.data["step"]) for fact in (*own, *found) if fact.kind in ends}
        is_reset = any(fact.kind is Kind.RESET for fact in found)
        changed = None if self._changed is None or is_reset else self._changed | ended
        return whole_steps([*own, *found, *self._run.decider.next_facts(after, now, changed)], FACTS_AN_ENTRY)

    async def _wait(self) -> None:
        """Until an attempt ended, the journal may have grown, or something is due."""
        poll_seconds = await self._listen()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), min(poll_seconds, self._seconds_until_due()))
        is_called = self._wake.is_set() and not self._work.has_news
        self._wake.clear()
        if is_called or asyncio.get_running_loop().time() - self._last_contact >= poll_seconds:
            known = len(self._journal.entries)
            await self._journal.catch_up()
            self._last_contact = asyncio.get_running_loop().time()
            new = self._journal.entries[known:]
            if new:
                self._tell([fact for entry in new for fact in entry.trusted_facts])
            if is_called or self._journal.state.open_gates:
                await self._desk.look(self._run.workflow)
        await self._heed_prefect()

    async def _heed_prefect(self) -> None:
        """A run that no worker started is told by nobody that Prefect's Cancel was pressed: look now and then."""
        now = asyncio.get_running_loop().time()
        if self._journal.state.cancel is not None or now - self._last_look < LOOK_SECONDS:
            return
        self._last_look = now
        if await is_cancelled_in_prefect(self._client, self._flow_run.id, within=POLL_SECONDS):
            await self._journal.append(await self._cancel_by_prefect())

    async def _listen(self) -> float:
        """Hear what others do to the run; how long to wait before the journal is read without any hint."""
        state = self._journal.state
        if state.open_gates or state.lacks_lock or self._desk.has_deployment:
            self._listener.listen()
        else:
            await self._listener.stop()
        return POLL_WHILE_HEARING_SECONDS if self._listener.is_connected else POLL_SECONDS

    def _seconds_until_due(self) -> float:
        state = self._journal.state
        moments = [step.retry_at for step in state.steps.values() if step.retry_at]
        moments += [moment for moment in (gates.next_expiry(state), next_reminder(state, utc_now())) if moment]
        if not moments:
            return POLL_WHILE_HEARING_SECONDS
        return max(0.0, (min(moments) - utc_now()).total_seconds())

    async def _give_way(self) -> None:
        """A newer engine entered: finish what runs here, show a sign of life meanwhile, then say so and leave."""
        self._painter.stop_showing()
        if not self._work.names:
            await self._journal.append(lambda _state: [Fact(Kind.SUPERSEDED, {"engine": self.id})])
            raise fencing.Superseded("a newer engine runs this run")
        if (utc_now() - self._last_sign).total_seconds() >= fencing.SIGN_OF_LIFE_SECONDS:
            self._last_sign = utc_now()
            note = {"engine": self.id, "text": f"finishing {', '.join(self._work.names)}"}
            await self._journal.append(lambda _state: [Fact(Kind.NOTED, note)])

    async def _end(self) -> None:
        """Close the run, unless what it has made is to be taken away first: that run closes it."""
        workflow = self._run.workflow
        if not is_to_be_cleaned(workflow, self._journal.state):
            await self._close()
            return
        self.handed_over = await hand_over(self._client, self._flow_run, workflow, self._journal, self.id)
        self._tell(())
        self._painter.page(cleanup_page(self.handed_over.name, page_of(self._client, self.handed_over.id)))

    async def _close(self) -> None:
        shown, ref = await stored_run_outputs(self._run, self._lent)
        outline = self._run.decider.outline
        facts = await self._journal.append(lambda state: closing_fact(state, self.id, outline, shown, ref))
        self._tell(facts)
        reports = reports_of(self._journal.state)
        seconds = round(self._journal.state.active_seconds(utc_now()), 3)
        labels: dict[str, JSON] = {DURATION_LABEL: seconds, REPORTS_LABEL: len(reports)}
        if self._journal.state.gates:
            labels[APPROVAL_LABEL] = round(gates.waited_seconds(self._journal.state, utc_now()), 3)
        self._painter.job(lambda: self._picture.label(labels))
        if reports:
            self._painter.job(lambda: self._picture.mark(REPORTS_TAG))
            self._painter.page(reports_page(self._lent.run.name, reports))
        if shown:
            self._painter.page(outputs_page(shown))

    def _tell(self, facts: Sequence[Fact]) -> None:
        state = self._journal.state
        self._session.on_facts(self._run.workflow, state, facts)
        if fencing.is_current(state, self.id):
            self._painter.changed(self._run.workflow, state)

    def _gate_opened(self, facts: Sequence[Fact]) -> None:
        self._tell(facts)
        self._wake.set()

    def _warn_of_refusals(self, facts: Sequence[Fact]) -> None:
        for fact in facts:
            if fact.kind is Kind.REFUSED:
                self._logger.warning("refused, from %s: %s", fact.data.get("by") or "unknown", fact.data["reason"])
