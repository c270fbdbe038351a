"""The journal against a real Prefect server."""

import asyncio
import random
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.filesystems import LocalFileSystem
from prefect.states import Pending

from prefect_wfexec.errors import EngineError, JournalError
from prefect_wfexec.journal.blobref import BlobRef
from prefect_wfexec.journal.blobs import Blobs
from prefect_wfexec.journal.facts import Fact, Kind
from prefect_wfexec.journal.journal import KEY_PREFIX, Journal
from prefect_wfexec.journal.keys import Keys, load_keys
from prefect_wfexec.settings import SECRET_KEY, STORAGE

KEYS = Keys("a key of more than sixteen characters")


@flow
def nothing() -> None: ...


async def new_run(client) -> UUID:
    return (await client.create_flow_run(nothing, state=Pending())).id


def note(text: str) -> Fact:
    return Fact(Kind.NOTED, {"text": text})


async def test_concurrent_writers_lose_double_and_reorder_nothing(api):
    writers, each = 8, 12

    async def write(number: int, run_id: UUID) -> None:
        async with get_client() as client:
            journal = Journal(client, run_id, KEYS)
            for i in range(each):
                await journal.append(lambda _state, i=i: [note(f"{number}-{i}")])

    async with get_client() as client:
        run_id = await new_run(client)
        await asyncio.gather(*(write(number, run_id) for number in range(writers)))
        journal = Journal(client, run_id, KEYS)
        assert await journal.catch_up() == writers * each
    texts = [entry.facts[0].data["text"] for entry in journal.entries]
    assert sorted(texts) == sorted(f"{number}-{i}" for number in range(writers) for i in range(each))
    for number in range(writers):
        mine = [text for text in texts if text.startswith(f"{number}-")]
        assert mine == [f"{number}-{i}" for i in range(each)]
    verification = journal.verify()
    assert verification.verified and verification.keyed and verification.head == journal.head


async def test_an_append_decides_again_when_another_was_first(api):
    async with get_client() as client:
        run_id = await new_run(client)
        first, second = Journal(client, run_id, KEYS), Journal(client, run_id, KEYS)
        await first.append(lambda _state: [Fact(Kind.ENTERED, {"engine": "one"})])
        seen: list[str | None] = []

        def decide(state):
            seen.append(state.engine.id if state.engine else None)
            return [] if state.engine else [Fact(Kind.ENTERED, {"engine": "two"})]

        assert await second.append(decide) == ()
    assert seen == [None, "one"]


async def test_more_than_a_block_of_entries_is_read_in_order(api):
    async with get_client() as client:
        run_id = await new_run(client)
        writer = Journal(client, run_id, KEYS)
        for i in range(203):
            await writer.append(lambda _state, i=i: [note(str(i))])
        reader = Journal(client, run_id, KEYS)
        await reader.catch_up()
        assert [entry.facts[0].data["text"] for entry in reader.entries] == [str(i) for i in range(203)]
        await writer.append(lambda _state: [note("last")])
        assert await reader.catch_up() == 1
        assert await reader.catch_up() == 0


async def test_a_forged_entry_counts_for_nothing(api):
    async with get_client() as client:
        run_id = await new_run(client)
        owner = Journal(client, run_id, KEYS)
        await owner.append(lambda _state: [Fact(Kind.ENTERED, {"engine": "one"})])
        for keys in (None, Keys("another key of the same length")):
            forger = Journal(client, run_id, keys)
            await forger.catch_up()
            await forger.append(lambda _state: [Fact(Kind.ENTERED, {"engine": "forged"})])
        await client.create_flow_run_input(run_id, f"{KEY_PREFIX}00000004", "no journal entry")
        await owner.append(lambda state: [note(state.engine.id)])
        reader = Journal(client, run_id, KEYS)
        await reader.catch_up()
    assert [engine.id for engine in reader.state.engines] == ["one"]
    verification = reader.verify()
    assert not verification.verified
    assert any("entry 2" in fault for fault in verification.faults)


async def test_a_request_without_the_key_is_read(api):
    async with get_client() as client:
        run_id = await new_run(client)
        owner = Journal(client, run_id, KEYS)
        await owner.append(lambda _state: [Fact(Kind.ENTERED, {"engine": "one"})])
        stranger = Journal(client, run_id, None)
        await stranger.catch_up()
        await stranger.append(lambda _state: [Fact(Kind.REQUESTED, {"what": "cancel"})])
        await owner.catch_up()
    assert owner.state.cancel is not None
    assert owner.verify().verified


async def test_a_request_dated_back_was_made_when_it_arrived(api):
    dated_back = Fact(Kind.REQUESTED, {"what": "decision"}, time=datetime(2020, 1, 1, tzinfo=UTC))
    async with get_client() as client:
        run_id = await new_run(client)
        await Journal(client, run_id, KEYS).append(lambda _state: [Fact(Kind.ENTERED, {"engine": "one"})])
        await Journal(client, run_id, None).append(lambda _state: [dated_back])
        journal = Journal(client, run_id, KEYS)
        await journal.catch_up()
    assert timedelta() < datetime.now(UTC) - journal.state.requests[dated_back.id].at < timedelta(hours=1)


async def test_a_deleted_entry_is_noticed(api):
    async with get_client() as client:
        run_id = await new_run(client)
        owner = Journal(client, run_id, KEYS)
        for i in range(3):
            await owner.append(lambda _state, i=i: [note(str(i))])
        await client.delete_flow_run_input(run_id, f"{KEY_PREFIX}00000002")
        with pytest.raises(JournalError, match="missing"):
            await Journal(client, run_id, KEYS).catch_up()


async def test_a_run_that_is_gone_is_said(api):
    async with get_client() as client:
        run_id = await new_run(client)
        journal = Journal(client, run_id, KEYS)
        await journal.append(lambda _state: [note("one")])
        await client.delete_flow_run(run_id)
        with pytest.raises(JournalError, match="gone"):
            await journal.append(lambda _state: [note("two")])


async def test_two_first_starters_end_up_with_one_key(api, monkeypatch):
    monkeypatch.delenv(SECRET_KEY.variable, raising=False)

    async def load() -> str:
        async with get_client() as client:
            return (await load_keys(client)).secret

    secrets = await asyncio.gather(*(load() for _ in range(6)))
    assert len(set(secrets)) == 1
    assert len(secrets[0]) >= 32


async def test_blobs_come_back_and_are_not_readable(api):
    data = b"a secret value " * 1000
    async with get_client() as client:
        run_id = await new_run(client)
        blobs = Blobs(client, run_id, KEYS)
        ref = await blobs.put(data)
        assert await blobs.get(BlobRef.from_json(ref.as_json())) == data
        stored = await client.read_flow_run_input(run_id, f"wfexec-blob-{ref.blob}")
        assert "secret" not in stored
        with pytest.raises(EngineError, match="key"):
            await Blobs(client, run_id, Keys("another key of the same length")).get(ref)
        await client.delete_flow_run_input(run_id, f"wfexec-blob-{ref.blob}")
        with pytest.raises(EngineError, match="gone"):
            await blobs.get(ref)


@pytest.mark.parametrize("size", [6 * 1024 * 1024, 13 * 1024 * 1024])
async def test_a_large_blob_is_kept_in_pieces(api, size):
    data = random.Random(1).randbytes(size)
    async with get_client() as client:
        run_id = await new_run(client)
        blobs = Blobs(client, run_id, KEYS)
        ref = await blobs.put(data)
        assert await Blobs(client, run_id, KEYS).get(ref) == data
        await client.delete_flow_run_input(run_id, f"wfexec-blob-{ref.blob}-1")
        with pytest.raises(EngineError):
            await blobs.get(ref)


async def test_a_large_blob_goes_to_the_storage_block_that_is_set(api, tmp_path, monkeypatch):
    await LocalFileSystem(basepath=str(tmp_path)).asave("large-blobs", overwrite=True)
    monkeypatch.setenv(STORAGE.variable, "local-file-system/large-blobs")
    data = random.Random(1).randbytes(7 * 1024 * 1024)
    async with get_client() as client:
        run_id = await new_run(client)
        ref = await Blobs(client, run_id, KEYS).put(data)
        assert await Blobs(client, run_id, KEYS).get(ref) == data
    assert (tmp_path / "wfexec" / "blobs" / ref.blob).is_file()
