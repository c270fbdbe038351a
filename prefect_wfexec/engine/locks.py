"""A run's lock: asked for before its first step, held through approvals, given back when the run is closed."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from uuid import UUID

import httpx

from prefect_wfexec.definition.model import Concurrency
from prefect_wfexec.engine import fencing
from prefect_wfexec.engine.cancelling import cancel_request
from prefect_wfexec.engine.nudge import nudge
from prefect_wfexec.engine.over import Judge
from prefect_wfexec.errors import JournalError, StepFailed, WfexecError, one_line
from prefect_wfexec.journal.anchors import LockJournal, open_anchor
from prefect_wfexec.journal.facts import ENGINE, Actor, Fact, Kind
from prefect_wfexec.journal.journal import Journal
from prefect_wfexec.journal.keys import Keys
from prefect_wfexec.journal.locks import Holder, LockState, Ticket, ask, give_back
from prefect_wfexec.journal.state import ExecutionState, LockPlace
from prefect_wfexec.steps.base import RunInfo

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient

logger = logging.getLogger(__name__)

JUDGE_EVERY_SECONDS = 5.0
IT_ENDED = "the run has ended"
OnConflict = Literal["queue", "cancel_new", "cancel_running"]


class RunLock:
    """The lock of one run, as one engine sees it. For a run that needs none, nothing happens.

    Args:
        engine: The engine's id.
        client: A Prefect client that stays open.
        journal: The run's journal.
        run: The run.
        keys: The key of the journals.
        home: Prefect's home, where engines of this machine leave traces of their commands.
        owner: The run that this one cleans up after, if it is a cleanup: it may hold the lock for both.
    """

    def __init__(
        self,
        engine: str,
        client: "PrefectClient",
        journal: Journal,
        run: RunInfo,
        keys: Keys,
        home: Path,
        owner: UUID | None = None,
    ) -> None:
        self._engine = engine
        self._client = client
        self._journal = journal
        self._run = run
        self._keys = keys
        self._owner = str(owner) if owner is not None else ""
        self._judge = Judge(client, keys, home)
        self._judge_at = 0.0
        self._lock: LockJournal | None = None
        self._key = ""
        self._had: Holder | None = None
        self._is_decided = False
        self._told_to_stop: set[str] = set()

    async def is_settled(self, concurrency: Concurrency | None) -> bool:
        """Whether the run need not wait: it has its lock, or does not go on. One look, to be repeated while it waits.

        Raises:
            JournalError: the lock can't be trusted.
            Unreachable: Prefect's API did not answer.
        """
        state = self._journal.state
        is_over = not fencing.is_current(state, self._engine) or state.closed is not None
        is_needed = state.validation is not None and bool(state.validation.lock)
        if not is_needed or is_over or self._is_decided:
            return True
        on_conflict: OnConflict = concurrency.on_conflict if concurrency is not None else "queue"
        lock = await self._opened(state)
        if state.lock is not None and state.lock.status != "waiting":
            await self._go_on(lock, state.lock)
            return True
        if state.cancel is not None:
            return await self._withdrawn(lock)
        while not await self._asked(lock, on_conflict):
            if not await self._is_freed(lock):
                return await self._waits(lock, on_conflict)
        return True

    async def check(self) -> None:
        """Make sure that the run still holds its lock, right before something that must not be done without.

        Raises:
            StepFailed: it does not; nothing was done yet.
        """
        if self._lock is None:
            return
        state = await self._lock.catch_up()
        holder, had = state.holder, self._had
        if holder and had and holder.ticket.id == had.ticket.id and holder.number >= had.number:
            return
        await self._journal.catch_up()
        now = f"now {holder.ticket.name} holds it" if holder is not None else "nobody holds it now"
        reason = self._journal.state.lock.reason if self._journal.state.lock is not None else ""
        why = f" ({reason})" if reason else ""
        raise StepFailed(
            f"this run has lost the lock '{self._key}'{why}, and {now}: nothing was changed",
            type="lock_lost",
            hint="retry the run: it asks for the lock again, and plans again",
            retryable=False,
        )

    async def release(self) -> None:
        """Give the lock back, or the place in its queue, and tell who comes next. The run has ended."""
        if self._lock is None:
            return
        lock, self._lock = self._lock, None
        try:
            await end_ticket(lock, lambda state: state.ticket_of(self._run.id), IT_ENDED)
            await tell_next(self._client, lock.state)
        except (WfexecError, httpx.HTTPError) as error:
            words = one_line(error) if isinstance(error, WfexecError) else repr(error)
            logger.warning("lock '%s' could not be given back, and is taken from this run later: %s", self._key, words)

    async def _opened(self, state: ExecutionState) -> LockJournal:
        if self._lock is None:
            self._key = state.validation.lock if state.validation is not None else ""
            self._lock = LockJournal(self._client, await open_anchor(self._client, self._key), self._keys)
        await self._lock.catch_up()
        return self._lock

    async def _go_on(self, lock: LockJournal, place: LockPlace) -> None:
        """The run had the lock when an earlier engine left it: it has it still, or has lost it for good."""
        self._is_decided = True
        if place.status == "held":
            await lock.append(lambda state: self._ask(state, may_wait=False) if state.is_held_by(self._run.id) else [])
            if not await self._has(lock):
                reason = "it was taken away while no process was at work"
                await self._note(Kind.LOCK_RELEASED, {"number": place.number, "reason": reason})

    def _ask(self, state: LockState, *, may_wait: bool) -> list[Fact]:
        return ask(state, self._key, self._run.id, self._run.name, may_wait=may_wait)

    async def _asked(self, lock: LockJournal, on_conflict: OnConflict) -> bool:
        """Whether the run has the lock; if not, it has its place in the queue, where it may wait."""
        if not lock.state.is_held_by(self._owner):
            await lock.append(lambda state: self._ask(state, may_wait=on_conflict != "cancel_new"))
        return await self._has(lock)

    async def _has(self, lock: LockJournal) -> bool:
        """Whether the run, or the one that it cleans up after, has the lock; if so, its journal says it."""
        holder = lock.state.holder
        if holder is None or holder.ticket.run not in {self._run.id, self._owner}:
            return False
        self._had, self._is_decided = holder, True
        await self._note(Kind.LOCK_ACQUIRED, {"number": self._had.number})
        return True

    async def _is_freed(self, lock: LockJournal) -> bool:
        """Whether the one whose turn it is was seen to be over, and its ticket ended; looked at now and then."""
        ahead = lock.state.ahead_of(self._run.id)
        now = asyncio.get_running_loop().time()
        if not ahead or now < self._judge_at:
            return False
        self._judge_at = now + JUDGE_EVERY_SECONDS
        if not await end_if_over(self._client, lock, ahead[0], self._judge):
            return False
        self._judge_at = 0.0
        return True

    async def _waits(self, lock: LockJournal, on_conflict: OnConflict) -> bool:
        """Say for whom the run waits, and do what its definition says of that; whether it is settled by that."""
        await self._note_waiting(lock.state)
        if on_conflict == "cancel_new":
            await self._cancel_itself(lock.state)
            return await self._withdrawn(lock)
        if on_conflict == "cancel_running" and lock.state.holder is not None:
            await self._stop_holder(lock.state.holder.ticket)
        return False

    async def _cancel_itself(self, lock: LockState) -> None:
        reason = f"lock '{lock.key}' is {_whose(lock)}"
        await self._journal.append(cancel_request(ENGINE, reason=reason))

    async def _stop_holder(self, holder: Ticket) -> None:
        if holder.id in self._told_to_stop:
            return
        reason = f"run {self._run.name} wants its lock"
        if await request_stop(self._client, self._keys, holder.run, reason):
            logger.info("run %s was asked to stop: %s", holder.name, reason)
        self._told_to_stop.add(holder.id)

    async def _withdrawn(self, lock: LockJournal) -> bool:
        """The run is cancelled without having the lock: it leaves the queue, and none of its steps runs."""
        await end_ticket(lock, lambda state: state.ticket_of(self._run.id), "it was cancelled")
        await tell_next(self._client, lock.state)
        self._is_decided = True
        return True

    async def _note_waiting(self, lock: LockState) -> None:
        holder, ahead = lock.holder, len(lock.ahead_of(self._run.id))
        name = holder.ticket.name if holder is not None else ""
        since = holder.since.isoformat() if holder is not None else None
        place = self._journal.state.lock
        if place is None or (place.holder, place.ahead) != (name, ahead):
            await self._note(Kind.LOCK_REQUESTED, {"holder": name, "since": since, "ahead": ahead})

    async def _note(self, kind: Kind, data: dict[str, object]) -> None:
        """Say in the run's own journal how it stands to its lock."""
        fact = Fact(kind, {"engine": self._engine, "key": self._key, **data})
        await self._journal.append(lambda state: [fact] if fencing.is_current(state, self._engine) else [])


async def end_ticket(
    lock: LockJournal,
    choose: Callable[[LockState], Ticket | None],
    reason: str,
    *,
    number: int | None = None,
    by: Actor = ENGINE,
) -> bool:
    """End the ticket that `choose` finds; whether there was one. See `give_back`."""

    def decide(state: LockState) -> list[Fact]:
        ticket = choose(state)
        return give_back(state, ticket, reason, number=number, by=by) if ticket is not None else []

    return bool(await lock.append(decide))


async def end_if_over(client: "PrefectClient", lock: LockJournal, ticket: Ticket, judge: Judge) -> bool:
    """End the ticket of a run that is over, and say so in that run's journal; whether it was."""
    holder = lock.state.holder
    number = holder.number if holder is not None and holder.ticket == ticket else 0
    if not await judge.is_over(ticket.run):
        return False
    reason = "the run is over and did not give it back"
    if not await end_ticket(lock, lambda _state: ticket, reason, number=number):
        return False
    await tell_loser(client, judge.keys, ticket.run, number, reason)
    return True


async def tell_loser(
    client: "PrefectClient", keys: Keys, run: str, number: int, reason: str, by: Actor = ENGINE
) -> None:
    """Say in a run's journal that it holds its lock no more, and wake it."""
    journal = await _other_journal(client, keys, run)
    fact = Fact(Kind.LOCK_RELEASED, {"number": number, "reason": reason}, actor=by)

    def decide(state: ExecutionState) -> list[Fact]:
        is_held = state.lock is not None and state.lock.status == "held" and state.lock.number <= number
        return [fact] if is_held else []

    if journal is not None and await journal.append(decide):
        await nudge(client, journal.run_id)


async def tell_next(client: "PrefectClient", lock: LockState) -> None:
    """Hint at the news to the run whose turn it is, which finds it a little later without."""
    if lock.holder is None and lock.queue:
        await nudge(client, UUID(lock.queue[0].run))


async def request_stop(client: "PrefectClient", keys: Keys, run: str, reason: str) -> bool:
    """Ask another run to stop, and wake it; whether there was anything to stop."""
    journal = await _other_journal(client, keys, run)
    if journal is None or not await journal.append(cancel_request(ENGINE, reason=reason)):
        return False
    await nudge(client, journal.run_id)
    return True


async def _other_journal(client: "PrefectClient", keys: Keys, run: str) -> Journal | None:
    """The journal of another run, read; None when it is not there, can't be trusted, or is another key's."""
    journal = Journal(client, UUID(run), keys)
    try:
        await journal.catch_up()
    except JournalError:
        return None
    return journal if journal.entries and not journal.is_foreign else None


def _whose(lock: LockState) -> str:
    if lock.holder is not None:
        return f"held by {lock.holder.ticket.name} since {lock.holder.since.isoformat(timespec='seconds')}"
    return f"wanted by {lock.queue[0].name} first" if lock.queue else "free"
