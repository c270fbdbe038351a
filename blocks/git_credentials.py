"""Saves the credentials that `git.clone` steps name with `block: git`.

GIT_TOKEN=… python blocks/git_credentials.py

GIT_USERNAME is the account that goes with the token, where the server asks for a certain one. For ssh, GIT_PRIVATE_KEY
holds an OpenSSH private key and GIT_KNOWN_HOSTS the server's keys, as `ssh-keyscan` prints them.
"""

import asyncio
import os
import sys

from pydantic import ValidationError

from prefect_wfexec.blocks import GitCredentials
from prefect_wfexec.operations.connection import reachable

NAME = "git"
VARIABLES = {
    "username": "GIT_USERNAME",
    "token": "GIT_TOKEN",
    "private_key": "GIT_PRIVATE_KEY",
    "known_hosts": "GIT_KNOWN_HOSTS",
}


def credentials() -> GitCredentials:
    """The block as the environment describes it."""
    given = {field: value for field, variable in VARIABLES.items() if (value := os.environ.get(variable, ""))}
    if not {"token", "private_key"} & given.keys():
        sys.exit("neither GIT_TOKEN nor GIT_PRIVATE_KEY is set")
    try:
        return GitCredentials(**given)
    except ValidationError as error:
        fault = error.errors(include_input=False)[0]
        field = str(fault["loc"][0]) if fault["loc"] else "token"
        sys.exit(f"{VARIABLES.get(field, field)}: {fault['msg']}")


async def main() -> None:
    """Save the block; one that is there already is replaced."""
    block = credentials()
    async with reachable() as url:
        await block.asave(NAME, overwrite=True)
    print(f"Git credentials '{NAME}' saved at {url}")


if __name__ == "__main__":
    asyncio.run(main())
