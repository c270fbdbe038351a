"""The shapes of deliveries and analytics."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from prefect_wfexec.gateway.deliveries.records import Outcome


class Delivery(BaseModel):
    """A delivery, as `wfexec deliveries --json` prints it."""

    id: str
    workflow: str
    trigger: str
    event: str | None
    text: str | None
    received: datetime
    outcome: Outcome
    reason: str
    run: str | None
    redelivery_of: str | None


class Bucket(BaseModel):
    """The runs of one day or month."""

    start: datetime
    end: datetime
    counts: dict[str, int]


class Percentiles(BaseModel):
    """Half of all values, and all but a twentieth, are not above these."""

    p50: float | None
    p95: float | None


class Analytics(BaseModel):
    """Runs, counted, as `wfexec analytics --json` prints it."""

    from_: datetime = Field(alias="from")
    to: datetime
    bucket: Literal["day", "month"]
    buckets: list[Bucket]
    totals: dict[str, int]
    total: int
    duration_seconds: Percentiles
    approval_seconds: Percentiles
    success_rate: float | None
