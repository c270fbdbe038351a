"""Saves the environments that flows/production_deploy.yaml deploys to: staging and production.

PRODUCTION_API_ENDPOINT=https://api.example.com python blocks/target_environments.py

Without the variables <ENVIRONMENT>_API_ENDPOINT, the health check asks Prefect's own API.
"""

import asyncio
import os

from prefect_wfexec.blocks import TargetEnvironment
from prefect_wfexec.operations.connection import reachable

NAMES = ("staging", "production")


async def main() -> None:
    """Save a block for each environment; those that are there already are replaced."""
    async with reachable() as url:
        for name in NAMES:
            endpoint = os.environ.get(f"{name.upper()}_API_ENDPOINT", url)
            await TargetEnvironment(variables={"api_endpoint": endpoint}).asave(name, overwrite=True)
            print(f"environment '{name}' saved at {url}")


if __name__ == "__main__":
    asyncio.run(main())
