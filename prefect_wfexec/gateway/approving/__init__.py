"""Decisions that reach the gateway from outside: by the links in mails, and by the buttons in Slack."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastapi import APIRouter


def routers() -> "tuple[APIRouter, ...]":
    """The routes of links and buttons, which need no sign-in: a signature proves who asks."""
    from prefect_wfexec.gateway.approving import links
    from prefect_wfexec.gateway.approving.slack import interactions

    return links.router, interactions.router
