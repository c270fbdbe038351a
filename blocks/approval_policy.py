"""Saves the approval policy `production`, for steps that name it and for the environment of that name.

APPROVERS=ann@example.com,bob@example.com APPROVAL_QUORUM=2 python blocks/approval_policy.py

Approvers are named by their mail addresses, and each is sent personal codes with the mailer of blocks/mailer.py.
APPROVAL_QUORUM is 1 when it is not set; APPROVAL_EXPIRES is how long a gate stays open, such as 4h, and
APPROVAL_SLACK_CHANNEL a channel that is told too.
"""

import asyncio
import os
import sys

from pydantic import ValidationError

from prefect_wfexec.blocks import ApprovalPolicy
from prefect_wfexec.operations.connection import reachable

NAME = "production"
VARIABLES = {"quorum": "APPROVAL_QUORUM", "expires": "APPROVAL_EXPIRES"}


async def main() -> None:
    """Save the block; one that is there already is replaced."""
    policy = from_environment()
    async with reachable() as url:
        await policy.asave(NAME, overwrite=True)
    print(f"approval policy '{NAME}' saved at {url}")


def from_environment() -> ApprovalPolicy:
    """The policy that the variables describe."""
    people = [name.strip() for name in os.environ.get("APPROVERS", "").split(",") if name.strip()]
    if not people:
        sys.exit("APPROVERS is not set; it lists the mail addresses of those who may approve, with commas between them")
    # Named here, their addresses are written to as this policy says, whatever a definition says of them.
    notify: list[dict[str, object]] = [{"mail": people}]
    channel = os.environ.get("APPROVAL_SLACK_CHANNEL")
    if channel:
        notify.append({"slack": channel})
    given = {field: os.environ[name] for field, name in VARIABLES.items() if os.environ.get(name)}
    try:
        return ApprovalPolicy.model_validate({"approvers": people, "notify": notify, **given})
    except ValidationError as error:
        fault = error.errors(include_input=False)[0]
        field = str(fault["loc"][0]) if fault["loc"] else "quorum"
        sys.exit(f"{VARIABLES.get(field, 'APPROVERS')}: {fault['msg']}")


if __name__ == "__main__":
    asyncio.run(main())
