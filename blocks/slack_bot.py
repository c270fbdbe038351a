"""Saves the Slack bot that `slack.message` steps use when they name no other.

SLACK_BOT_TOKEN=xoxb-… python blocks/slack_bot.py

SLACK_SIGNING_SECRET is the app's Signing Secret: with it approvals have buttons in Slack, where the gateway runs.
SLACK_API_URL names another address of Slack's Web API, for those who reach it through a gateway.
"""

import asyncio
import os
import sys

from prefect_wfexec.blocks import SlackBot
from prefect_wfexec.operations.connection import reachable

NAME = "slack"


async def main() -> None:
    """Save the block; one that is there already is replaced."""
    token = os.environ.get("SLACK_BOT_TOKEN")
    if not token:
        sys.exit("SLACK_BOT_TOKEN is not set; it is the app's Bot User OAuth Token")
    given = {"signing_secret": os.environ.get("SLACK_SIGNING_SECRET"), "base_url": os.environ.get("SLACK_API_URL")}
    bot = SlackBot(token=token, **{name: value for name, value in given.items() if value})
    async with reachable() as url:
        await bot.asave(NAME, overwrite=True)
    print(f"Slack bot '{NAME}' saved at {url}")


if __name__ == "__main__":
    asyncio.run(main())
