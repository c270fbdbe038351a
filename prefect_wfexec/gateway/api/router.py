"""All routes of the API."""

from fastapi import APIRouter

from prefect_wfexec.gateway.api import analytics, approvals, changes, deliveries, executions, logs, workflows

router = APIRouter()
for part in (
    executions.router,
    logs.router,
    approvals.router,
    changes.router,
    deliveries.router,
    analytics.router,
    workflows.router,
    workflows.locks,
    workflows.me,
):
    router.include_router(part)
