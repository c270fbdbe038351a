"""Deliveries on PostgreSQL, which several gateways share."""

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import replace

import alembic.autogenerate
import alembic.migration
import pytest
import sqlalchemy as sa

from prefect_wfexec.gateway.deliveries.database import open_database
from prefect_wfexec.gateway.deliveries.migrations import VERSION_TABLE
from prefect_wfexec.gateway.deliveries.records import Delivery, Outcome
from prefect_wfexec.gateway.deliveries.store import Store
from prefect_wfexec.gateway.deliveries.tables import metadata
from prefect_wfexec.journal.facts import utc_now
from tests.support.postgres import find_program, postgres

pytestmark = pytest.mark.skipif(find_program("initdb") is None, reason="there is no PostgreSQL on this machine")


@pytest.fixture(scope="module")
def address() -> Iterator[sa.URL]:
    with postgres() as url:
        yield sa.make_url(url)


def delivery(key: str) -> Delivery:
    return Delivery("network", "push", utc_now(), Outcome.ACCEPTED, dedupe_key=key, body=b"\x00", headers=(("a", "b"),))


async def test_gateways_that_start_at_once_share_one_set_of_deliveries(address: sa.URL) -> None:
    async with contextlib.AsyncExitStack() as stack:
        opening = (stack.enter_async_context(Store.opened(address)) for _ in range(4))
        stores = await asyncio.gather(*opening)
        sent = [(store, delivery(str(number))) for number in range(50) for store in stores]
        kept = await asyncio.gather(*(store.add(one) for store, one in sent))
        firsts = {one.id for one in kept if one.duplicate_of is None}
        assert len(firsts) == 50
        assert {one.id for one in await stores[0].due(utc_now(), 1000)} == firsts
        assert {one.duplicate_of for one in kept if one.duplicate_of} == firsts
        first = (await stores[1].due(utc_now(), 1))[0]
        assert first == replace(next(one for _, one in sent if one.id == first.id))
        await stores[2].finish(first, Outcome.STARTED, "started run wfr_1", run="id", run_name="wfr_1")
        await stores[3].finish(first, Outcome.REFUSED, "too late")
        found = await stores[0].find(first.id)
        assert found is not None
        assert found.outcome is Outcome.STARTED
        await stores[0].refuse(replace(first, id="dlv_refused", reason="bad signature"))
        assert (await stores[1].newest(1, outcome=Outcome.REFUSED))[0].reason == "bad signature"
        for value in ("1", "2"):
            await stores[0].set_cursor("ended", value)
        assert await stores[1].cursor("ended") == "2"


async def test_the_migrations_make_the_tables_that_are_used(address: sa.URL) -> None:
    def differences(connection: sa.Connection) -> list[object]:
        context = alembic.migration.MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        return list(alembic.autogenerate.compare_metadata(context, metadata))

    async with open_database(address) as engine, engine.begin() as connection:
        assert await connection.run_sync(differences) == []
