"""Reconcile as a Prefect flow, for a deployment with a schedule: a worker then looks after the others."""

from prefect import flow, get_run_logger
from prefect.client.orchestration import get_client

from prefect_wfexec.engine.liveness import LOOK_SECONDS
from prefect_wfexec.operations.reconcile import Reconciler


@flow(name="wfexec-reconcile", log_prints=False)
async def reconcile_runs() -> None:
    """Set right, once, every run that nobody else does."""
    logger, reconciler = get_run_logger(), Reconciler()
    while True:
        async with get_client() as client:
            acts, passed_over = await reconciler.look(client)
        for act in acts:
            logger.info("%s: %s, because %s", act.run, act.act, act.reason)
        for passed in passed_over:
            logger.warning("%s", passed)
        if not reconciler.is_waiting:
            return
        await reconciler.wait(LOOK_SECONDS)
