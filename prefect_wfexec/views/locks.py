"""Locks that are held or wanted: who has each, since when, and who waits."""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from prefect_wfexec.errors import JournalError
from prefect_wfexec.journal.anchors import LockJournal, anchors
from prefect_wfexec.journal.keys import find_keys, keys_from_environment
from prefect_wfexec.journal.locks import LockState
from prefect_wfexec.views.execution import iso

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient


async def load_locks(client: "PrefectClient") -> list[dict[str, Any]]:
    """The locks that a run holds or waits for, by key."""
    rows = [_row(lock.state) async for lock in read_locks(client) if lock.state.tickets]
    return sorted(rows, key=lambda row: str(row["key"]))


async def read_locks(client: "PrefectClient", key: str | None = None) -> AsyncIterator[LockJournal]:
    """Every lock there ever was, as its journal says, but for those that can't be trusted; or the one of a key.

    Raises:
        JournalError: the one that was asked for can't be trusted.
    """
    keys = await find_keys(client)
    for anchor in await anchors(client, key):
        lock = LockJournal(client, anchor.id, keys)
        try:
            await lock.catch_up()
        except JournalError:
            if keys_from_environment() is not None:
                if key is not None:
                    raise
                continue
            # The engines have a key of their own, and this process only the one in Prefect's database.
            lock = LockJournal(client, anchor.id, None)
            await lock.catch_up()
        yield lock


def _row(lock: LockState) -> dict[str, Any]:
    holder = lock.holder
    return {
        "key": lock.key,
        "holder": holder.ticket.name if holder else None,
        "since": iso(holder.since) if holder else None,
        "number": holder.number if holder else None,
        "queue": [ticket.name for ticket in lock.queue],
    }
