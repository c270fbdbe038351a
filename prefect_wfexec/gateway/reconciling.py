"""`wfexec reconcile --watch` beside the gateway.

It is a process of its own: what it does in place of a dead one may run steps, and takes the time it takes.
"""

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator

logger = logging.getLogger(__name__)
AGAIN_SECONDS = 30.0
GOODBYE_SECONDS = 30.0
_COMMAND = (sys.executable, "-m", "prefect_wfexec.cli.main", "reconcile", "--watch", "--parent")


@contextlib.asynccontextmanager
async def reconciling(api_url: str) -> AsyncIterator[None]:
    """Have it run as long as this goes on; one that ends is started again.

    Args:
        api_url: Prefect's API.
    """
    task = asyncio.create_task(_keep_going({**os.environ, "PREFECT_API_URL": api_url}))
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _keep_going(environment: dict[str, str]) -> None:
    while True:
        # A session of its own: what is typed at the gateway's terminal reaches it once, from here.
        process = await asyncio.create_subprocess_exec(
            *_COMMAND, str(os.getpid()), stdin=asyncio.subprocess.DEVNULL, env=environment, start_new_session=True
        )
        try:
            code = await process.wait()
        finally:
            await asyncio.shield(_end(process))
        logger.warning("reconcile has ended with %s; it is started again in %g seconds", code, AGAIN_SECONDS)
        await asyncio.sleep(AGAIN_SECONDS)


async def _end(process: asyncio.subprocess.Process) -> None:
    for number in (signal.SIGINT, signal.SIGKILL):
        if process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(number)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), GOODBYE_SECONDS)
