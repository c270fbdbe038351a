"""Saves the SonarQube server that `scan.sonarqube` steps use when they name no other.

SONAR_URL=https://sonar.example.com SONAR_TOKEN=squ_… python blocks/sonarqube_server.py
"""

import asyncio
import os
import sys

from prefect_wfexec.blocks import SonarQube
from prefect_wfexec.operations.connection import reachable

NAME = "sonarqube"


async def main() -> None:
    """Save the block; one that is there already is replaced."""
    url, token = os.environ.get("SONAR_URL"), os.environ.get("SONAR_TOKEN")
    if not url or not token:
        sys.exit("SONAR_URL and SONAR_TOKEN are not both set: the server's address, and a token that may analyse")
    async with reachable() as api:
        await SonarQube(url=url, token=token).asave(NAME, overwrite=True)
    print(f"SonarQube server '{NAME}' saved at {api}")


if __name__ == "__main__":
    asyncio.run(main())
