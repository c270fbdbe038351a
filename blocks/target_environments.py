"""Saves the environments that the example workflows deploy to: staging and production.

PRODUCTION_API_ENDPOINT=https://api.example.com python blocks/target_environments.py

Without the variables <ENVIRONMENT>_API_ENDPOINT, the health check asks Prefect's own API. <ENVIRONMENT>_POLICY names
the approval policy that is over its gates; blocks/approval_policy.py saves one. With <ENVIRONMENT>_DEPLOYMENT=manual
the deployments of a pipeline wait there for somebody who lets them go on. With <ENVIRONMENT>_PROTECTED=true
nothing is applied there without an approval by named people; without it the environment is not protected, whatever it
was before.
"""

import asyncio
import os
import sys
from typing import Literal

from prefect_wfexec.blocks import TargetEnvironment
from prefect_wfexec.operations.connection import reachable

NAMES = ("staging", "production")


async def main() -> None:
    """Save a block for each environment; those that are there already are replaced."""
    policies = {name: os.environ.get(f"{name.upper()}_POLICY") or None for name in NAMES}
    protected = {name: is_protected(name, policies[name]) for name in NAMES}
    deployments = {name: deployment_of(name) for name in NAMES}
    async with reachable() as url:
        for name in NAMES:
            endpoint = os.environ.get(f"{name.upper()}_API_ENDPOINT", url)
            environment = TargetEnvironment(
                protected=protected[name],
                policy=policies[name],
                deployment=deployments[name],
                variables={"api_endpoint": endpoint},
            )
            await environment.asave(name, overwrite=True)
            print(f"environment '{name}' saved at {url}{', protected' if protected[name] else ''}")


def deployment_of(name: str) -> Literal["automatic", "manual"]:
    """How deployments start there, as the variables want it."""
    variable = f"{name.upper()}_DEPLOYMENT"
    value = os.environ.get(variable) or "automatic"
    if value not in {"automatic", "manual"}:
        sys.exit(f"{variable} is '{value}'; set it to automatic or manual")
    return "manual" if value == "manual" else "automatic"


def is_protected(name: str, policy: str | None) -> bool:
    """Whether the variables want an environment protected; its policy then says by whose approvals."""
    variable = f"{name.upper()}_PROTECTED"
    value = os.environ.get(variable) or "false"
    if value not in {"true", "false"}:
        sys.exit(f"{variable} is '{value}'; set it to true or false")
    if value == "true" and policy is None:
        sys.exit(f"{name.upper()}_POLICY is not set; it names the approval policy that {variable} calls for")
    return value == "true"


if __name__ == "__main__":
    asyncio.run(main())
