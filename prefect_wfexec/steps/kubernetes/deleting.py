"""Deleting an object with all that belongs to it, and seeing that it is gone."""

import asyncio

from prefect_wfexec.errors import StepFailed
from prefect_wfexec.steps.kubernetes.api import Cluster

GONE_SECONDS = 180.0
"""How long pods may take to end, which their grace period says."""
PAUSE_SECONDS = 0.25


async def delete_and_wait(
    cluster: Cluster, path: str, name: str, uid: str | None, seconds: float = GONE_SECONDS
) -> bool:
    """Delete an object and what it owns; whether it is seen to be gone.

    Raises:
        StepFailed: the server refuses, or is away for too long.
    """
    doing = f"deleting {name}"
    await cluster.delete(path, doing, uid=uid)
    pause = PAUSE_SECONDS
    try:
        async with asyncio.timeout(seconds):
            while True:
                found = await cluster.find(path, doing)
                if found is None or (uid is not None and found["metadata"]["uid"] != uid):
                    return True
                await asyncio.sleep(pause)
                pause = min(pause * 1.5, 2.0)
    except TimeoutError:
        return False


async def try_to_delete(cluster: Cluster, path: str, name: str, uid: str | None) -> str | None:
    """The same, where a fault must not hide another: why it may still be there, None when it is gone."""
    try:
        is_gone = await delete_and_wait(cluster, path, name, uid)
    except StepFailed as failed:
        return failed.message
    return None if is_gone else f"{name} is being deleted, but its pods have not ended"


async def try_to_delete_all(cluster: Cluster, path: str, selector: str, name: str) -> str | None:
    """Delete what a selector of labels takes and is not being deleted yet; why some may be there, None when none is."""
    try:
        async with asyncio.timeout(GONE_SECONDS):
            while True:
                listed = await cluster.get(path, f"reading {name}", labelSelector=selector)
                found = listed.get("items") or []
                if not found:
                    return None
                for one in found:
                    metadata = one["metadata"]
                    if "deletionTimestamp" not in metadata:
                        await cluster.delete(f"{path}/{metadata['name']}", f"deleting {name}", uid=metadata["uid"])
                await asyncio.sleep(PAUSE_SECONDS)
    except StepFailed as failed:
        return failed.message
    except TimeoutError:
        return f"{name} have not ended"
