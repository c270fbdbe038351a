"""How runs ended over time."""

from typing import Annotated, Any

from fastapi import Query, Request

from prefect_wfexec.errors import UsageError
from prefect_wfexec.gateway.api.routing import api_router
from prefect_wfexec.gateway.api.shapes import deliveries as shapes
from prefect_wfexec.gateway.services import services
from prefect_wfexec.gateway.signin.requiring import Viewer
from prefect_wfexec.journal.facts import utc_now
from prefect_wfexec.views.analytics import (
    MOST_DAYS,
    MOST_MONTHS,
    days_until,
    load_analytics,
    months_until,
    zone_named,
)

router = api_router("analytics")


@router.get("/analytics", response_model=shapes.Analytics)
async def get_analytics(
    request: Request,
    _person: Viewer,
    days: Annotated[int | None, Query(ge=1, le=MOST_DAYS)] = None,
    months: Annotated[int | None, Query(ge=1, le=MOST_MONTHS)] = None,
    timezone: Annotated[str, Query(max_length=64, pattern=r"^[A-Za-z0-9_+\-/]+$")] = "UTC",
    workflow: Annotated[str | None, Query(max_length=200, pattern=r"^[^\x00]*$")] = None,
) -> dict[str, Any]:
    """Runs counted by status for each of the last days, 30 when nothing is said, or months."""
    if days is not None and months is not None:
        raise UsageError("either days or months are counted", hint="leave one of them out")
    now, zone = utc_now(), zone_named(timezone)
    period = months_until(now, months, zone) if months is not None else days_until(now, days or 30, zone)
    return await load_analytics(services(request).client, period, workflow)
