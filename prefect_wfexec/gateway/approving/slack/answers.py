"""Answering in Slack: to the one who pressed a button, or by changing the message for everybody."""

import logging
from typing import Any
from urllib.parse import urlsplit

import httpx

from prefect_wfexec.engine.notices.senders import NotSent, change_slack
from prefect_wfexec.gateway.approving.slack.payloads import Press
from prefect_wfexec.steps.slack import SlackAccess

logger = logging.getLogger(__name__)
POST_SECONDS = 10.0
_SLACK_HOSTS = (".slack.com", ".slack-gov.com")


async def tell(access: SlackAccess, press: Press, words: str) -> None:
    """Say something that only the one who pressed can see."""
    body = {"response_type": "ephemeral", "replace_original": False, "text": words}
    if not await _post(access, press.response_url, body):
        logger.warning("somebody who pressed a button in Slack could not be told: %s", words)


async def change(access: SlackAccess, press: Press, text: str, blocks: list[dict[str, Any]]) -> None:
    """Put something else in place of the message with the button."""
    if await _post(access, press.response_url, {"replace_original": True, "text": text, "blocks": blocks}):
        return
    try:
        await change_slack(access, {"channel": press.channel, "ts": press.ts}, text, blocks)
    except NotSent as fault:
        logger.warning("a message in Slack could not be changed: %s", fault.message)


async def _post(access: SlackAccess, url: str, body: dict[str, Any]) -> bool:
    """Whether Slack took it."""
    if not is_slack(url, access):
        return False
    try:
        async with httpx.AsyncClient(timeout=POST_SECONDS, follow_redirects=False) as client:
            return (await client.post(url, json=body)).status_code == 200
    except httpx.HTTPError:
        return False


def is_slack(url: str, access: SlackAccess) -> bool:
    """Whether an address is Slack's, or of the gateway that stands for it; nothing else is called."""
    try:
        parts, known = urlsplit(url), urlsplit(access.base_url)
        is_same = (parts.scheme, parts.hostname, parts.port) == (known.scheme, known.hostname, known.port)
        return is_same or (parts.scheme == "https" and not parts.port and (parts.hostname or "").endswith(_SLACK_HOSTS))
    except ValueError:
        return False
