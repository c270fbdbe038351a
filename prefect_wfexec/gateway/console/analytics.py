"""How executions ended over time: a line for each status, and totals."""

from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from prefect_wfexec.errors import UsageError
from prefect_wfexec.gateway.console.pages import page
from prefect_wfexec.gateway.services import services
from prefect_wfexec.gateway.signin.requiring import Viewer
from prefect_wfexec.journal.facts import utc_now
from prefect_wfexec.views.analytics import Period, days_until, load_analytics, months_until, zone_named
from prefect_wfexec.views.charts import labels_of, series_of, svg

router = APIRouter(include_in_schema=False)
PERIODS = {f"{days}d": f"Last {days} days" for days in (7, 14, 30)} | {
    f"{months}m": f"Last {months} month{'s' if months > 1 else ''}" for months in range(1, 13)
}
Text = Annotated[str, Query(max_length=200, pattern=r"^[^\x00]*$")]


@router.get("/console/analytics")
async def show(
    request: Request, person: Viewer, period: Text = "30d", workflow: Text = "", timezone: Text = "UTC"
) -> Response:
    """The page."""
    period = period if period in PERIODS else "30d"
    problem, zone = "", ZoneInfo("UTC")
    try:
        zone = zone_named(timezone or "UTC")
    except UsageError as error:
        problem = f"{error.message}; {error.hint}"
    found = await load_analytics(services(request).client, _period(period, zone), workflow or None)
    title = f"Executions{f' of {workflow}' if workflow else ''}, {PERIODS[period].lower()}"
    return page(
        request,
        person,
        "analytics.html",
        status=422 if problem else 200,
        problem=problem,
        periods=PERIODS,
        period=period,
        workflow=workflow,
        timezone=timezone,
        found=found,
        labels=labels_of(found, zone),
        series=series_of(found),
        chart=svg(found, zone, title),
    )


def _period(name: str, zone: ZoneInfo) -> Period:
    number, now = int(name[:-1]), utc_now()
    return months_until(now, number, zone) if name.endswith("m") else days_until(now, number, zone)
