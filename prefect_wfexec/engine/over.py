"""Whether another run is over for good, so that what it held may be had by others."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import httpx

from prefect_wfexec.engine import fencing
from prefect_wfexec.engine.commands import Commands
from prefect_wfexec.engine.host import host_id, is_alive
from prefect_wfexec.engine.liveness import Watch
from prefect_wfexec.errors import JournalError
from prefect_wfexec.journal.facts import Fact, Kind
from prefect_wfexec.journal.journal import Journal
from prefect_wfexec.journal.keys import Keys
from prefect_wfexec.journal.state import ExecutionState
from prefect_wfexec.runtime.supervisor import Supervisor

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient

WHY_FENCED = "the run has ended, as Prefect has it: no process goes on with it"


class Judge:
    """Judges runs by what Prefect and their journals say.

    A run is over when its journal is closed. Where no engine could close it, it is over when Prefect shows it as ended,
    its engine is gone, and nothing that its engines had started goes on: it is entered first, so that none of them
    starts anything more.

    Args:
        client: A Prefect client that stays open.
        keys: The key of the runs' journals.
        home: Prefect's home, where engines of this machine leave traces of their commands.
        watch: What is known of engines from earlier looks, when somebody else looks at them too.
    """

    def __init__(self, client: "PrefectClient", keys: Keys, home: Path, watch: Watch | None = None) -> None:
        self._client = client
        self.keys = keys
        self._home = home
        self._watch = watch or Watch()
        self._journal: Journal | None = None

    async def is_over(self, run: str) -> bool:
        """Whether nothing of this run goes on or comes back by itself. What can't be known is not over.

        Raises:
            Unreachable: Prefect's API did not answer.
        """
        from prefect.exceptions import PrefectException

        try:
            return await self._is_over(UUID(run))
        except (httpx.HTTPError, PrefectException, JournalError, ValueError):
            return False

    async def _is_over(self, run: UUID) -> bool:
        journal = await self._read(run)
        if journal.state.closed is not None:
            return True
        # The journal was read first: an engine that enters after that is seen when the run is fenced off.
        shown = (await self._client.read_flow_run(run)).state
        if shown is None or not shown.is_final() or journal.is_foreign or await self._may_live(journal):
            return False
        watched_since = await _fence_off(journal)
        return watched_since is not None and self._are_claims_dead(journal, watched_since)

    async def _read(self, run: UUID) -> Journal:
        """The run's journal, kept from one look to the next."""
        if self._journal is None or self._journal.run_id != run:
            self._journal = Journal(self._client, run, self.keys)
        await self._journal.catch_up()
        return self._journal

    async def _may_live(self, journal: Journal) -> bool:
        """Whether an engine of the run may be at work: Prefect may take one for dead that is not.

        One on another machine is not known by its process, but by the signs that it shows, or does not.
        """
        if _may_live_here(journal.state):
            return True
        newest = journal.state.engine
        if newest is None or newest.left:
            return False
        return not await self._watch.is_gone(self._client, journal.run_id, journal.state)

    def _are_claims_dead(self, journal: Journal, watched_since: datetime) -> bool:
        watched = [self._watch.since(claim.engine) for claim in fencing.foreign_claims(journal.state, "")]
        watched_since = min([watched_since, *(since for since in watched if since is not None)])
        traces = self._home / "wfexec" / "runs" / str(journal.run_id)
        commands = Commands(Supervisor(), traces, lambda: ())
        return fencing.are_claims_dead(journal.state, "", commands, watched_since)


def _may_live_here(state: ExecutionState) -> bool:
    """Whether an engine of the run runs on this machine."""
    engines = (engine for engine in state.engines if engine.host == host_id() and not engine.left)
    return any(is_alive(engine.pid, engine.pid_started) for engine in engines)


async def _fence_off(journal: Journal) -> datetime | None:
    """Enter the run from this machine, once, and leave it at once; since when it is so. None when it goes on.

    Its clock is this machine's, so that the time since can be told.
    """
    known, fence = journal.state.engine, fencing.new_engine_id()
    if known is None or (known.left and known.host == host_id()):
        return known.at if known is not None else None

    def decide(state: ExecutionState) -> list[Fact]:
        if state.closed or state.engine is None or state.engine.id != known.id:
            return []
        return [fencing.entering(fence), Fact(Kind.SUPERSEDED, {"engine": fence, "text": WHY_FENCED})]

    await journal.append(decide)
    newest = journal.state.engine
    return newest.at if newest is not None and newest.id == fence else None
