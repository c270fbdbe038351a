"""Taking locks away: from runs that are over, and, by a person and on record, from a run that is not."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from prefect_wfexec.engine.liveness import Watch
from prefect_wfexec.engine.locks import end_if_over, end_ticket, tell_loser, tell_next
from prefect_wfexec.engine.over import Judge
from prefect_wfexec.errors import EngineError, UsageError
from prefect_wfexec.journal.facts import Actor
from prefect_wfexec.journal.keys import find_keys
from prefect_wfexec.settings import SECRET_KEY
from prefect_wfexec.views.locks import read_locks

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient

    from prefect_wfexec.journal.anchors import LockJournal

LONGEST_REASON = 1000


@dataclass(frozen=True, slots=True)
class Release:
    """A lock that was taken from a run, or a place in its queue.

    Attributes:
        key: The lock.
        run: The run's name.
        by: Who did it.
        reason: Why.
    """

    key: str
    run: str
    by: str
    reason: str

    def as_json(self) -> dict[str, Any]:
        return {"key": self.key, "run": self.run, "by": self.by, "reason": self.reason}


async def release_lock(client: "PrefectClient", key: str, *, by: str, reason: str) -> Release:
    """Take a lock from the run that holds it, whatever that run does; where nobody does, from the one that is next.

    The run is not stopped, but applies and destroys nothing any more.

    Raises:
        UsageError: no run holds the lock or waits for it, there is no reason, or this process has not the key.
    """
    if not reason.strip():
        raise UsageError("a lock is taken away for a reason only", hint="say why with --reason", code="no-reason")
    if len(reason) > LONGEST_REASON:
        raise UsageError(f"the reason has {len(reason)} characters, more than {LONGEST_REASON}")
    lock = next(iter([lock async for lock in read_locks(client, key)]), None)
    if lock is None or not lock.state.tickets:
        raise UsageError(f"no run holds lock '{key}' or waits for it", hint="see `wfexec locks`", code="no-lock")
    keys = await find_keys(client)
    if keys is None or lock.is_unchecked:
        raise UsageError(
            f"lock '{key}' can be taken away by a holder of the key only, and this process has another, or none",
            hint=f"give {SECRET_KEY.variable} the value that the runs' engines have",
            code="no-key",
        )
    first, holder = lock.state.tickets[0], lock.state.holder
    if not await end_ticket(lock, lambda _state: first, reason, by=Actor(by)):
        raise UsageError(f"run {first.name} gave lock '{key}' back by itself meanwhile", code="no-lock")
    await tell_loser(client, keys, first.run, holder.number if holder else 0, reason, Actor(by))
    await tell_next(client, lock.state)
    return Release(key, first.name, by, reason)


async def release_orphaned_locks(client: "PrefectClient", watch: Watch) -> list[Release]:
    """End the tickets of runs that are over and did not give them back: holders, and those that wait.

    Args:
        client: A Prefect client that stays open.
        watch: What is known of engines from earlier looks.
    """
    from prefect.settings import get_current_settings

    keys = await find_keys(client)
    if keys is None:
        return []
    judge = Judge(client, keys, get_current_settings().home, watch)
    found = []
    async for lock in read_locks(client):
        if not lock.is_unchecked:
            found += await _released(client, lock, judge)
    return found


async def _released(client: "PrefectClient", lock: "LockJournal", judge: Judge) -> list[Release]:
    found = []
    for ticket in lock.state.tickets:
        try:
            is_ended = await end_if_over(client, lock, ticket, judge)
        except EngineError:
            continue
        if is_ended:
            found.append(Release(lock.state.key, ticket.name, "reconcile", "its run is over"))
    if found:
        await tell_next(client, lock.state)
    return found
