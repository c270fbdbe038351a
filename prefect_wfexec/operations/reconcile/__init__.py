"""Setting right what no process does: dead engines, cancels and cleanups nobody carries out, gates, locks."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from prefect_wfexec.engine.cancelling import cancel_request, is_cancelled_in_prefect
from prefect_wfexec.engine.cleanup.policy import read_rules
from prefect_wfexec.engine.launch import execute_alone, finish_cleanup
from prefect_wfexec.engine.liveness import Watch
from prefect_wfexec.engine.nudge import wake
from prefect_wfexec.engine.retrying import PREFECT_USER
from prefect_wfexec.engine.session import Session
from prefect_wfexec.errors import EngineError, one_line
from prefect_wfexec.journal.facts import Actor, Fact, Kind, utc_now
from prefect_wfexec.journal.journal import Journal
from prefect_wfexec.operations.cancel import carry_out, dispatch
from prefect_wfexec.operations.connection import connected
from prefect_wfexec.operations.locks import release_orphaned_locks
from prefect_wfexec.operations.reconcile.jobs import Act, Jobs
from prefect_wfexec.operations.reconcile.reports import remove_old_reports
from prefect_wfexec.operations.reconcile.waiting import due
from prefect_wfexec.operations.reconcile.workspaces import tidy_workspaces
from prefect_wfexec.operations.schedules import sync_all_schedules
from prefect_wfexec.status import RunStatus
from prefect_wfexec.views.find import read_journal
from prefect_wfexec.views.live import PassedOver, live_journal, unsettled_runs
from prefect_wfexec.views.load import pinned_workflow

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.objects import FlowRun

RECONCILER = Actor("reconcile")
PATIENCE = timedelta(minutes=1)
"""How long a cleanup is given to be scheduled by whoever made it."""
MOST_BEGINNINGS = 5
"""How often a cleanup is begun again whose process is lost each time."""
STARTING = timedelta(minutes=5)
"""How long a worker is given to begin a process."""


class Reconciler:
    """Looks at every run, as often as it is asked to.

    What it does itself in place of a dead process may wait for a lock or for a decision. That goes on in the
    background between the looks, with a client of its own, and holds up no other run.
    """

    def __init__(self) -> None:
        self._watch = Watch()
        self._jobs = Jobs()

    @property
    def is_waiting(self) -> bool:
        """Whether another look is needed: something goes on still, or was not watched for long enough to tell."""
        return self._watch.is_waiting or self._jobs.are_going

    def forget(self) -> None:
        """The API could not be asked: what was not seen since says nothing."""
        self._watch.forget()

    async def wait(self, seconds: float) -> None:
        """Until something that went on has ended, or for this long."""
        await self._jobs.wait(seconds)

    async def look(self, client: "PrefectClient") -> tuple[list[Act], list[PassedOver]]:
        """Set every run right that nobody else does.

        Returns:
            What was done, and the runs of which nobody here can know whether something is to be done.
        """
        acts, passed_over = await _look(client, self._watch, self._jobs)
        ended, failed = self._jobs.ended()
        return acts + ended, passed_over + failed


async def _look(client: "PrefectClient", watch: Watch, jobs: Jobs) -> tuple[list[Act], list[PassedOver]]:
    from prefect.settings import get_current_settings

    watch.look_again()
    acts = [
        Act(released.run, f"released lock '{released.key}'", released.reason)
        for released in await release_orphaned_locks(client, watch)
    ]
    acts += [
        Act(f"deployment {one.deployment}", f"schedule '{one.schedule}' {one.act}", "its definition says so")
        for one in await sync_all_schedules(client)
    ]
    removed, passed_over = await remove_old_reports(client, utc_now(), RECONCILER)
    acts += [Act(one.run, f"removed {one.count} reports", one.reason) for one in removed]
    acts += [
        Act(run, "removed its files", "they are not needed on this machine any more")
        for run in await tidy_workspaces(client, get_current_settings().home, utc_now())
    ]
    for flow_run in await unsettled_runs(client):
        if jobs.has(flow_run.id):
            continue
        journal = await live_journal(client, flow_run)
        if isinstance(journal, PassedOver):
            passed_over.append(journal)
            continue
        try:
            act = await _Run(client, flow_run, journal, watch, jobs).set_right()
        except EngineError as error:
            passed_over.append(PassedOver(flow_run.name, one_line(error)))
            continue
        acts += [act] if act is not None else []
    return acts, passed_over


@dataclass(frozen=True, slots=True)
class _Run:
    """A run that is looked at."""

    client: "PrefectClient"
    flow_run: "FlowRun"
    journal: Journal
    watch: Watch
    jobs: Jobs

    async def set_right(self) -> Act | None:
        """Do the one thing that is to be done first, if anything is."""
        state = self.journal.state
        if state.closed is not None or (state.opened is None and self._is_ended):
            return None
        if state.cleanup is not None and state.cleanup.status is None:
            return await self._look_at_cleanup(UUID(state.cleanup.run))
        is_gone = not self._is_starting and await self.watch.is_gone(self.client, self.flow_run.id, state)
        if is_gone or self._is_left:
            if await is_cancelled_in_prefect(self.client, self.flow_run.id) and state.cancel is None:
                await self._ask_to_stop()
            if self.journal.state.cancel is not None:
                return await self._at_length("stopped", "nobody carried out its cancel", _Run._carry_out)
        if is_gone:
            return await self._take_up()
        reason = due(state, utc_now())
        return await self._done("resumed", reason, self._wake) if reason else None

    @property
    def _is_ended(self) -> bool:
        return self.flow_run.state is not None and self.flow_run.state.is_final()

    @property
    def _is_starting(self) -> bool:
        """Whether a worker is about to begin a process, or has just begun one."""
        shown = self.flow_run.state
        is_pending = shown is not None and shown.is_pending() and utc_now() - shown.timestamp < STARTING
        return is_pending or (shown is not None and shown.is_scheduled())

    @property
    def _is_left(self) -> bool:
        """Whether no process runs the run, and none is about to."""
        shown, engine = self.flow_run.state, self.journal.state.engine
        is_ended = shown is not None and (shown.is_final() or shown.is_cancelling())
        return is_ended and (engine is None or engine.left)

    async def _ask_to_stop(self) -> None:
        workflow = pinned_workflow(self.journal.state)
        cleans_up = workflow is not None and (await read_rules(workflow)).on_cancel == "cleanup"
        await self.journal.append(cancel_request(PREFECT_USER, cleans_up=cleans_up))

    async def _carry_out(self) -> bool:
        await carry_out(self.client, self.flow_run, self.journal, is_lost=True)
        return True

    async def _wake(self) -> bool:
        return await wake(self.client, self.flow_run.id)

    async def _take_up(self) -> Act | None:
        """Its process is gone: a worker goes on with it; one without a deployment is shown for what it is."""
        reason = "its process is gone"
        if self.flow_run.deployment_id is not None:
            return await self._done("taken up", reason, self._dispatch)
        return await self._done("shown as ended", f"{reason}; `wfexec retry` goes on with it", self._show_error)

    async def _dispatch(self) -> bool:
        await dispatch(self.client, self.flow_run)
        return True

    async def _show_error(self) -> bool:
        from prefect.client.schemas.objects import State, StateType

        if self.flow_run.state is not None and self.flow_run.state.is_final():
            return False
        state: State[Any] = State(type=StateType.CRASHED, name=RunStatus.ERROR.value, message="its process is gone")
        await self.client.set_flow_run_state(self.flow_run.id, state, force=True)
        return True

    async def _look_at_cleanup(self, cleanup_id: UUID) -> Act | None:
        cleanup = await self.client.read_flow_run(cleanup_id)
        if self.journal.keys is None or cleanup.state is None:
            return None
        if cleanup.state.is_final():
            return await self._look_at_ended(cleanup)
        if cleanup.deployment_id is not None:
            return await self._look_at_unbegun(cleanup)
        if not await self._is_cleaning_lost(cleanup):
            return None
        reason = f"nobody went on with {cleanup.name}"
        return await self._at_length("cleaned up", reason, lambda run: run._clean_here(cleanup))

    async def _look_at_ended(self, cleanup: "FlowRun") -> Act | None:
        """A cleanup that Prefect has as ended: its journal says whether it is, or whether its process was killed."""
        journal = await live_journal(self.client, cleanup)
        if isinstance(journal, PassedOver):
            raise EngineError(f"of its cleanup {cleanup.name} nothing can be said: {journal.reason}")
        state = journal.state
        if state.closed is not None:
            return await self._done("ended", f"its cleanup {cleanup.name} has", lambda: self._end(cleanup))
        may_live = state.engine is not None and not state.engine.left
        if may_live and not await self.watch.is_gone(self.client, cleanup.id, state):
            return None
        if cleanup.run_count >= MOST_BEGINNINGS:
            words = f"its cleanup {cleanup.name} has lost its process {cleanup.run_count} times"
            raise EngineError(words, hint=f"find out why, then `wfexec retry {cleanup.name}`")
        reason = f"the process of {cleanup.name} is gone"
        if cleanup.deployment_id is not None:
            return await self._done("cleaned up", reason, lambda: self._begin(cleanup))
        return await self._at_length("cleaned up", reason, lambda run: run._clean_here(cleanup))

    async def _look_at_unbegun(self, cleanup: "FlowRun") -> Act | None:
        assert cleanup.state is not None, "it was looked at"
        is_forgotten = cleanup.state.is_pending() and utc_now() - cleanup.state.timestamp > PATIENCE
        if not is_forgotten or cleanup.start_time is not None:
            return None
        return await self._done("cleaned up", f"{cleanup.name} never began", lambda: self._begin(cleanup))

    async def _is_cleaning_lost(self, cleanup: "FlowRun") -> bool:
        """Whether the process is gone that was to clean up without a worker."""
        journal = await live_journal(self.client, cleanup)
        if isinstance(journal, PassedOver):
            return False
        looked_at = cleanup.id if journal.state.engine is not None else self.flow_run.id
        state = journal.state if journal.state.engine is not None else self.journal.state
        return await self.watch.is_gone(self.client, looked_at, state)

    async def _begin(self, cleanup: "FlowRun") -> bool:
        await dispatch(self.client, cleanup)
        return True

    async def _end(self, cleanup: "FlowRun") -> bool:
        """What cleaned up has ended, and not said so: its run is brought to its end here."""
        workflow, keys = pinned_workflow(self.journal.state), self.journal.keys
        if workflow is None or keys is None:
            return False
        await finish_cleanup(self.client, cleanup, workflow, keys)
        return True

    async def _clean_here(self, cleanup: "FlowRun") -> bool:
        workflow, keys = pinned_workflow(self.journal.state), self.journal.keys
        if workflow is None or keys is None:
            return False
        await execute_alone(self.client, cleanup, workflow, keys, Session())
        return True

    async def _at_length(self, act: str, reason: str, do: Callable[["_Run"], Awaitable[bool]]) -> Act | None:
        """Do it in the background, unless a worker does: it may take long. It is told of once it has ended."""
        if self.flow_run.deployment_id is not None:
            return await self._done(act, reason, lambda: do(self))

        async def job() -> Act | None:
            async with connected() as client:
                journal = await read_journal(client, self.flow_run)
                run = replace(self, client=client, journal=journal)
                return await run._done(act, reason, lambda: do(run))

        self.jobs.start(self.flow_run.id, self.flow_run.name, job())
        return None

    async def _done(self, act: str, reason: str, do: Callable[[], Awaitable[bool]]) -> Act | None:
        """Do it, and put on record that it was done."""
        if not await do():
            return None
        if self.journal.keys is not None:
            fact = Fact(Kind.RECONCILED, {"act": act, "reason": reason}, RECONCILER)
            await self.journal.append(lambda _state: [fact])
        return Act(self.flow_run.name, act, reason)
