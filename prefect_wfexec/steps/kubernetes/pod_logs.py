"""Following what containers say: every line once, over broken connections and restarts."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from prefect_wfexec.steps.kubernetes.api import Cluster, Object, transport_errors
from prefect_wfexec.steps.kubernetes.faults import ClusterRefusal
from prefect_wfexec.steps.kubernetes.log_lines import LogLines
from prefect_wfexec.steps.kubernetes.pods import container_names, container_statuses

SILENCE_SECONDS = 300.0
"""A connection that brings nothing for so long is opened anew: it may be dead."""
PAUSE_SECONDS = 0.3


@dataclass
class _Container:
    """What is known of a container that has begun to run."""

    pod: str
    name: str
    lines: LogLines
    restarts: int = 0
    has_ended: bool = False
    is_gone: bool = False
    is_read: bool = False
    changed: asyncio.Event = field(default_factory=asyncio.Event)


class PodLogs:
    """Follows every container of some pods.

    Args:
        cluster: The API server.
        namespace: The pods' namespace.
        write: Takes lines, each with its line break.
        tell: Takes a line about the log itself.
    """

    def __init__(
        self, cluster: Cluster, namespace: str, write: Callable[[str], None], tell: Callable[[str], None]
    ) -> None:
        self._cluster = cluster
        self._namespace = namespace
        self._write = write
        self._tell = tell
        self._containers: dict[tuple[str, str], _Container] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._pods: set[str] = set()
        self._read_something = asyncio.Event()

    def look(self, pods: Iterable[Object]) -> None:
        """Take in how the pods are now: what has started is followed from its first line on."""
        present = set()
        for pod in pods:
            self._pods.add(pod["metadata"]["uid"])
            is_alone = len(self._pods) == 1 and len(container_names(pod)) == 1
            for status in container_statuses(pod):
                present.add((pod["metadata"]["uid"], status["name"]))
                self._take(pod, status, is_alone=is_alone)
        for key, container in self._containers.items():
            if key not in present and not container.is_gone:
                container.is_gone = container.has_ended = True
                container.changed.set()

    def _take(self, pod: Object, status: Object, *, is_alone: bool) -> None:
        state, restarts = status.get("state") or {}, int(status.get("restartCount") or 0)
        key = (pod["metadata"]["uid"], status["name"])
        has_begun = "running" in state or "terminated" in state or restarts > 0
        if not has_begun:
            return
        if key not in self._containers:
            name = pod["metadata"]["name"]
            lines = LogLines("" if is_alone else f"{name}/{status['name']}: ", self._write)
            self._containers[key] = _Container(name, status["name"], lines)
            self._tasks.append(asyncio.create_task(self._follow(self._containers[key])))
        container = self._containers[key]
        has_ended = "running" not in state
        if (restarts, has_ended) != (container.restarts, container.has_ended):
            container.restarts, container.has_ended = restarts, has_ended
            container.is_read = False
            container.changed.set()

    async def finish(self, seconds: float) -> bool:
        """Wait until everything was read that containers which have ended have said; whether it was."""
        try:
            async with asyncio.timeout(seconds):
                while not all(one.is_read for one in self._containers.values()):
                    self._read_something.clear()
                    await self._read_something.wait()
        except TimeoutError:
            return False
        return True

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _follow(self, container: _Container) -> None:
        try:
            while await self._read(container):
                pass
        finally:
            container.is_read = True
            self._read_something.set()

    async def _read(self, container: _Container) -> bool:
        """Read the log from where it was left to its end for now; False when nothing more can come."""
        container.changed.clear()
        had_ended = container.has_ended
        if await self._read_to_end(container):
            if container.is_gone:
                return False
            if had_ended and not container.changed.is_set():
                container.is_read = True
                self._read_something.set()
                await container.changed.wait()
                return True
        elif container.is_gone:
            return False
        await asyncio.sleep(PAUSE_SECONDS)
        return True

    async def _read_to_end(self, container: _Container) -> bool:
        path = f"/api/v1/namespaces/{self._namespace}/pods/{container.pod}/log"
        query = {"container": container.name, "follow": "true", "timestamps": "true", **container.lines.resume()}
        doing = f"reading the log of {container.pod}/{container.name}"
        try:
            async with self._cluster.stream(path, doing, query=query, silence_seconds=SILENCE_SECONDS) as pieces:
                await container.lines.read(pieces)
        except transport_errors():
            return False
        except ClusterRefusal as refusal:
            if self._cluster.is_doubtful(refusal):
                return False
            if refusal.is_gone:
                container.is_gone = True
            elif refusal.status_code == 403:
                self._tell(refusal.message)
                container.is_gone = True
            # 400 is a container that waits to be started again.
            return refusal.status_code == 400
        return True
