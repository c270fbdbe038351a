"""The console: pages for people, over the same views and operations as the API and the command line.

Pages are made by the server. What changes on them is pushed by it, part by part; without a script they still show how
things are, and every action works. It stores nothing.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastapi import APIRouter

HOME = "/console"


def routers() -> "tuple[APIRouter, ...]":
    """The routes of the console, all behind the sign-in."""
    from prefect_wfexec.gateway.console import (
        analytics,
        approvals,
        changes,
        deliveries,
        executions,
        logs,
        run_pages,
        static,
        workflows,
    )

    return (
        static.router,
        executions.router,
        run_pages.router,
        changes.router,
        logs.router,
        approvals.router,
        analytics.router,
        deliveries.router,
        workflows.router,
    )
