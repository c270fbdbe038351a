"""The tables of deliveries, as the newest migration leaves them."""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa


class Moment(sa.TypeDecorator[datetime]):
    """A time, UTC wherever it is kept: SQLite knows no time zones."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        if value is None or dialect.name != "sqlite":
            return value
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:
        return value.replace(tzinfo=UTC) if value is not None and value.tzinfo is None else value


metadata = sa.MetaData()

deliveries = sa.Table(
    "wfexec_deliveries",
    metadata,
    sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True, autoincrement=True),
    sa.Column("id", sa.String(40), nullable=False, unique=True),
    sa.Column("workflow", sa.String(200), nullable=False),
    sa.Column("trigger", sa.String(64), nullable=False),
    sa.Column("received", Moment(), nullable=False),
    sa.Column("outcome", sa.String(20), nullable=False),
    sa.Column("reason", sa.Text(), nullable=False),
    sa.Column("dedupe_key", sa.String(200)),
    sa.Column("event", sa.String(200), nullable=False),
    sa.Column("text", sa.Text(), nullable=False),
    sa.Column("remote", sa.String(64), nullable=False),
    sa.Column("headers", sa.JSON(), nullable=False),
    sa.Column("body", sa.LargeBinary()),
    sa.Column("run", sa.String(40)),
    sa.Column("run_name", sa.String(64)),
    sa.Column("redelivery_of", sa.String(40)),
    sa.Column("attempts", sa.Integer(), nullable=False),
    sa.Column("not_before", Moment()),
    sa.UniqueConstraint("workflow", "trigger", "dedupe_key", name="wfexec_deliveries_once"),
    sa.Index("wfexec_deliveries_received", "received"),
    sa.Index("wfexec_deliveries_outcome", "outcome", "received"),
    sa.Index("wfexec_deliveries_due", "outcome", "number"),
)
"""Deliveries whose signature was right. A database lets any number of rows have no `dedupe_key`."""

refusals = sa.Table(
    "wfexec_refusals",
    metadata,
    sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True, autoincrement=True),
    sa.Column("id", sa.String(40), nullable=False, unique=True),
    sa.Column("workflow", sa.String(200), nullable=False),
    sa.Column("trigger", sa.String(64), nullable=False),
    sa.Column("received", Moment(), nullable=False),
    sa.Column("reason", sa.Text(), nullable=False),
    sa.Column("remote", sa.String(64), nullable=False),
    sa.Column("headers", sa.JSON(), nullable=False),
)
"""Requests that proved nothing: kept apart, without what they carried, and only the newest."""

cursors = sa.Table(
    "wfexec_cursors",
    metadata,
    sa.Column("name", sa.String(200), primary_key=True),
    sa.Column("value", sa.Text(), nullable=False),
)
"""How far something has been read that is read again and again."""
