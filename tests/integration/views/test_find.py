"""Reading a run's journal from before it begins."""

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.states import Pending

from prefect_wfexec.errors import JournalError
from prefect_wfexec.journal.facts import Fact, Kind
from prefect_wfexec.journal.journal import Journal
from prefect_wfexec.journal.keys import Keys, load_keys
from prefect_wfexec.settings import SECRET_KEY
from prefect_wfexec.views.find import caught_up, read_journal

ENGINES = Keys("a key that only the engine has")


@flow
def nothing() -> None: ...


async def begin(client, run_id, keys: Keys) -> None:
    await Journal(client, run_id, keys).append(lambda _state: [Fact(Kind.ENTERED, {"engine": "one"})])


async def test_a_journal_that_was_read_before_its_engine_signed_it_is_read_as_one_read_later(api, monkeypatch):
    monkeypatch.delenv(SECRET_KEY.variable, raising=False)
    async with get_client() as client:
        own = await load_keys(client)
        for keys, is_unchecked in ((ENGINES, True), (own, False)):
            run = await client.create_flow_run(nothing, state=Pending())
            before = await read_journal(client, run)
            assert not before.is_unchecked
            await begin(client, run.id, keys)
            after = await caught_up(client, run, before)
            assert [engine.id for engine in after.state.engines] == ["one"]
            assert after.is_unchecked is is_unchecked
            assert await caught_up(client, run, after) is after


async def test_a_run_that_begins_with_another_key_than_the_settings_is_refused(api, monkeypatch):
    monkeypatch.setenv(SECRET_KEY.variable, "a key of nobody's engine")
    async with get_client() as client:
        run = await client.create_flow_run(nothing, state=Pending())
        before = await read_journal(client, run)
        await begin(client, run.id, ENGINES)
        with pytest.raises(JournalError, match="signed with another key"):
            await caught_up(client, run, before)
