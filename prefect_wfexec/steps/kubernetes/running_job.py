"""One attempt's job in the cluster: made once, followed to its end, taken away."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass, field

from prefect_wfexec.definition.model import JSON
from prefect_wfexec.errors import StepFailed
from prefect_wfexec.steps.base import StepContext
from prefect_wfexec.steps.kubernetes import names
from prefect_wfexec.steps.kubernetes.api import Cluster, Object
from prefect_wfexec.steps.kubernetes.deleting import delete_and_wait, try_to_delete, try_to_delete_all
from prefect_wfexec.steps.kubernetes.events import last_events
from prefect_wfexec.steps.kubernetes.faults import ClusterRefusal
from prefect_wfexec.steps.kubernetes.job_manifest import env_secret
from prefect_wfexec.steps.kubernetes.pod_logs import PodLogs
from prefect_wfexec.steps.kubernetes.pods import blocking_trouble, failed_container, troubles
from prefect_wfexec.steps.kubernetes.unstoppable import until_done
from prefect_wfexec.steps.kubernetes.watching import watched

BLOCKED_SECONDS = 180.0
"""How long an image that can't be pulled, or a missing Secret, is waited for."""
LOGS_SECONDS = 60.0
"""How long the rest of the logs is waited for once the job has ended."""
STOP_PATIENCE_SECONDS = 120.0
"""How long a server that is away is waited for when a job is to be deleted."""
LOOK_SECONDS = 5.0
MOST_TOLD = 200
"""Sentences about troubles; a job that has more says the same again and again."""


@dataclass
class _Watched:
    """What is known of the job and its pods."""

    job: Object | None = None
    has_looked: bool = False
    pods: dict[str, Object] = field(default_factory=dict)
    changed: asyncio.Event = field(default_factory=asyncio.Event)


class RunningJob:
    """One attempt's job in the cluster."""

    def __init__(self, cluster: Cluster, context: StepContext, job: Object) -> None:
        self._cluster = cluster
        self._context = context
        self.wanted = job
        self.name: str = job["metadata"]["name"]
        self.namespace: str = job["metadata"]["namespace"]
        self.uid: str | None = None
        self._jobs = f"/apis/batch/v1/namespaces/{self.namespace}/jobs"
        self._pods = f"/api/v1/namespaces/{self.namespace}/pods"
        self._seen = _Watched()
        self._told: set[str] = set()
        self._is_begun = False

    async def create(self) -> None:
        """Make it, once.

        Raises:
            StepFailed: it is there, made by another process (`type="outcome_unknown"`), or is refused.
        """
        await self._clear_earlier()
        self._is_begun = True
        try:
            made = await self._cluster.create(
                self._jobs,
                self.wanted,
                f"creating the job {self.name}",
                fieldManager=names.FIELD_MANAGER,
                fieldValidation="Strict",
            )
        except ClusterRefusal as refusal:
            if not refusal.already_exists:
                raise
            made = await self._recognised()
        self.uid = made["metadata"]["uid"]
        if self._context.env:
            await self._give_variables(made)

    async def _recognised(self) -> Object:
        """The job that stands under our name: ours when the answer to its creation was lost."""
        found = await self._cluster.get(f"{self._jobs}/{self.name}", f"reading the job {self.name}")
        if self._is_own(found):
            return found
        raise StepFailed(
            f"the job {self.name} of this attempt is there already: another process has started it, and how it goes "
            "is not known here",
            type="outcome_unknown",
            hint="look at the job and its pods; delete it before the step is retried",
            retryable=False,
        )

    async def _give_variables(self, made: Object) -> None:
        path = f"/api/v1/namespaces/{self.namespace}/secrets"
        try:
            await self._cluster.create(
                path, env_secret(made, self._context.env), "creating the Secret for the step's env"
            )
        except ClusterRefusal as refusal:
            if not refusal.already_exists:
                raise

    async def _clear_earlier(self) -> None:
        """Take away what an attempt has left whose process was killed: two at once might do harm."""
        key = names.step_key(self._context.run.id, self._context.step.id)
        listed = await self._cluster.get(
            self._jobs, "looking for jobs of this step", labelSelector=f"{names.KEY}={key}"
        )
        for one in listed.get("items") or ():
            metadata = one["metadata"]
            if metadata["name"] == self.name:
                continue
            self._context.log.system(f"deleting the job {metadata['name']}, which an earlier attempt left behind")
            path = f"{self._jobs}/{metadata['name']}"
            if not await delete_and_wait(self._cluster, path, metadata["name"], metadata["uid"]):
                raise StepFailed(
                    f"the job {metadata['name']} of an earlier attempt can't be deleted: its pods do not end",
                    type="outcome_unknown",
                    hint="find out what keeps its pods, and retry once they are gone",
                    retryable=False,
                )

    async def run(self) -> None:
        """Follow it to its end.

        Raises:
            StepFailed: it failed, or can't ever start.
        """
        logs = PodLogs(self._cluster, self.namespace, self._context.log.stdout, self._context.log.system)
        watches = [asyncio.create_task(self._watch_job()), asyncio.create_task(self._watch_pods(logs))]
        try:
            condition = await self._until_ended(watches)
            await self._look_once_more(logs)
            if not await logs.finish(LOGS_SECONDS):
                self._context.log.system("the end of a container's log could not be read in time")
        finally:
            for task in watches:
                task.cancel()
            await until_done(_settled(watches))
            await until_done(logs.close())
        if condition.get("type") == "Failed":
            raise await self._failure(condition)

    async def _look_once_more(self, logs: PodLogs) -> None:
        """Take in how the pods ended: the watch of them may be behind that of the job."""
        doing = f"reading the pods of {self.name}"
        listed = await self._cluster.get(self._pods, doing, labelSelector=self._selector)
        pods = listed.get("items") or []
        logs.look(pods)
        self._seen.pods.update({pod["metadata"]["name"]: pod for pod in pods})

    @property
    def _selector(self) -> str:
        return f"controller-uid={self.uid}"

    async def _watch_job(self) -> None:
        doing, selector = f"watching the job {self.name}", f"metadata.name={self.name}"
        async for jobs in _of(watched(self._cluster, self._jobs, doing, fieldSelector=selector)):
            self._seen.job = jobs.get(self.name)
            self._seen.has_looked = True
            self._seen.changed.set()

    async def _watch_pods(self, logs: PodLogs) -> None:
        doing = f"watching the pods of {self.name}"
        async for pods in _of(watched(self._cluster, self._pods, doing, labelSelector=self._selector)):
            logs.look(pods.values())
            self._seen.pods.update(pods)
            self._tell(pods.values())
            self._seen.changed.set()

    def _tell(self, pods: Iterable[Object]) -> None:
        for pod in pods:
            for words in troubles(pod):
                self.tell(words)

    async def _until_ended(self, watches: "list[asyncio.Task[None]]") -> Object:
        """The condition that ends the job."""
        clock = asyncio.get_running_loop().time
        blocked_since: float | None = None
        while True:
            self._seen.changed.clear()
            if condition := _end_of(self._seen.job):
                return condition
            if self._seen.has_looked and self._seen.job is None:
                raise StepFailed(
                    f"the job {self.name} was deleted by somebody else before it had ended",
                    type="outcome_unknown",
                    retryable=False,
                )
            blocked = next((words for pod in self._seen.pods.values() if (words := blocking_trouble(pod))), None)
            blocked_since = (blocked_since or clock()) if blocked else None
            if blocked and blocked_since is not None and clock() - blocked_since > BLOCKED_SECONDS:
                raise StepFailed(f"the job {self.name} can't start: {blocked}", type="job_blocked")
            waiter = asyncio.create_task(self._seen.changed.wait())
            try:
                await asyncio.wait({waiter, *watches}, timeout=LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            finally:
                waiter.cancel()
            for task in watches:
                if task.done():
                    # A watch ends by an error alone.
                    task.result()

    async def _failure(self, condition: Object) -> StepFailed:
        reason, said = str(condition.get("reason") or "Failed"), str(condition.get("message") or "")
        failed = failed_container(self._seen.pods.values())
        uids = [str(self.uid), *(str(pod["metadata"]["uid"]) for pod in self._seen.pods.values())]
        events = [] if failed else await last_events(self._cluster, self.namespace, uids)
        tail = self._context.tail()
        lines = [f"the job {self.name} failed: {reason}" + (f", {said[:1].lower()}{said[1:]}" if said else "")]
        code = None
        if failed is not None:
            pod, container, code, how = failed
            lines = [f"container '{container}' of pod {pod} {how}"]
            lines += [f"the job was ended: {said or reason}"] if reason == "DeadlineExceeded" else []
            lines += tail.rstrip().splitlines()[-5:]
        else:
            lines += [words for pod in self._seen.pods.values() for words in troubles(pod)] + events
        return StepFailed(
            self._context.masker.mask("\n".join(lines)),
            type="timeout" if reason == "DeadlineExceeded" else "exit_code" if code is not None else "job_failed",
            exit_code=code,
            tail=tail,
            outputs=dict(self.outputs()),
        )

    async def remove(self) -> str | None:
        """Delete it with its pods; why it may still be there, None when it is seen to be gone."""
        self._cluster.patience_seconds = STOP_PATIENCE_SECONDS
        try:
            if self.uid is None and self._is_begun:
                await self._find_own()
        except StepFailed as failed:
            return failed.message
        if self.uid is None:
            return None
        left = await try_to_delete(self._cluster, f"{self._jobs}/{self.name}", self.name, self.uid)
        # The pods of a job that somebody else has deleted may still be ending, or have been left alone.
        return left or await try_to_delete_all(self._cluster, self._pods, self._selector, f"the pods of {self.name}")

    async def _find_own(self) -> None:
        """Learn whether a creation whose answer nobody has seen has made the job."""
        found = await self._cluster.find(f"{self._jobs}/{self.name}", f"reading the job {self.name}")
        if found is not None and self._is_own(found):
            self.uid = found["metadata"]["uid"]

    def _is_own(self, found: Object) -> bool:
        start = self.wanted["metadata"]["annotations"][names.START]
        return bool((found["metadata"].get("annotations") or {}).get(names.START) == start)

    def outputs(self) -> dict[str, JSON]:
        """What the step gives."""
        return {"name": self.name, "namespace": self.namespace, "stdout": self._context.stdout_tail()}

    def tell(self, words: str) -> None:
        """Write a line about the job into the step's log, once."""
        if words not in self._told and len(self._told) < MOST_TOLD:
            self._told.add(words)
            self._context.log.system(words)


def _end_of(job: Object | None) -> Object | None:
    conditions = ((job or {}).get("status") or {}).get("conditions") or ()
    ended = (one for one in conditions if one.get("type") in ("Complete", "Failed") and one.get("status") == "True")
    return next(ended, None)


async def _of(watch: AsyncGenerator[dict[str, Object], None]) -> AsyncGenerator[dict[str, Object], None]:
    """A watch whose connection is closed at once when nobody reads it any more."""
    async with contextlib.aclosing(watch) as opened:
        async for objects in opened:
            yield objects


async def _settled(tasks: "list[asyncio.Task[None]]") -> None:
    await asyncio.gather(*tasks, return_exceptions=True)
