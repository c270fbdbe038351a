"""What waits is found in the order it came, however much of it there is."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_index("wfexec_deliveries_due", "wfexec_deliveries", ["outcome", "number"])
