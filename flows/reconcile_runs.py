"""`wfexec reconcile` as a Prefect flow: prefect.yaml deploys it with a schedule."""

import asyncio

from prefect_wfexec.operations.reconcile.deployed import reconcile_runs

__all__ = ["reconcile_runs"]

if __name__ == "__main__":
    asyncio.run(reconcile_runs())
