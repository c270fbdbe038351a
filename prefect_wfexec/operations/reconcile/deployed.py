"""Reconcile as a Prefect flow, for a deployment with a schedule: a worker then looks after the others."""

import asyncio

from prefect import flow, get_run_logger
from prefect.client.orchestration import get_client

from prefect_wfexec.engine.liveness import LOOK_SECONDS, Watch
from prefect_wfexec.operations.reconcile import reconcile


@flow(name="wfexec-reconcile", log_prints=False)
async def reconcile_runs() -> None:
    """Set right, once, every run that nobody else does."""
    logger, watch = get_run_logger(), Watch()
    while True:
        async with get_client() as client:
            acts, passed_over = await reconcile(client, watch)
        for act in acts:
            logger.info("%s: %s, because %s", act.run, act.act, act.reason)
        for passed in passed_over:
            logger.warning("%s", passed)
        if not watch.is_waiting:
            return
        await asyncio.sleep(LOOK_SECONDS)
