"""Saves the registry that `image.push` and `image.fetch` steps name with `block: registry`.

REGISTRY=registry.example.com REGISTRY_USERNAME=deploys REGISTRY_PASSWORD=… python blocks/registry_credentials.py

REGISTRY_TLS_VERIFY=false is for a registry without TLS on the same machine or network.
"""

import asyncio
import os
import sys

from pydantic import ValidationError

from prefect_wfexec.blocks import RegistryCredentials
from prefect_wfexec.operations.connection import reachable

NAME = "registry"
VARIABLES = {"registry": "REGISTRY", "username": "REGISTRY_USERNAME", "password": "REGISTRY_PASSWORD"}


def credentials() -> RegistryCredentials:
    """The block as the environment describes it."""
    given = {field: os.environ.get(variable, "") for field, variable in VARIABLES.items()}
    if not given["registry"]:
        sys.exit("REGISTRY is not set; it is the registry's host")
    verify = os.environ.get("REGISTRY_TLS_VERIFY", "true")
    if verify not in {"true", "false"}:
        sys.exit(f"REGISTRY_TLS_VERIFY is '{verify}'; true or false is wanted")
    try:
        return RegistryCredentials(**given, tls_verify=verify == "true")
    except ValidationError as error:
        fault = error.errors(include_input=False)[0]
        field = str(fault["loc"][0]) if fault["loc"] else "password"
        sys.exit(f"{VARIABLES.get(field, field)}: {fault['msg']}")


async def main() -> None:
    """Save the block; one that is there already is replaced."""
    block = credentials()
    async with reachable() as url:
        await block.asave(NAME, overwrite=True)
    print(f"Registry credentials '{NAME}' saved at {url}")


if __name__ == "__main__":
    asyncio.run(main())
