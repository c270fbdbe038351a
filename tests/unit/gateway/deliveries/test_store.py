"""Deliveries in a database: kept once, found again, forgotten in time."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import alembic.autogenerate
import alembic.migration
import pytest
import sqlalchemy as sa

from prefect_wfexec.errors import UsageError
from prefect_wfexec.gateway.deliveries import store as store_module
from prefect_wfexec.gateway.deliveries.database import database_url, open_database
from prefect_wfexec.gateway.deliveries.migrations import VERSION_TABLE
from prefect_wfexec.gateway.deliveries.records import Delivery, Outcome
from prefect_wfexec.gateway.deliveries.store import Store
from prefect_wfexec.gateway.deliveries.tables import metadata
from prefect_wfexec.journal.facts import utc_now
from prefect_wfexec.settings import DATABASE_URL


def address(folder: Path) -> sa.URL:
    return sa.URL.create("sqlite+aiosqlite", database=str(folder / "deliveries.db"))


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with Store.opened(address(tmp_path)) as opened:
        yield opened


def delivery(key: str | None = None, **changes: object) -> Delivery:
    made = Delivery("network", "push", utc_now(), Outcome.ACCEPTED, dedupe_key=key, body=b"{}")
    return replace(made, **changes)  # type: ignore[arg-type]


async def test_a_delivery_comes_back_as_it_was_kept(store: Store) -> None:
    kept = delivery(
        "a",
        event="push",
        text="Git Push (main @ abc1234)",
        remote="192.0.2.1",
        headers=(("x-github-event", "push"), ("x-github-event", "again")),
        body=b"\x00\xff",
    )
    assert (await store.add(kept)).duplicate_of is None
    assert await store.find(kept.id) == kept
    assert await store.due(utc_now(), 10) == [kept]


async def test_what_is_kept_is_there_after_the_store_is_opened_again(tmp_path: Path) -> None:
    kept = delivery("a")
    async with Store.opened(address(tmp_path)) as store:
        await store.add(kept)
    async with Store.opened(address(tmp_path)) as store:
        assert await store.due(utc_now(), 10) == [kept]
        assert (await store.add(delivery("a"))).duplicate_of == kept.id


async def test_of_many_at_once_one_is_kept_for_each_key(store: Store) -> None:
    sent = [delivery(str(number % 10)) for number in range(500)]
    kept = await asyncio.gather(*(store.add(one) for one in sent))
    firsts = {one.id for one in kept if one.duplicate_of is None}
    assert len(firsts) == 10
    assert {one.duplicate_of for one in kept if one.duplicate_of} == firsts
    assert {one.id for one in await store.due(utc_now(), 1000)} == firsts
    assert len(await store.newest(1000)) == 500


async def test_keys_are_told_apart_by_workflow_and_trigger(store: Store) -> None:
    sent = [delivery("a"), delivery("a", workflow="other"), delivery("a", trigger="other"), delivery(), delivery()]
    assert [(await store.add(one)).duplicate_of for one in sent] == [None] * 5


async def test_a_duplicate_says_what_the_first_has_started(store: Store) -> None:
    first = delivery("a")
    await store.add(first)
    await store.finish(first, Outcome.STARTED, "started run wfr_1", run="id", run_name="wfr_1")
    again = delivery("a")
    await store.add(again)
    shown = await store.find(again.id)
    assert shown is not None
    assert (shown.outcome, shown.body) == (Outcome.DUPLICATE, None)
    assert shown.reason == f"duplicate of {first.id}, which started run wfr_1"


async def test_an_outcome_is_written_once(store: Store) -> None:
    kept = delivery("a")
    await store.add(kept)
    await store.finish(kept, Outcome.STARTED, "started run wfr_1", run="id", run_name="wfr_1")
    await store.finish(kept, Outcome.REFUSED, "too late")
    found = await store.find(kept.id)
    assert found is not None
    assert (found.outcome, found.run_name) == (Outcome.STARTED, "wfr_1")
    assert await store.due(utc_now(), 10) == []


async def test_what_is_put_off_is_due_later(store: Store) -> None:
    kept, now = delivery("a"), utc_now()
    await store.add(kept)
    await store.put_off(kept, now + timedelta(minutes=1), "prefect does not answer")
    assert await store.due(now, 10) == []
    [due] = await store.due(now + timedelta(minutes=2), 10)
    assert (due.attempts, due.reason) == (1, "prefect does not answer")


async def test_pages_follow_each_other_without_a_gap_or_a_row_twice(store: Store) -> None:
    at = utc_now()
    for number in range(12):
        outcome = Outcome.REFUSED if number % 3 == 0 else Outcome.ACCEPTED
        await store.add(delivery(f"{number}", outcome=outcome, received=at + timedelta(seconds=number // 4)))
    whole, pages, before = await store.newest(100), [], None
    while page := await store.newest(5, before=before):
        pages.append(page)
        before = page[-1]
    assert [len(page) for page in pages] == [5, 5, 2]
    assert [one for page in pages for one in page] == whole
    assert [one.received for one in whole] == sorted((one.received for one in whole), reverse=True)


async def test_refused_requests_are_listed_and_only_the_newest_kept(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "MOST_REFUSALS", 3)
    for number in range(5):
        await store.refuse(delivery(outcome=Outcome.REFUSED, reason=f"bad signature {number}"))
    await store.add(delivery("a"))
    shown = await store.newest(10)
    assert [one.reason for one in shown] == ["", "bad signature 4", "bad signature 3", "bad signature 2"]
    assert [one.outcome for one in await store.newest(10, outcome=Outcome.REFUSED)] == [Outcome.REFUSED] * 3
    assert await store.newest(10, workflow="other") == []
    assert await store.find(shown[1].id) is None
    assert await store.find_refused(shown[1].id) == shown[1]


async def test_old_deliveries_are_forgotten_unless_they_still_wait(store: Store) -> None:
    old: datetime = utc_now() - timedelta(days=40)
    waits, over, new = delivery("a", received=old), delivery("b", received=old), delivery("c")
    for one in (waits, over, new):
        await store.add(one)
    await store.finish(over, Outcome.IGNORED, "branch 'dev' did not match main")
    assert await store.prune(utc_now(), timedelta(days=30)) == 1
    assert {one.id for one in await store.newest(10)} == {waits.id, new.id}


async def test_what_is_due_is_found_without_sorting_what_waits(store: Store, tmp_path: Path) -> None:
    asked: list[str] = []

    def listen(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
        asked.append(statement)

    sa.event.listen(store._engine.sync_engine, "before_cursor_execute", listen)
    await store.due(utc_now(), 10)
    [query] = [one for one in asked if one.startswith("SELECT")]
    with sqlite3.connect(tmp_path / "deliveries.db") as database:
        plan = database.execute(f"EXPLAIN QUERY PLAN {query}", ["accepted", "2026-01-01", 10, 0]).fetchall()
    assert [row[3] for row in plan] == ["SEARCH wfexec_deliveries USING INDEX wfexec_deliveries_due (outcome=?)"]


async def test_a_cursor_is_kept(store: Store) -> None:
    assert await store.cursor("ended") is None
    for value in ("1", "2"):
        await store.set_cursor("ended", value)
    assert await store.cursor("ended") == "2"


async def test_the_migrations_make_the_tables_that_are_used(tmp_path: Path) -> None:
    def differences(connection: sa.Connection) -> list[object]:
        context = alembic.migration.MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        return list(alembic.autogenerate.compare_metadata(context, metadata))

    async with open_database(address(tmp_path)) as engine, engine.begin() as connection:
        assert await connection.run_sync(differences) == []


async def test_the_file_is_for_its_owner_only(tmp_path: Path) -> None:
    async with Store.opened(address(tmp_path)):
        assert (tmp_path / "deliveries.db").stat().st_mode & 0o077 == 0


async def test_a_database_that_cannot_be_used_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(UsageError, match="can't be used"):
        async with Store.opened(sa.URL.create("sqlite+aiosqlite", database=str(tmp_path / "file" / "x.db"))):
            pass


def test_the_setting_names_the_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DATABASE_URL.variable, "postgresql://someone:word@db.example/deliveries")
    assert database_url().drivername == "postgresql+asyncpg"
    for wrong in ("mysql://x/y", "::::"):
        monkeypatch.setenv(DATABASE_URL.variable, wrong)
        with pytest.raises(UsageError):
            database_url()
