"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "wfexec_deliveries",
        sa.Column("number", number, primary_key=True, autoincrement=True),
        sa.Column("id", sa.String(40), nullable=False, unique=True),
        sa.Column("workflow", sa.String(200), nullable=False),
        sa.Column("trigger", sa.String(64), nullable=False),
        sa.Column("received", sa.DateTime(timezone=True), nullable=False),
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
        sa.Column("not_before", sa.DateTime(timezone=True)),
        sa.UniqueConstraint("workflow", "trigger", "dedupe_key", name="wfexec_deliveries_once"),
    )
    op.create_index("wfexec_deliveries_received", "wfexec_deliveries", ["received"])
    op.create_index("wfexec_deliveries_outcome", "wfexec_deliveries", ["outcome", "received"])
    op.create_table(
        "wfexec_refusals",
        sa.Column("number", number, primary_key=True, autoincrement=True),
        sa.Column("id", sa.String(40), nullable=False, unique=True),
        sa.Column("workflow", sa.String(200), nullable=False),
        sa.Column("trigger", sa.String(64), nullable=False),
        sa.Column("received", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("remote", sa.String(64), nullable=False),
        sa.Column("headers", sa.JSON(), nullable=False),
    )
    op.create_table(
        "wfexec_cursors",
        sa.Column("name", sa.String(200), primary_key=True),
        sa.Column("value", sa.Text(), nullable=False),
    )
