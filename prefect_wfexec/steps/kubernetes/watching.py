"""Watching objects: listed once, then every change, over broken connections and cut histories."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

from prefect_wfexec.errors import StepFailed
from prefect_wfexec.steps.kubernetes.api import Cluster, Object, transport_errors
from prefect_wfexec.steps.kubernetes.faults import ClusterRefusal

WATCH_SECONDS = 120
"""How long the server is asked to keep one watch open."""
SILENCE_SECONDS = WATCH_SECONDS + 30.0
PAUSE_SECONDS = 0.5


class _Expired(Exception):
    """The history a watch is to go on from is gone."""


async def watched(cluster: Cluster, path: str, doing: str, **selection: str) -> AsyncGenerator[dict[str, Object], None]:
    """The objects of a list by name, once as they are and again after every change. Ends never by itself.

    Args:
        cluster: The API server.
        path: The list's.
        doing: What is being done, for errors.
        **selection: `labelSelector` and `fieldSelector`.

    Raises:
        StepFailed: the server refuses, or is away for too long.
    """
    while True:
        listed = await cluster.get(path, doing, **selection)
        objects = {one["metadata"]["name"]: one for one in listed.get("items") or ()}
        version = str((listed.get("metadata") or {}).get("resourceVersion") or "")
        yield dict(objects)
        try:
            async for change in _changes(cluster, path, doing, version, selection):
                _take(change, objects)
                yield dict(objects)
        except _Expired:
            continue


def _take(change: Object, objects: dict[str, Object]) -> None:
    obj = change["object"]
    if change["type"] == "DELETED":
        objects.pop(obj["metadata"]["name"], None)
    else:
        objects[obj["metadata"]["name"]] = obj


async def _changes(
    cluster: Cluster, path: str, doing: str, version: str, selection: dict[str, str]
) -> AsyncIterator[Object]:
    while True:
        query = {**selection, "watch": "true", "timeoutSeconds": str(WATCH_SECONDS), "resourceVersion": version}
        try:
            async with cluster.stream(path, doing, query=query, silence_seconds=SILENCE_SECONDS) as pieces:
                async for change in _parsed(pieces):
                    version = str(change["object"]["metadata"]["resourceVersion"])
                    if change["type"] != "BOOKMARK":
                        yield change
        except transport_errors():
            await _until_back(cluster, path, doing, selection)
        except ClusterRefusal as refusal:
            if refusal.status_code == 410:
                raise _Expired from None
            if not refusal.is_transient and refusal.status_code != 401 and not cluster.is_doubtful(refusal):
                raise
            await _until_back(cluster, path, doing, selection)


async def _until_back(cluster: Cluster, path: str, doing: str, selection: dict[str, str]) -> None:
    """Wait for a server that broke a watch; how long it may be away is the request's to say."""
    await asyncio.sleep(PAUSE_SECONDS)
    await cluster.get(path, doing, **selection, limit="1")


async def _parsed(pieces: AsyncIterator[bytes]) -> AsyncIterator[Object]:
    left = b""
    async for piece in pieces:
        *lines, left = (left + piece).split(b"\n")
        for line in lines:
            if line.strip():
                yield _change(line)


def _change(line: bytes) -> Object:
    try:
        change: Any = json.loads(line)
        kind, obj = change["type"], change["object"]
        if kind != "ERROR":
            _ = obj["metadata"]["resourceVersion"]
            return {"type": kind, "object": obj}
    except (ValueError, KeyError, TypeError, RecursionError):
        raise StepFailed(
            "the Kubernetes API server sent a change that can't be read", type="kubernetes_error"
        ) from None
    if obj.get("code") == 410:
        raise _Expired
    raise ClusterRefusal(int(obj.get("code") or 500), json.dumps(obj).encode(), "watching")
