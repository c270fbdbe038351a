"""Saves the cleanup policy `sandboxes`, for definitions that name it with `cleanup: {policy: sandboxes}`.

CLEANUP_ON_CANCEL=cleanup CLEANUP_APPROVAL=required python blocks/cleanup_policy.py

CLEANUP_ON_CANCEL is `cleanup` when it is not set: cancelling a run in Prefect's UI takes away what it has made.
CLEANUP_APPROVAL is `automatic` when it is not set, and `required` asks first.
"""

import asyncio
import os
import sys

from pydantic import ValidationError

from prefect_wfexec.blocks import CleanupPolicy
from prefect_wfexec.operations.connection import reachable

NAME = "sandboxes"


async def main() -> None:
    """Save the block; one that is there already is replaced."""
    policy = from_environment()
    async with reachable() as url:
        await policy.asave(NAME, overwrite=True)
    print(f"cleanup policy '{NAME}' saved at {url}")


def from_environment() -> CleanupPolicy:
    """The policy that the variables describe."""
    given = {
        "on_cancel": os.environ.get("CLEANUP_ON_CANCEL") or "cleanup",
        "approval": os.environ.get("CLEANUP_APPROVAL") or "automatic",
    }
    try:
        return CleanupPolicy.model_validate(given)
    except ValidationError as error:
        fault = error.errors(include_input=False)[0]
        sys.exit(f"CLEANUP_{str(fault['loc'][0]).upper()}: {fault['msg']}")


if __name__ == "__main__":
    asyncio.run(main())
