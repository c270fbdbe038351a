"""Saves the secrets that workflows name: `secrets.db_password` is the Secret block `db-password`.

WORKFLOW_SECRET_DB_PASSWORD=… python blocks/workflow_secrets.py

Every variable that starts with WORKFLOW_SECRET_ is saved; values are never printed.
"""

import asyncio
import os
import sys

from prefect.blocks.system import Secret

from prefect_wfexec.operations.connection import reachable

PREFIX = "WORKFLOW_SECRET_"


async def main() -> None:
    """Save a block for each variable; those that are there already are replaced."""
    values = {name.removeprefix(PREFIX): value for name, value in os.environ.items() if name.startswith(PREFIX)}
    if not values:
        sys.exit(f"no variable starts with {PREFIX}")
    async with reachable() as url:
        for name, value in sorted(values.items()):
            block = name.lower().replace("_", "-")
            await Secret(value=value).asave(block, overwrite=True)
            print(f"secrets.{name.lower()}: Secret block '{block}' saved at {url}")


if __name__ == "__main__":
    asyncio.run(main())
