"""All routes of the API."""

from fastapi import APIRouter

from prefect_wfexec.gateway.api import approvals, changes, executions, logs, workflows

router = APIRouter()
for part in (
    executions.router,
    logs.router,
    approvals.router,
    changes.router,
    workflows.router,
    workflows.locks,
    workflows.me,
):
    router.include_router(part)
