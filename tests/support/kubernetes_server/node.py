"""The node: containers as processes of this machine, their logs, probes, restarts and ends."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.support.kubernetes_server.store import Key, Object, Store, now

RESTART_BACKOFF_SECONDS = 0.3
PULL_BACKOFF_SECONDS = 0.3
UNKNOWN_IMAGE = "rpc error: code = NotFound desc = failed to pull and unpack image"


@dataclass
class ContainerLog:
    """What one container has said, with times."""

    lines: list[bytes] = field(default_factory=list)
    is_over: bool = False
    grew: asyncio.Event = field(default_factory=asyncio.Event)

    def add(self, line: bytes) -> None:
        self.lines.append(datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f").encode() + b"000Z " + line)
        self._wake()

    def end(self) -> None:
        self.is_over = True
        self._wake()

    def _wake(self) -> None:
        self.grew.set()
        self.grew = asyncio.Event()


class Node:
    """Runs every pod that is there.

    Args:
        store: The objects.
        images: What each image that can be pulled runs, when a container has no `command`.
    """

    def __init__(self, store: Store, images: Mapping[str, list[str]]) -> None:
        self.store = store
        self.images = images
        self.logs: dict[tuple[str, str], ContainerLog] = {}
        """By pod uid and container."""
        self.processes: set[asyncio.subprocess.Process] = set()
        self._pods: dict[str, asyncio.Task[None]] = {}
        self._stopping: dict[str, asyncio.Event] = {}

    def look(self) -> None:
        """Start what is to run, stop what is to end."""
        for key, pod in list(self.store.objects.items()):
            if key[0] != "pods":
                continue
            uid = pod["metadata"]["uid"]
            if uid not in self._pods:
                self._stopping[uid] = asyncio.Event()
                self._pods[uid] = asyncio.create_task(_Pod(self, key, pod, self._stopping[uid]).run())
            if "deletionTimestamp" in pod["metadata"]:
                self._stopping[uid].set()

    async def close(self) -> None:
        for task in self._pods.values():
            task.cancel()
        await asyncio.gather(*self._pods.values(), return_exceptions=True)
        for process in list(self.processes):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()


class _Pod:
    """One pod from its start to its end."""

    def __init__(self, node: Node, key: Key, pod: Object, stopping: asyncio.Event) -> None:
        self.node = node
        self.store = node.store
        self.key = key
        self.uid = pod["metadata"]["uid"]
        self.spec = pod["spec"]
        self.name = pod["metadata"]["name"]
        self.stopping = stopping
        self.statuses: dict[str, dict[str, Any]] = {}

    async def run(self) -> None:
        try:
            await self._run()
        finally:
            for container in self._all():
                self._log(container["name"]).end()
        if self.stopping.is_set():
            self._let_go()

    async def _run(self) -> None:
        if not self._is_schedulable():
            await self.stopping.wait()
            return
        for container in self._all():
            self._set(container["name"], waiting={"reason": "PodInitializing"})
        self._update("Pending")
        for container in self.spec.get("initContainers") or []:
            if not await self._until_done(container, is_init=True):
                await self._ended("Failed")
                return
            if self.stopping.is_set():
                return
        codes = await asyncio.gather(
            *(self._until_done(container, is_init=False) for container in self.spec["containers"])
        )
        await self._ended("Succeeded" if all(codes) else "Failed")

    def _is_schedulable(self) -> bool:
        if not self.spec.get("nodeSelector"):
            return True
        words = "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector."
        condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": words}
        self._change(lambda pod: pod.update(status={"phase": "Pending", "conditions": [condition]}))
        self.event("Warning", "FailedScheduling", words)
        return False

    async def _until_done(self, container: dict[str, Any], *, is_init: bool) -> bool:
        """Run a container until it is not started again; whether it succeeded."""
        policy, restarts = self.spec.get("restartPolicy", "Always"), 0
        if not await self._pulled(container) or not await self._configured(container):
            return False
        while not self.stopping.is_set():
            code = await self._once(container, restarts)
            goes_again = (policy == "Always" and not is_init) or (code != 0 and policy != "Never")
            if not goes_again or self.stopping.is_set():
                return code == 0
            restarts += 1
            last = self.statuses[container["name"]]["state"]
            words = (
                f"back-off {RESTART_BACKOFF_SECONDS}s restarting failed container={container['name']} pod={self.name}"
            )
            self._set(
                container["name"],
                restarts=restarts,
                last=last,
                waiting={"reason": "CrashLoopBackOff", "message": words},
            )
            self._update("Running")
            self.event("Warning", "BackOff", f"Back-off restarting failed container {container['name']}")
            await self._pause(RESTART_BACKOFF_SECONDS * min(restarts, 4))
        return False

    async def _pulled(self, container: dict[str, Any]) -> bool:
        image = container["image"]
        while image not in self.node.images:
            for reason in ("ErrImagePull", "ImagePullBackOff"):
                words = (
                    f'{UNKNOWN_IMAGE} "{image}": not found' if reason[0] == "E" else f'Back-off pulling image "{image}"'
                )
                self._set(container["name"], waiting={"reason": reason, "message": words})
                self._update("Pending")
                self.event("Warning", "Failed" if reason[0] == "E" else "BackOff", words)
                await self._pause(PULL_BACKOFF_SECONDS)
            if self.stopping.is_set():
                return False
        return True

    async def _configured(self, container: dict[str, Any]) -> bool:
        for source in container.get("envFrom") or []:
            name = (source.get("secretRef") or {}).get("name")
            while name and self.store.find("secrets", self.key[1], name) is None:
                words = f'secret "{name}" not found'
                self._set(container["name"], waiting={"reason": "CreateContainerConfigError", "message": words})
                self._update("Pending")
                if not await self._pause(0.05):
                    return False
        return True

    def _environment(self, container: dict[str, Any]) -> dict[str, str]:
        import base64

        found = {"PATH": os.environ["PATH"]}
        for source in container.get("envFrom") or []:
            secret = self.store.find("secrets", self.key[1], (source.get("secretRef") or {}).get("name", ""))
            for key, value in ((secret or {}).get("data") or {}).items():
                found[key] = base64.b64decode(value).decode()
        for variable in container.get("env") or []:
            found[variable["name"]] = str(variable.get("value", ""))
        return found

    async def _once(self, container: dict[str, Any], restarts: int) -> int:
        name, log = container["name"], self._log(container["name"], fresh=True)
        argv = [*(container.get("command") or self.node.images[container["image"]]), *(container.get("args") or [])]
        started = now()
        try:
            process = await asyncio.create_subprocess_exec(
                *argv,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                env=self._environment(container),
                start_new_session=True,
                limit=2**24,
            )
        except OSError as error:
            self._terminated(name, 128, started, "StartError", str(error), restarts)
            log.end()
            return 128
        self.node.processes.add(process)
        self._set(name, restarts=restarts, running={"startedAt": started}, ready="readinessProbe" not in container)
        self._update("Running")
        probe = asyncio.create_task(self._probe(container))
        stop = asyncio.create_task(self._stop(process))
        try:
            assert process.stdout is not None
            async for line in process.stdout:
                log.add(line)
            await process.wait()
        finally:
            probe.cancel()
            stop.cancel()
            log.end()
        self.node.processes.discard(process)
        code = (
            process.returncode
            if process.returncode is not None and process.returncode >= 0
            else 128 - (process.returncode or 0)
        )
        self._terminated(name, code, started, "Completed" if code == 0 else "Error", "", restarts)
        return code

    async def _stop(self, process: asyncio.subprocess.Process) -> None:
        await self.stopping.wait()
        pod = self.store.objects.get(self.key)
        grace = (pod or {"metadata": {}})["metadata"].get("deletionGracePeriodSeconds", 30)
        for number, seconds in ((signal.SIGTERM, grace), (signal.SIGKILL, 5)):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, number)
            await asyncio.sleep(seconds)

    async def _probe(self, container: dict[str, Any]) -> None:
        probe = (container.get("readinessProbe") or {}).get("exec")
        while probe:
            process = await asyncio.create_subprocess_exec(*probe["command"], stdin=asyncio.subprocess.DEVNULL)
            is_ready = await process.wait() == 0
            self._set(container["name"], ready=is_ready)
            self._update("Running")
            if not is_ready:
                self.event("Warning", "Unhealthy", "Readiness probe failed: ")
            await asyncio.sleep(0.1)

    async def _pause(self, seconds: float) -> bool:
        """Wait; False when the pod is to stop."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.stopping.wait(), seconds)
        return not self.stopping.is_set()

    async def _ended(self, phase: str) -> None:
        if not self.stopping.is_set():
            self._update(phase)
            await self.stopping.wait()

    def _let_go(self) -> None:
        """The pod has stopped: it is gone once no finalizer holds it."""
        pod = self.store.objects.get(self.key)
        if pod is not None and pod["metadata"]["uid"] == self.uid:
            self.store.remove(self.key)

    def _all(self) -> list[dict[str, Any]]:
        return [*(self.spec.get("initContainers") or []), *self.spec["containers"]]

    def _log(self, container: str, *, fresh: bool = False) -> ContainerLog:
        key = (self.uid, container)
        if fresh or key not in self.node.logs:
            self.node.logs[key] = ContainerLog()
        return self.node.logs[key]

    def _terminated(self, name: str, code: int, started: str, reason: str, message: str, restarts: int) -> None:
        ended = {"exitCode": code, "reason": reason, "startedAt": started, "finishedAt": now()}
        if message:
            ended["message"] = message
        self._set(name, restarts=restarts, terminated=ended, ready=False)
        self._update("Running")

    def _set(
        self, name: str, *, restarts: int | None = None, last: Any = None, ready: bool | None = None, **state: Any
    ) -> None:
        image = next(container["image"] for container in self._all() if container["name"] == name)
        status = self.statuses.setdefault(
            name, {"name": name, "image": image, "ready": False, "restartCount": 0, "state": {}, "lastState": {}}
        )
        if restarts is not None:
            status["restartCount"] = restarts
        if last is not None:
            status["lastState"] = last
        if state:
            status["state"] = state
            status["ready"] = False
        if ready is not None:
            status["ready"] = ready

    def _update(self, phase: str) -> None:
        import copy

        containers = [self.statuses[one["name"]] for one in self.spec["containers"] if one["name"] in self.statuses]
        inits = [
            self.statuses[one["name"]] for one in self.spec.get("initContainers") or [] if one["name"] in self.statuses
        ]
        is_ready = phase == "Running" and bool(containers) and all(one["ready"] for one in containers)
        if phase == "Running" and not any(
            "running" in one["state"] or "terminated" in one["state"] for one in containers
        ):
            phase = "Pending"
        status = {
            "phase": phase,
            "conditions": [
                {"type": "PodScheduled", "status": "True"},
                {"type": "Ready", "status": "True" if is_ready else "False"},
            ],
            "containerStatuses": copy.deepcopy(containers),
            "initContainerStatuses": copy.deepcopy(inits),
        }
        self._change(lambda pod: pod.update(status=status))

    def _change(self, change: Any) -> None:
        pod = self.store.objects.get(self.key)
        if pod is not None and pod["metadata"]["uid"] == self.uid:
            self.store.touch(self.key, change)

    def event(self, type_: str, reason: str, message: str) -> None:
        """Note an event about the pod; the same one again only counts."""
        name = f"{self.name}.{abs(hash((reason, message))):x}"[:200].lower()
        key = ("events", self.key[1], name)

        def count(event: Object) -> None:
            event["count"] += 1
            event["lastTimestamp"] = now()

        if self.store.touch(key, count) is not None:
            return
        self.store.objects[key] = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": name, "namespace": self.key[1], "uid": name, "creationTimestamp": now()},
            "involvedObject": {"kind": "Pod", "namespace": self.key[1], "name": self.name, "uid": self.uid},
            "type": type_,
            "reason": reason,
            "message": message,
            "count": 1,
            "firstTimestamp": now(),
            "lastTimestamp": now(),
        }
        self.store.touch(key, lambda event: event.update(source={"component": "kubelet"}))
