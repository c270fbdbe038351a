"""The journal of one run, kept in Prefect's flow-run inputs: read what is new, append, verify.

A key that exists is refused with 409, so appends are atomic and totally ordered for any number of writers. 201 is the
only acknowledgement; whatever else comes back, the journal itself is asked whether the entry is in it.
"""

import asyncio
import hashlib
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from uuid import UUID

import httpx

from prefect_wfexec.errors import JournalError, Unreachable
from prefect_wfexec.journal.entries import read_entry, write_entry
from prefect_wfexec.journal.facts import Entry, Fact, new_id
from prefect_wfexec.journal.fold import fold
from prefect_wfexec.journal.keys import Keys
from prefect_wfexec.journal.state import ExecutionState
from prefect_wfexec.journal.wire import Wire

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient

KEY_PREFIX = "wfexec-journal-"
BLOCK = 100
RESENDS = 40
CONFLICTS = 200
LONGEST_PAUSE_SECONDS = 15.0

Decide = Callable[[ExecutionState], Sequence[Fact]]
"""Given the state as it is now, the facts to append; none: nothing to append after all."""


@dataclass(frozen=True, slots=True)
class Verification:
    """What checking the whole chain says.

    Attributes:
        verified: Every entry names the one before it, and every entry that must be signed is.
        keyed: The signatures were checked with the key.
        head: Digest of the last entry, empty for an empty journal.
        faults: What is wrong, a line each.
    """

    verified: bool
    keyed: bool
    head: str
    faults: tuple[str, ...] = ()


class Journal:
    """The journal of one run, folded and kept up to date.

    Args:
        client: A Prefect client that stays open as long as the journal is used.
        run_id: The flow run it belongs to.
        keys: The key to sign and check with; None: only requests can be appended, and signatures are taken on trust.
        wire: For one who appends much: entries go this way first. It is its owner's to close.
    """

    def __init__(self, client: "PrefectClient", run_id: UUID, keys: Keys | None, wire: Wire | None = None) -> None:
        self._client = client
        self.run_id = run_id
        self.keys = keys
        self._wire = wire
        self._lock = asyncio.Lock()
        self._unread = 0
        self.entries: list[Entry] = []
        self.state = ExecutionState()

    @property
    def next_number(self) -> int:
        """The number of the entry that comes next."""
        return self._unread + len(self.entries) + 1

    @property
    def head(self) -> str:
        """Digest of the last entry read, empty when there is none."""
        return self.entries[-1].digest if self.entries else ""

    @property
    def is_foreign(self) -> bool:
        """Whether who opened it signed with another key than it is read with, whoever else wrote into it."""
        first = next((entry for entry in self.entries if entry.signed), None)
        return first is not None and not first.keyed

    @property
    def is_unchecked(self) -> bool:
        """Whether it is signed and this process has no key to check that with: forged entries look like true ones."""
        return self.keys is None and any(entry.signed for entry in self.entries)

    async def catch_up(self) -> int:
        """Read and fold what is new; how many entries that were.

        Raises:
            JournalError: an entry is missing, or one does not follow the one before it.
            Unreachable: Prefect's API did not answer.
        """
        async with self._lock:
            return len(await self._read_new())

    async def skip_to_last_block(self) -> None:
        """Leave unread what comes before the block of the last entry: for a journal whose entries tell what was before.

        To be called before anything is read. The entries that are left out are neither folded nor checked.

        Raises:
            JournalError: the run is gone.
            Unreachable: Prefect's API did not answer.
        """
        async with self._lock:
            low, high = 0, 1
            while await self._has_entry(high * BLOCK):
                low, high = high, high * 2
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if await self._has_entry(middle * BLOCK) else (low, middle)
            self._unread = max(0, low * BLOCK - 1)

    async def _has_entry(self, number: int) -> bool:
        status, _ = await self._answer("GET", f"/flow_runs/{{id}}/input/{_key(number)}")
        return status == HTTPStatus.OK

    async def append(self, decide: Decide) -> tuple[Fact, ...]:
        """Append what `decide` says, deciding again whenever another writer was first.

        Returns:
            The facts now in the journal; empty when there was nothing to append.

        Raises:
            JournalError: the run is gone, or the journal can't be trusted.
            Unreachable: Prefect's API did not answer.
        """
        async with self._lock:
            for conflict in range(CONFLICTS):
                facts = tuple(decide(self.state))
                if not facts:
                    return ()
                if await self._append_once(facts):
                    return facts
                await asyncio.sleep(random.uniform(0, min(0.01 * (conflict + 1), 0.5)))  # noqa: S311 - jitter only
            raise JournalError(f"the journal of run {self.run_id} refused {CONFLICTS} appends in a row")

    async def _append_once(self, facts: tuple[Fact, ...]) -> bool:
        """Whether the facts are in the journal; False: someone else was first and the state has moved on."""
        number, entry_id, prev = self.next_number, new_id(), self.head
        text = write_entry(str(self.run_id), number, entry_id, prev, facts, self.keys)
        status = await self._post(_key(number), text)
        if status == HTTPStatus.CREATED:
            digest = hashlib.sha256(text.encode("ascii")).hexdigest()
            is_keyed = self.keys is not None
            self._take(Entry(number, entry_id, facts, is_keyed, digest, prev, is_keyed))
            return True
        new = await self._read_new()
        if any(entry.id == entry_id for entry in new):
            return True
        if not new:
            await self._require_run(status)
        return False

    async def _post(self, key: str, text: str) -> int:
        """Send one entry until the API says anything definite; its status code."""
        body = {"key": key, "value": text, "sender": None}
        if self._wire is not None:
            status = await self._wire.send("POST", f"/flow_runs/{self.run_id}/input", body)
            if status in _DEFINITE:
                return status
        return (await self._answer("POST", "/flow_runs/{id}/input", json=body))[0]

    async def _read_new(self) -> list[Entry]:
        new: list[Entry] = []
        while True:
            number = self.next_number
            texts = await self._read_block(number)
            for offset, (key, text, received) in enumerate(texts):
                if key != _key(number + offset):
                    raise JournalError(f"entry {_key(number + offset)} of run {self.run_id} is missing")
                entry = replace(read_entry(str(self.run_id), number + offset, text, self.keys), received=received)
                new.append(entry)
                self._take(entry)
            if (number + len(texts)) // BLOCK == number // BLOCK:
                return new

    async def _read_block(self, number: int) -> list[tuple[str, str, datetime]]:
        """Key, text and time of arrival of each entry from `number` to the end of its block, in order."""
        first = number // BLOCK * BLOCK
        body = {
            "prefix": _key(number)[:-2],
            "limit": BLOCK,
            "exclude_keys": [_key(known) for known in range(max(first, 1), number)],
        }
        response = await self._retried("POST", "/flow_runs/{id}/input/filter", json=body)
        rows = sorted(response.json(), key=lambda row: str(row["key"]))
        return [(str(row["key"]), str(row["value"]), datetime.fromisoformat(row["created"])) for row in rows]

    def _take(self, entry: Entry) -> None:
        is_first_read = self._unread > 0 and not self.entries
        if entry.prev != self.head and entry.keyed and not is_first_read:
            raise JournalError(f"entry {entry.number} of run {self.run_id} does not follow the one before it")
        self.entries.append(entry)
        self.state = fold([entry], self.state)

    async def _require_run(self, status: int) -> None:
        try:
            await self._retried("GET", "/flow_runs/{id}")
        except JournalError:
            raise JournalError(f"run {self.run_id} is gone, and its journal with it") from None
        if status not in {HTTPStatus.CONFLICT, HTTPStatus.NOT_FOUND}:
            raise JournalError(f"prefect's API refuses entries of run {self.run_id} with status {status}")

    async def _retried(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        status, response = await self._answer(method, path, **arguments)
        if response is None:
            raise JournalError(f"prefect's API answers {status} to {method} of run {self.run_id}")
        return response

    async def _answer(self, method: str, path: str, **arguments: Any) -> tuple[int, httpx.Response | None]:
        """Ask until the API says anything definite; the status code, and the response when it is a good one."""
        pause, fault = 0.1, ""
        for _ in range(RESENDS):
            try:
                response = await self._request(method, path, **arguments)
            except httpx.HTTPStatusError as error:
                status = error.response.status_code
                if status < HTTPStatus.INTERNAL_SERVER_ERROR and status not in _PASSING:
                    return status, None
                fault = f"answers {status}"
            except httpx.TransportError as error:
                fault = f"can't be reached ({type(error).__name__})"
            else:
                return response.status_code, response
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - jitter only
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
        raise Unreachable(
            f"prefect's API {fault}; the journal of run {self.run_id} is out of reach",
            hint="start the server again; the run goes on from its journal",
        )

    async def _request(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        return await self._client.request(method, path, path_params={"id": self.run_id}, **arguments)  # type: ignore[arg-type]

    def verify(self) -> Verification:
        """Check the chain as read so far."""
        faults, prev = [], ""
        for entry in self.entries:
            if entry.prev != prev:
                faults.append(f"entry {entry.number} does not follow entry {entry.number - 1}")
            if not entry.keyed and len(entry.trusted_facts) != len(entry.facts):
                faults.append(f"entry {entry.number} says what only a holder of the key may say")
            if not entry.facts:
                faults.append(f"entry {entry.number} is no entry of ours")
            prev = entry.digest
        return Verification(not faults, self.keys is not None, self.head, tuple(faults))


_DEFINITE = (HTTPStatus.CREATED, HTTPStatus.CONFLICT)
_PASSING = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS}


def _key(number: int) -> str:
    return f"{KEY_PREFIX}{number:08d}"
