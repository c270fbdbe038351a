"""Files that runs left on this machine: those of runs that ended elsewhere, or without a word."""

import asyncio
import contextlib
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from prefect_wfexec.engine.tidying import kept_seconds
from prefect_wfexec.runtime.workspace import remove_tree, runs_in, sweep, workspaces_folder

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient

RUNS_AT_ONCE = 50
UNKNOWN_FOR_SECONDS = 30 * 86400.0


async def tidy_workspaces(client: "PrefectClient", home: Path, now: datetime) -> list[str]:
    """Remove on this machine what nobody will use; the ids of the runs whose files are gone.

    Args:
        client: A Prefect client that stays open.
        home: Prefect's home here.
        now: The time.
    """
    workspaces, keep = workspaces_folder(home), timedelta(seconds=kept_seconds())
    gone = await asyncio.to_thread(sweep, workspaces, keep.total_seconds(), now.timestamp())
    unknown = [run for run, ended in runs_in(workspaces) if ended is None][:RUNS_AT_ONCE]
    for run in unknown:
        if await _is_over(client, run, now - keep, workspaces / run):
            await asyncio.to_thread(remove_tree, workspaces / run)
            gone.append(run)
    return gone


async def _is_over(client: "PrefectClient", run: str, ended_before: datetime, folder: Path) -> bool:
    """Whether a run ended long ago; what is no run's folder stays.

    One that this API does not know may have been deleted, or be another API's: its files go once nobody touches them.
    """
    from prefect.exceptions import ObjectNotFound

    try:
        flow_run = await client.read_flow_run(UUID(run))
    except ObjectNotFound:
        return time.time() - _touched(folder) > UNKNOWN_FOR_SECONDS
    except ValueError:
        return False
    ended = flow_run.end_time
    return flow_run.state is not None and flow_run.state.is_final() and ended is not None and ended < ended_before


def _touched(folder: Path) -> float:
    """When anything at the top of a run's folder was last changed."""
    latest = 0.0
    for path in (folder, *folder.glob("*"), *folder.glob("*/*")):
        with contextlib.suppress(OSError):
            latest = max(latest, path.lstat().st_mtime)
    return latest
