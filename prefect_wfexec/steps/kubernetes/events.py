"""The last events of objects: what the cluster itself says went wrong."""

import contextlib
from collections.abc import Iterable

from prefect_wfexec.errors import StepFailed
from prefect_wfexec.steps.kubernetes.api import Cluster, Object

LAST = 5
LONGEST_MESSAGE = 400


async def last_events(cluster: Cluster, namespace: str, uids: Iterable[str]) -> list[str]:
    """The last warnings about objects, oldest first; none when they can't be read, which is no failure of its own.

    Objects go by their uid: a Deployment, its Service and one that stood there yesterday often have the same name.
    """
    found: list[Object] = []
    with contextlib.suppress(StepFailed):
        path = f"/api/v1/namespaces/{namespace}/events"
        for uid in uids:
            listed = await cluster.get(path, "reading events", fieldSelector=f"involvedObject.uid={uid}")
            found += [one for one in listed.get("items") or () if one.get("type") == "Warning"]
    found.sort(key=_when)
    return [_words(event) for event in found[-LAST:]]


def _when(event: Object) -> str:
    return str(event.get("lastTimestamp") or event.get("eventTime") or event.get("firstTimestamp") or "")


def _words(event: Object) -> str:
    about = (event.get("involvedObject") or {}).get("name")
    message = " ".join(str(event.get("message") or "").split())[:LONGEST_MESSAGE]
    return f"{event.get('reason')} {about}: {message}"
