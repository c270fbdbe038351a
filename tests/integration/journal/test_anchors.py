"""The journals of locks against a real Prefect server."""

import asyncio
from uuid import uuid4

import pytest
from prefect.client.orchestration import PrefectClient, get_client

from prefect_wfexec.errors import JournalError
from prefect_wfexec.journal.anchors import FLOW, LockJournal, anchors, open_anchor
from prefect_wfexec.journal.facts import Fact, Kind
from prefect_wfexec.journal.journal import Journal
from prefect_wfexec.journal.keys import Keys
from prefect_wfexec.journal.locks import LockState, ask, give_back

KEYS = Keys("a key of more than sixteen characters")
OTHER_KEYS = Keys("another key of more than sixteen characters")


def new_key() -> str:
    return f"tests/{uuid4()}"


async def ask_for(lock: LockJournal, key: str, run: str) -> None:
    await lock.append(lambda state: ask(state, key, run, f"wfr_{run}", may_wait=True))


async def give(lock: LockJournal, run: str) -> None:
    def decide(state: LockState) -> list[Fact]:
        ticket = state.ticket_of(run)
        return give_back(state, ticket, "it ended") if ticket else []

    await lock.append(decide)


async def test_twenty_at_once_make_one_anchor_that_is_never_executed(api):
    key = new_key()
    async with get_client() as client:
        made = await asyncio.gather(*(open_anchor(client, key) for _ in range(20)))
        (anchor,) = set(made)
        (found,) = await anchors(client, key)
        assert found.id == anchor and found.state.is_completed() and found.state.name == "Lock"
        assert (await client.read_flow(found.flow_id)).name == FLOW
        assert await open_anchor(client, key) == anchor
        assert await open_anchor(client, new_key()) != anchor


async def test_of_many_at_once_each_has_the_lock_alone_and_in_its_turn(api):
    key, runs = new_key(), [f"r{number}" for number in range(8)]
    had: list[tuple[str, int]] = []
    async with get_client() as client:
        anchor = await open_anchor(client, key)

        async def run(name: str) -> None:
            lock = LockJournal(client, anchor, KEYS)
            await ask_for(lock, key, name)
            while not lock.state.is_held_by(name):
                await asyncio.sleep(0.05)
                await lock.catch_up()
                await ask_for(lock, key, name)
            had.append((name, lock.state.number))
            await give(lock, name)

        await asyncio.gather(*(run(name) for name in runs))
        journal = Journal(client, anchor, KEYS)
        await journal.catch_up()
    asked = [fact.data["run"] for entry in journal.entries for fact in entry.facts if fact.kind is Kind.LOCK_REQUESTED]
    assert [name for name, _ in had] == asked and sorted(asked) == runs
    numbers = [number for _, number in had]
    assert numbers == sorted(set(numbers))
    assert journal.verify().verified


@pytest.mark.parametrize("turns", [32, 33, 49, 50, 51, 110])
async def test_a_long_journal_is_known_from_its_end(api, turns):
    key = new_key()
    async with get_client() as client:
        anchor = await open_anchor(client, key)
        lock = LockJournal(client, anchor, KEYS)
        for _ in range(turns):
            await ask_for(lock, key, "a")
            await give(lock, "a")
        await ask_for(lock, key, "b")
        await ask_for(lock, key, "c")
        counting = Counting(client)
        late = LockJournal(counting, anchor, KEYS)  # type: ignore[arg-type]
        assert await late.catch_up() == lock.state
        assert late.state.is_held_by("b") and late.state.number == 2 * turns + 1
        assert len(late._journal.entries) <= 100
        assert counting.requests <= 6
        await give(late, "b")
        await ask_for(late, key, "c")
        assert (await lock.catch_up()) == late.state


class Counting:
    """A client that counts its requests."""

    def __init__(self, client: PrefectClient) -> None:
        self._client = client
        self.requests = 0

    async def request(self, *arguments: object, **options: object) -> object:
        self.requests += 1
        return await self._client.request(*arguments, **options)  # type: ignore[arg-type]


async def test_entries_that_tell_nothing_make_the_whole_journal_be_read(api):
    key = new_key()
    async with get_client() as client:
        anchor = await open_anchor(client, key)
        lock = LockJournal(client, anchor, KEYS)
        await ask_for(lock, key, "a")
        stranger = Journal(client, anchor, None)
        await stranger.catch_up()
        for _ in range(105):
            await stranger.append(lambda _state: [Fact(Kind.LOCK_RELEASED, {"ticket": "x"})])
        late = LockJournal(client, anchor, KEYS)
        assert (await late.catch_up()).is_held_by("a")


async def test_engines_with_different_keys_do_not_share_a_lock_unawares(api):
    key = new_key()
    async with get_client() as client:
        anchor = await open_anchor(client, key)
        first = LockJournal(client, anchor, KEYS)
        second = LockJournal(client, anchor, OTHER_KEYS)
        await second.catch_up()
        await ask_for(first, key, "a")
        with pytest.raises(JournalError, match="another key"):
            await ask_for(second, key, "b")
        with pytest.raises(JournalError, match="another key"):
            await LockJournal(client, anchor, OTHER_KEYS).catch_up()
        unchecked = LockJournal(client, anchor, None)
        assert (await unchecked.catch_up()).is_held_by("a") and unchecked.is_unchecked
        with pytest.raises(JournalError, match="holder of the key"):
            await ask_for(unchecked, key, "b")
