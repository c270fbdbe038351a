"""Waiting until workloads are rolled out, and saying meanwhile what keeps them from it."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from prefect_wfexec.errors import StepFailed
from prefect_wfexec.steps.base import StepContext
from prefect_wfexec.steps.deploy.rollout import Rollout, is_workload, late_condition, progress_deadline, rollout_of
from prefect_wfexec.steps.deploy.targets import Target
from prefect_wfexec.steps.kubernetes.api import Cluster, Object
from prefect_wfexec.steps.kubernetes.events import last_events
from prefect_wfexec.steps.kubernetes.pods import is_ready, phase, troubles

LOOK_SECONDS = 1.0
PATIENCE_SECONDS = 900.0
"""How long a rollout may take in a step without a timeout."""
SETTLE_SECONDS = 3.0
"""How long a rollout has to stay done: a container without a readiness probe counts as ready until it crashes."""
REPORT_SECONDS = 10.0
MOST_PODS = 10
MOST_TOLD = 200


@dataclass
class Rollouts:
    """The rollouts of one step.

    Args:
        cluster: The cluster.
        context: The step's.
        targets: What was put there; what is no workload is done with that.
    """

    cluster: Cluster
    context: StepContext
    targets: Sequence[Target]
    _left: dict[Target, Rollout] = field(default_factory=dict)
    _uids: dict[Target, str] = field(default_factory=dict)
    _earlier: dict[Target, tuple[Mapping[str, Any] | None, float]] = field(default_factory=dict)
    """What an earlier rollout has left of a fault, and when it was seen."""
    _pods: dict[Target, list[Object]] = field(default_factory=dict)
    _told: set[str] = field(default_factory=set)
    _done_since: dict[Target, float] = field(default_factory=dict)

    async def until_done(self) -> None:
        """Wait until every one is done.

        Raises:
            StepFailed: one will not be (`type="rollout_failed"`), with the state of its pods and the last events.
        """
        self._left = {one: Rollout("not looked at yet") for one in self.targets if is_workload(one.manifest.object)}
        clock = asyncio.get_running_loop().time
        end = clock() + PATIENCE_SECONDS if self.context.timeout_seconds is None else None
        while self._left:
            for target in list(self._left):
                await self._look(target)
            if not self._left:
                return
            if end is not None and clock() >= end:
                words = f"the rollout took longer than {PATIENCE_SECONDS / 60:g} minutes"
                raise await self._failure(words, list(self._left))
            await asyncio.sleep(LOOK_SECONDS)

    async def _look(self, target: Target) -> None:
        obj = await self.cluster.find(target.path, f"reading the {target.shown}")
        if obj is None:
            raise await self._failure(f"the {target.shown} was deleted by somebody else", [target])
        self._uids[target] = str(obj["metadata"]["uid"])
        whole = {**obj, "kind": target.manifest.kind, "apiVersion": target.manifest.api_version}
        rollout = rollout_of(whole, self._earlier_fault(target, obj))
        self._left[target] = rollout
        if self._has_settled(target, rollout):
            del self._left[target]
            return
        self._tell(f"{target.shown}: {rollout.words}")
        self._pods[target] = await self._pods_of(target, obj)
        for pod in self._pods[target]:
            for words in troubles(pod):
                self._tell(f"{target.shown}: {words}")
        if rollout.fault:
            raise await self._failure(f"the {target.shown} was not rolled out: {rollout.fault}", [target])

    def _earlier_fault(self, target: Target, obj: Object) -> Mapping[str, Any] | None:
        """The fault that an earlier rollout has left, for as long as this one may take to make progress."""
        now = asyncio.get_running_loop().time()
        fault, since = self._earlier.setdefault(target, (late_condition(obj), now))
        return fault if now - since <= progress_deadline(obj) else None

    def _has_settled(self, target: Target, rollout: Rollout) -> bool:
        if not rollout.is_done:
            self._done_since.pop(target, None)
            return False
        now = asyncio.get_running_loop().time()
        return now - self._done_since.setdefault(target, now) >= SETTLE_SECONDS

    async def _pods_of(self, target: Target, obj: Object) -> list[Object]:
        selector = _selector(obj)
        if selector is None:
            return []
        path = f"/api/v1/namespaces/{target.namespace}/pods"
        listed = await self.cluster.get(path, f"reading the pods of the {target.shown}", labelSelector=selector)
        return list(listed.get("items") or ())

    def _tell(self, words: str) -> None:
        if words not in self._told and len(self._told) < MOST_TOLD:
            self._told.add(words)
            self.context.log.system(words)

    async def _failure(self, words: str, targets: Sequence[Target]) -> StepFailed:
        return StepFailed(
            self.context.masker.mask("\n".join([words, *await self.report(targets)])),
            type="rollout_failed",
            tail=self.context.tail(),
            retryable=False,
            hint="mend it and deploy again, or run the step's cleanup to have back what was there",
        )

    async def report(self, targets: Sequence[Target] = ()) -> list[str]:
        """How the rollouts stand: what is missing, the pods, the last events. Takes a bounded time."""
        lines: list[str] = []
        for target in targets or list(self._left):
            rollout = self._left.get(target)
            if rollout is not None and not rollout.fault:
                lines.append(f"{target.shown}: {rollout.words}")
            pods = self._pods.get(target, [])
            lines += [f"  {line}" for line in _states(pods)]
            uids = [self._uids[target]] if target in self._uids else []
            uids += [str(pod["metadata"]["uid"]) for pod in pods[:MOST_PODS]]
            try:
                async with asyncio.timeout(REPORT_SECONDS):
                    lines += [f"  event: {one}" for one in await last_events(self.cluster, target.namespace, uids)]
            except TimeoutError:
                lines.append("  events could not be read in time")
        return lines


def _selector(obj: Object) -> str | None:
    selector = (obj.get("spec") or {}).get("selector") or {}
    labels = selector.get("matchLabels") or {}
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items())) or None


def _states(pods: Sequence[Object]) -> list[str]:
    lines = []
    for pod in sorted(pods, key=is_ready)[:MOST_PODS]:
        name = pod["metadata"]["name"]
        found = [words for words in troubles(pod) if name not in words] or troubles(pod)
        state = "ready" if is_ready(pod) else f"{phase(pod).lower()}, not ready"
        lines.append(f"pod {name} is {state}" + (f": {'; '.join(found)}" if found else ""))
    if len(pods) > MOST_PODS:
        lines.append(f"and {len(pods) - MOST_PODS} more pods")
    return lines
