"""Keeps deliveries. What `add` has returned survives this process and the machine's next power cut."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from prefect_wfexec.errors import UsageError
from prefect_wfexec.gateway.deliveries.database import READS, open_database
from prefect_wfexec.gateway.deliveries.records import Delivery, Outcome
from prefect_wfexec.gateway.deliveries.tables import cursors, deliveries, refusals

LARGEST_BATCH = 200
MOST_REFUSALS = 10_000
_COLUMNS = tuple(field.name for field in fields(Delivery))
_LISTED = [deliveries.c[name] for name in _COLUMNS if name not in {"body", "headers"}]
_REFUSED_COLUMNS = ("id", "workflow", "trigger", "received", "reason", "remote", "headers")


@dataclass(frozen=True, slots=True)
class Kept:
    """A delivery that is on disk.

    Attributes:
        id: Its id.
        duplicate_of: The delivery that came before with the same key, if one did.
    """

    id: str
    duplicate_of: str | None = None


@dataclass(frozen=True, slots=True)
class _Change:
    """What becomes of an accepted delivery; one whose outcome is known stays as it is.

    Attributes:
        id: The delivery's id.
        statement: What changes it, with a parameter `id_` and one for each column.
        values: The columns' values by the names of the parameters.
    """

    id: str
    statement: sa.Update
    values: dict[str, Any]


class Store:
    """Deliveries in a database; `opened` makes one.

    What is to be written at the same time is committed together: a commit waits for the disk.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._reading = engine.execution_options(**READS)
        self._waiting: asyncio.Queue[tuple[Delivery | _Change, asyncio.Future[Kept]]] = asyncio.Queue()
        self._idle = asyncio.Event()
        self._idle.set()
        self._insert = (sqlite if engine.dialect.name == "sqlite" else postgresql).insert

    @staticmethod
    @contextlib.asynccontextmanager
    async def opened(url: sa.URL) -> "AsyncIterator[Store]":
        """A store on this database.

        Raises:
            UsageError: the database can't be used.
        """
        async with open_database(url) as engine:
            store = Store(engine)
            writer = asyncio.create_task(store._write_batches())
            try:
                yield store
            finally:
                writer.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await writer

    async def written(self) -> None:
        """Wait until no delivery waits to be kept."""
        await self._idle.wait()

    async def add(self, delivery: Delivery) -> Kept:
        """Keep a delivery, or the fact that it came again.

        Raises:
            SQLAlchemyError: it is not kept.
        """
        self._idle.clear()
        return await self._written(delivery)

    async def add_unless_known(self, delivery: Delivery) -> bool:
        """Keep a delivery that nobody sent, unless it is there already; whether it was not."""
        insert = self._insert(deliveries).on_conflict_do_nothing().returning(deliveries.c.id)
        async with self._engine.begin() as connection:
            return (await connection.execute(insert, [_row(delivery)])).first() is not None

    async def refuse(self, delivery: Delivery) -> None:
        """Keep that a request proved nothing, and forget the oldest such.

        Raises:
            SQLAlchemyError: it is not kept.
        """
        await self.add(replace(delivery, outcome=Outcome.REFUSED))

    async def due(self, now: datetime, limit: int) -> list[Delivery]:
        """Accepted deliveries whose runs are to be started now, oldest first."""
        table = deliveries.c
        is_due = sa.or_(table.not_before.is_(None), table.not_before <= now)
        query = (
            sa.select(*(table[name] for name in _COLUMNS))
            .where(table.outcome == Outcome.ACCEPTED.value, is_due)
            .order_by(table.number)
            .limit(limit)
        )
        async with self._reading.connect() as connection:
            return [_delivery(row) for row in await connection.execute(query)]

    async def finish(
        self, delivery: Delivery, outcome: Outcome, reason: str, *, run: str | None = None, run_name: str | None = None
    ) -> Delivery:
        """Put what came of an accepted delivery on record; what is there already stays."""
        changes: dict[str, Any] = {"outcome": outcome.value, "reason": reason, "run": run, "run_name": run_name}
        await self._written(_Change(delivery.id, _FINISH, changes))
        return replace(delivery, **{**changes, "outcome": outcome})

    async def put_off(self, delivery: Delivery, until: datetime, reason: str) -> None:
        """Try to start its run again later."""
        changes = {"attempts": delivery.attempts + 1, "not_before": until, "reason": reason}
        await self._written(_Change(delivery.id, _PUT_OFF, changes))

    async def find(self, delivery_id: str) -> Delivery | None:
        """The delivery with this id, with all it carried."""
        columns = [deliveries.c[name] for name in _COLUMNS]
        async with self._reading.connect() as connection:
            row = (await connection.execute(sa.select(*columns).where(deliveries.c.id == delivery_id))).first()
        return _delivery(row) if row is not None else None

    async def find_any(self, delivery_id: str) -> Delivery:
        """The delivery or the refused request with this id.

        Raises:
            UsageError: there is none.
        """
        found = await self.find(delivery_id) or await self.find_refused(delivery_id)
        if found is None:
            raise UsageError(f"there is no delivery '{delivery_id}'", code="unknown-delivery")
        return found

    async def find_refused(self, delivery_id: str) -> Delivery | None:
        """The request with this id that proved nothing; what it carried is not kept."""
        query = sa.select(*list(refusals.c)[1:-1]).where(refusals.c.id == delivery_id)
        async with self._reading.connect() as connection:
            row = (await connection.execute(query)).first()
        return _delivery(row) if row is not None else None

    async def newest(
        self, limit: int, *, workflow: str | None = None, outcome: Outcome | None = None, before: Delivery | None = None
    ) -> list[Delivery]:
        """Deliveries and refused requests, newest first, without what they carried.

        Args:
            limit: How many at most.
            workflow: Only those to this workflow.
            outcome: Only those with this outcome.
            before: Only those that come after this one in the list.
        """
        found: list[Delivery] = []
        async with self._reading.connect() as connection:
            for table, columns in ((deliveries, _LISTED), (refusals, list(refusals.c)[1:-1])):
                if table is refusals and outcome not in {None, Outcome.REFUSED}:
                    continue
                query = sa.select(*columns).order_by(table.c.received.desc(), table.c.id.desc()).limit(limit)
                if workflow is not None:
                    query = query.where(table.c.workflow == workflow)
                if before is not None:
                    is_later = sa.and_(table.c.received == before.received, table.c.id < before.id)
                    query = query.where(sa.or_(table.c.received < before.received, is_later))
                if outcome is not None and table is deliveries:
                    query = query.where(table.c.outcome == outcome.value)
                found += [_delivery(row) for row in await connection.execute(query)]
        return sorted(found, key=lambda one: (one.received, one.id), reverse=True)[:limit]

    async def prune(self, now: datetime, keep: timedelta) -> int:
        """Forget deliveries that are older than this and whose outcome is known; how many those were."""
        is_old = sa.and_(deliveries.c.received < now - keep, deliveries.c.outcome != Outcome.ACCEPTED.value)
        async with self._engine.begin() as connection:
            result = await connection.execute(deliveries.delete().where(is_old))
            await connection.execute(refusals.delete().where(refusals.c.received < now - keep))
        return result.rowcount

    async def cursor(self, name: str) -> str | None:
        """How far something was read."""
        async with self._reading.connect() as connection:
            return (await connection.execute(sa.select(cursors.c.value).where(cursors.c.name == name))).scalar()

    async def set_cursor(self, name: str, value: str) -> None:
        """Put on record how far something was read."""
        insert = self._insert(cursors).values(name=name, value=value)
        async with self._engine.begin() as connection:
            await connection.execute(insert.on_conflict_do_update(index_elements=["name"], set_={"value": value}))

    async def _written(self, what: Delivery | _Change) -> Kept:
        done: asyncio.Future[Kept] = asyncio.get_running_loop().create_future()
        self._waiting.put_nowait((what, done))
        return await done

    async def _write_batches(self) -> None:
        while True:
            if self._waiting.empty():
                self._idle.set()
            batch = [await self._waiting.get()]
            while len(batch) < LARGEST_BATCH and not self._waiting.empty():
                batch.append(self._waiting.get_nowait())
            try:
                async with self._engine.begin() as connection:
                    kept = await self._write(connection, [what for what, _ in batch])
            except Exception as fault:  # noqa: BLE001 - each of those who wait is told
                for _, done in batch:
                    if not done.done():
                        done.set_exception(fault)
                continue
            for one, (_, done) in zip(kept, batch, strict=True):
                if not done.done():
                    done.set_result(one)

    async def _write(self, connection: AsyncConnection, batch: Sequence[Delivery | _Change]) -> list[Kept]:
        """Write what came together; what each has become, in the order it came."""
        new = [one for one in batch if isinstance(one, Delivery)]
        refused = [one for one in new if one.outcome is Outcome.REFUSED]
        proven = [one for one in new if one.outcome is not Outcome.REFUSED]
        if refused:
            await self._write_refused(connection, refused)
        kept = {one.id: one for one in await self._write_proven(connection, proven)} if proven else {}
        for statement in (_FINISH, _PUT_OFF):
            rows = [_parameters(one) for one in batch if isinstance(one, _Change) and one.statement is statement]
            if rows:
                await connection.execute(statement, rows)
        return [kept.get(one.id) or Kept(one.id) for one in batch]

    async def _write_refused(self, connection: AsyncConnection, batch: Sequence[Delivery]) -> None:
        columns = [{name: getattr(one, name) for name in _REFUSED_COLUMNS} for one in batch]
        rows = [row | {"headers": _pairs(one)} for row, one in zip(columns, batch, strict=True)]
        numbers = (await connection.execute(refusals.insert().returning(refusals.c.number), rows)).scalars()
        await connection.execute(refusals.delete().where(refusals.c.number <= max(numbers) - MOST_REFUSALS))

    async def _write_proven(self, connection: AsyncConnection, batch: Sequence[Delivery]) -> list[Kept]:
        insert = _once(self._engine.dialect.name).returning(deliveries.c.id)
        written = set((await connection.execute(insert, [_row(one) for one in batch])).scalars())
        again = [one for one in batch if one.id not in written]
        if not again:
            return [Kept(one.id) for one in batch]
        keys = sa.tuple_(deliveries.c.workflow, deliveries.c.trigger, deliveries.c.dedupe_key)
        query = sa.select(deliveries).where(keys.in_([_key(one) for one in again]))
        first = {(row.workflow, row.trigger, row.dedupe_key): row for row in await connection.execute(query)}
        rows = [_row(_duplicate(one, first[_key(one)])) for one in again]
        await connection.execute(deliveries.insert(), rows)
        return [Kept(one.id, None if one.id in written else first[_key(one)].id) for one in batch]


def _change_of(*columns: str) -> sa.Update:
    is_open = sa.and_(deliveries.c.id == sa.bindparam("id_"), deliveries.c.outcome == Outcome.ACCEPTED.value)
    return deliveries.update().where(is_open).values({name: sa.bindparam(f"{name}_") for name in columns})


_FINISH = _change_of("outcome", "reason", "run", "run_name")
_PUT_OFF = _change_of("attempts", "not_before", "reason")


def _parameters(change: _Change) -> dict[str, Any]:
    return {"id_": change.id} | {f"{name}_": value for name, value in change.values.items()}


def _once(dialect: str) -> sa.Insert:
    """Inserts deliveries, but for those that are there. SQLAlchemy keeps no compiled form of an `ON CONFLICT`."""
    if dialect == "sqlite":
        return deliveries.insert().prefix_with("OR IGNORE")
    return postgresql.insert(deliveries).on_conflict_do_nothing()


def _duplicate(delivery: Delivery, first: Any) -> Delivery:
    started = f", which started run {first.run_name}" if first.run_name else ""
    return replace(
        delivery, outcome=Outcome.DUPLICATE, reason=f"duplicate of {first.id}{started}", dedupe_key=None, body=None
    )


def _key(delivery: Delivery) -> tuple[str, str, str | None]:
    return (delivery.workflow, delivery.trigger, delivery.dedupe_key)


def _row(delivery: Delivery) -> dict[str, Any]:
    return {name: getattr(delivery, name) for name in _COLUMNS} | {
        "outcome": delivery.outcome.value,
        "headers": _pairs(delivery),
    }


def _delivery(row: Any) -> Delivery:
    values = dict(row._mapping)
    values.pop("number", None)
    values["headers"] = tuple((name, value) for name, value in values.get("headers", ()))
    values["outcome"] = Outcome(values.get("outcome", Outcome.REFUSED.value))
    return Delivery(**values)


def _pairs(delivery: Delivery) -> list[list[str]]:
    return [[name, value] for name, value in delivery.headers]
