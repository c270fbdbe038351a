"""Where the journals of locks are kept: for each key a flow run that is never executed, the lock's anchor."""

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import UUID

import httpx

from prefect_wfexec.errors import JournalError, Unreachable
from prefect_wfexec.journal.facts import Fact
from prefect_wfexec.journal.journal import Journal
from prefect_wfexec.journal.keys import Keys
from prefect_wfexec.journal.locks import AFTER, LockState, fold_lock, fold_lock_facts, state_after
from prefect_wfexec.settings import SECRET_KEY

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.objects import FlowRun

FLOW = "wfexec-locks"
TAG = "wfexec-lock"
"""What marks an anchor; it is not the tag of runs, so no list of runs shows it."""
STATE_NAME = "Lock"
PAGE = 200
LONGEST_NAME = 100
PAUSES_SECONDS = (0.2, 1.0, 5.0, 10.0, 15.0, 15.0)
"""Between tries to reach the API."""

Decide = Callable[[LockState], Sequence[Fact]]


class LockJournal:
    """The journal of one lock, folded and kept up to date; its last entry says what all of them say.

    Args:
        client: A Prefect client that stays open as long as the journal is used.
        anchor: The flow run it is kept in.
        keys: The key to sign and check with; None: nothing can be appended, and signatures are taken on trust.
    """

    def __init__(self, client: "PrefectClient", anchor: UUID, keys: Keys | None) -> None:
        self._client = client
        self._journal = Journal(client, anchor, keys)
        self._is_begun = False
        self._folded = 0
        self.anchor = anchor
        self.state = LockState()

    @property
    def is_unchecked(self) -> bool:
        """Whether it is signed and this process has no key to check that with."""
        return self._journal.is_unchecked

    async def catch_up(self) -> LockState:
        """Read and fold what is new; the state.

        Raises:
            JournalError: it can't be trusted, or the anchor is gone.
            Unreachable: Prefect's API did not answer.
        """
        if not self._is_begun:
            await self._begin()
        await self._journal.catch_up()
        return self._fold()

    async def append(self, decide: Decide) -> tuple[Fact, ...]:
        """Append what `decide` says, deciding again whenever another writer was first; see `Journal.append`."""
        if self._journal.keys is None:
            raise JournalError("only a holder of the key writes into the journal of a lock")
        if not self._is_begun:
            await self._begin()

        def with_state(_state: object) -> Sequence[Fact]:
            facts = decide(self._fold())
            if not facts:
                return ()
            after = fold_lock_facts(facts, self.state, self._journal.next_number)
            return (*facts[:-1], replace(facts[-1], data={**facts[-1].data, AFTER: after.as_json()}))

        facts = await self._journal.append(with_state)
        self._fold()
        return facts

    async def _begin(self) -> None:
        """Read no more than is needed to know the state: all of it, when no entry of the last block tells."""
        await self._journal.skip_to_last_block()
        await self._journal.catch_up()
        known = [state_after(entry) for entry in self._journal.entries]
        place = next((place for place in reversed(range(len(known))) if known[place] is not None), None)
        if place is not None:
            self.state, self._folded = known[place] or LockState(), place + 1
        elif self._journal.next_number > len(self._journal.entries) + 1:
            self._journal = Journal(self._client, self.anchor, self._journal.keys)
            await self._journal.catch_up()
        self._is_begun = True

    def _fold(self) -> LockState:
        if self._journal.is_foreign:
            raise JournalError(
                f"the journal of a lock ({self.anchor}) was signed with another key than this process has",
                hint=f"give {SECRET_KEY.variable} one value wherever runs use that lock",
            )
        entries = self._journal.entries
        self.state = fold_lock(entries[self._folded :], self.state)
        self._folded = len(entries)
        return self.state


async def open_anchor(client: "PrefectClient", key: str) -> UUID:
    """The flow run of a lock, made here when it is not there yet: once, however many make it at the same moment.

    Raises:
        Unreachable: Prefect's API did not answer.
    """
    body = {
        "name": f"lock {key}"[:LONGEST_NAME],
        "idempotency_key": idempotency_key(key),
        "state": {"type": "COMPLETED", "name": STATE_NAME},
        "tags": [TAG],
    }
    for pause in (*PAUSES_SECONDS, None):
        try:
            flow = await client.request("POST", "/flows/", json={"name": FLOW})
            made = await client.request("POST", "/flow_runs/", json=body | {"flow_id": flow.json()["id"]})
        except httpx.HTTPError as error:
            if pause is None:
                raise Unreachable(f"lock '{key}' can't be reached: {error!r}", hint="start the server again") from error
            await asyncio.sleep(pause)
        else:
            break
    return UUID(made.json()["id"])


async def anchors(client: "PrefectClient", key: str | None = None) -> list["FlowRun"]:
    """The anchors that are there, of all keys or of one."""
    from prefect.client.schemas.filters import (
        FlowFilter,
        FlowFilterName,
        FlowRunFilter,
        FlowRunFilterIdempotencyKey,
    )
    from prefect.client.schemas.sorting import FlowRunSort

    wanted = FlowRunFilter()
    if key is not None:
        wanted.idempotency_key = FlowRunFilterIdempotencyKey(any_=[idempotency_key(key)])
    flows = FlowFilter(name=FlowFilterName(any_=[FLOW]))
    found: list[FlowRun] = []
    while True:
        page = await client.read_flow_runs(
            flow_filter=flows, flow_run_filter=wanted, sort=FlowRunSort.ID_DESC, limit=PAGE, offset=len(found)
        )
        found += page
        if len(page) < PAGE:
            return found


def idempotency_key(key: str) -> str:
    """What makes the anchor of a key the only one."""
    return "wfexec-lock-" + hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
