"""Saves the secrets of triggers, those that are given.

GITHUB_WEBHOOK_SECRET=… GITLAB_WEBHOOK_SECRET=… WEBHOOK_SECRET=… INCIDENT_SECRET=… python blocks/trigger_secrets.py

When a secret changes, the one that is saved goes on proving deliveries for PREVIOUS_SECRET_HOURS, 24 when unset.
"""

import asyncio
import os
import sys
from datetime import UTC, datetime, timedelta

from prefect_wfexec.blocks import GitHubTrigger, GitLabTrigger, IncidentTrigger, WebhookTrigger
from prefect_wfexec.operations.connection import reachable

TriggerBlock = GitHubTrigger | GitLabTrigger | IncidentTrigger | WebhookTrigger
BLOCKS: dict[str, tuple[type[TriggerBlock], str]] = {
    "GITHUB_WEBHOOK_SECRET": (GitHubTrigger, "github-webhook"),
    "GITLAB_WEBHOOK_SECRET": (GitLabTrigger, "gitlab-webhook"),
    "WEBHOOK_SECRET": (WebhookTrigger, "webhook"),
    "INCIDENT_SECRET": (IncidentTrigger, "incidents"),
}


def hours() -> float:
    """How long a secret that was replaced is still good."""
    try:
        return float(os.environ.get("PREVIOUS_SECRET_HOURS") or 24)
    except ValueError:
        sys.exit("PREVIOUS_SECRET_HOURS: a number of hours is wanted")


async def renewed(kind: type[TriggerBlock], name: str, secret: str) -> TriggerBlock:
    """The block with that secret; what is saved under its name already becomes the previous one."""
    try:
        saved = await kind.aload(name)
    except ValueError:  # none is
        return kind(secret=secret)
    if saved.secret.get_secret_value() == secret:
        return saved
    return kind(
        secret=secret,
        previous_secret=saved.secret,
        previous_secret_expires=datetime.now(UTC) + timedelta(hours=hours()),
        allowed_networks=saved.allowed_networks,
    )


async def main() -> None:
    """Save a block for each secret that is given."""
    given = {variable: secret for variable in BLOCKS if (secret := os.environ.get(variable, "").strip())}
    if not given:
        sys.exit(f"none of {', '.join(BLOCKS)} is set")
    async with reachable() as url:
        for variable, secret in given.items():
            kind, name = BLOCKS[variable]
            block = await renewed(kind, name, secret)
            await block.asave(name, overwrite=True)
            print(f"{kind.get_block_type_name()} '{name}' saved at {url}")


if __name__ == "__main__":
    asyncio.run(main())
