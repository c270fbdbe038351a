"""The database of deliveries: a file of SQLite, or PostgreSQL by its address."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from prefect_wfexec.errors import UsageError
from prefect_wfexec.gateway.deliveries.migrations import migrate
from prefect_wfexec.settings import DATABASE_URL

FILE = "wfexec.db"
BUSY_MILLISECONDS = 10_000
READS = {"wfexec_reads": True}
"""Execution options of a connection that writes nothing, and so needs not wait for one that does."""
_DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg", "postgres": "postgresql+asyncpg"}


def database_url() -> sa.URL:
    """The address of the setting DATABASE_URL, else that of a file in Prefect's home.

    Raises:
        UsageError: the setting is no address of a database that is known.
    """
    text = DATABASE_URL.read()
    if not text:
        from prefect.settings import PREFECT_HOME

        return sa.URL.create(_DRIVERS["sqlite"], database=str(Path(PREFECT_HOME.value()) / FILE))
    hint = "write postgresql://USER:PASSWORD@HOST/DATABASE or sqlite:////PATH/OF/FILE"
    try:
        url = sa.make_url(text)
    except ArgumentError:
        raise UsageError(f"{DATABASE_URL.variable} is no address of a database", hint=hint) from None
    driver = _DRIVERS.get(url.drivername.partition("+")[0])
    if driver is None:
        raise UsageError(f"{DATABASE_URL.variable} names the unknown database '{url.drivername}'", hint=hint)
    return url.set(drivername=driver)


@contextlib.asynccontextmanager
async def open_database(url: sa.URL) -> AsyncIterator[AsyncEngine]:
    """The database, brought to the newest tables.

    Raises:
        UsageError: it can't be reached or written.
    """
    if url.get_backend_name() == "sqlite":
        await asyncio.to_thread(_make_private, url)
    engine = create_async_engine(url, pool_pre_ping=True)
    if engine.dialect.name == "sqlite":
        sa.event.listen(engine.sync_engine, "connect", _prepare_sqlite)
        sa.event.listen(engine.sync_engine, "begin", _begin)
    try:
        try:
            async with engine.begin() as connection:
                await connection.run_sync(migrate)
        except (SQLAlchemyError, OSError) as error:
            cause = " ".join(str(getattr(error, "orig", None) or error).split())
            where = url.render_as_string(hide_password=True)
            raise UsageError(
                f"the database of deliveries at {where} can't be used: {cause}",
                hint=f"mend it, or name another in {DATABASE_URL.variable}",
                code="no-database",
            ) from error
        yield engine
    finally:
        await engine.dispose()


def _make_private(url: sa.URL) -> None:
    """What deliveries carry is for nobody else on this machine."""
    if not url.database or url.database == ":memory:":
        return
    path = Path(url.database)
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    # The driver must not begin transactions of its own: each begins as one that writes.
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", f"busy_timeout={BUSY_MILLISECONDS}"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: sa.Connection) -> None:
    reads = connection.get_execution_options().get("wfexec_reads")
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")
