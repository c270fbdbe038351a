"""What runs in a cluster beside the API: Jobs, workloads, the garbage collector."""

import copy
import hashlib
import json
import secrets
import time
from typing import Any

from tests.support.kubernetes_server.kinds import Kind
from tests.support.kubernetes_server.store import Key, Object, Store, now

WORKLOADS = ("deployments.apps", "statefulsets.apps", "daemonsets.apps")
PODS = Kind("", "v1", "Pod", "pods")
REPLICA_SETS = Kind("apps", "v1", "ReplicaSet", "replicasets", has_generation=True)


class Controllers:
    """Brings what is nearer to what is wanted, one look at a time."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._clocks: dict[tuple[str, str], float] = {}

    def look(self) -> None:
        for key, obj in list(self.store.objects.items()):
            if key not in self.store.objects or "deletionTimestamp" in obj["metadata"]:
                continue
            if key[0] == "jobs.batch":
                self._job(key, obj)
            elif key[0] == "deployments.apps":
                self._deployment(key, obj)
            elif key[0] in WORKLOADS:
                self._set(key, obj)
            elif key[0] == "replicasets.apps":
                self._replica_set(key, obj)
        self._collect()

    # --- Jobs ---

    def _job(self, key: Key, job: Object) -> None:  # noqa: C901 - one look at all there is to see
        spec, status = job["spec"], job.get("status") or {}
        if any(
            one["type"] in ("Complete", "Failed") and one["status"] == "True" for one in status.get("conditions", [])
        ):
            self._expire(key, job)
            return
        if spec.get("suspend"):
            return
        pods = self._owned(job)
        succeeded = [pod for pod in pods if _phase(pod) == "Succeeded"]
        failed = [pod for pod in pods if _phase(pod) == "Failed"]
        active = [pod for pod in pods if _phase(pod) not in ("Succeeded", "Failed")]
        wanted = spec.get("completions", 1)
        started = self._clock(job, "started")
        condition = None
        if len(succeeded) >= wanted:
            condition = ("Complete", "CompletionsReached", "Reached expected number of succeeded pods")
        elif len(failed) > spec.get("backoffLimit", 6):
            condition = ("Failed", "BackoffLimitExceeded", "Job has reached the specified backoff limit")
        elif (limit := spec.get("activeDeadlineSeconds")) is not None and time.monotonic() - started > limit:
            condition = ("Failed", "DeadlineExceeded", "Job was active longer than specified deadline")
        if condition is not None and condition[0] == "Failed":
            for pod in active:
                self.delete(("pods", key[1], pod["metadata"]["name"]))
        elif condition is None:
            for _ in range(min(spec.get("parallelism", 1), wanted - len(succeeded)) - len(active)):
                self._make_pod(job, "batch/v1", "Job", spec["template"], key[2])
            active = self._owned(job)
            active = [pod for pod in active if _phase(pod) not in ("Succeeded", "Failed")]

        def change(live: Object) -> None:
            new = {"startTime": status.get("startTime") or now()}
            counts = {"active": len(active), "succeeded": len(succeeded), "failed": len(failed)}
            new.update({name: count for name, count in counts.items() if count})
            if condition is not None:
                new.pop("active", None)
                kind, reason, message = condition
                new["conditions"] = [
                    {"type": kind, "status": "True", "reason": reason, "message": message, "lastTransitionTime": now()}
                ]
                new["completionTime" if kind == "Complete" else "failedAt"] = now()
                new.pop("failedAt", None)
            live["status"] = new

        self.store.touch(key, change)

    def _expire(self, key: Key, job: Object) -> None:
        ttl = job["spec"].get("ttlSecondsAfterFinished")
        if ttl is not None and time.monotonic() - self._clock(job, "finished") > ttl:
            self.delete(key, "Background")

    # --- workloads ---

    def _deployment(self, key: Key, deployment: Object) -> None:
        spec, generation = deployment["spec"], deployment["metadata"]["generation"]
        wanted, digest = spec.get("replicas", 1), _digest(spec["template"])
        owned = [one for one in self.store.all("replicasets.apps", key[1]) if _is_owned(one, deployment)]
        new = next((one for one in owned if one["metadata"]["labels"]["pod-template-hash"] == digest), None)
        if spec.get("paused"):
            self.store.touch(key, lambda live: live.setdefault("status", {}).update(observedGeneration=generation))
            return
        is_made = new is None
        if new is None:
            revision = 1 + max((int(one["metadata"]["annotations"]["revision"]) for one in owned), default=0)
            new = self._make_replica_set(deployment, digest, revision)
        ready = _count(new, "availableReplicas")
        is_recreated = (spec.get("strategy") or {}).get("type") == "Recreate"
        olds = [old for old in owned if old is not new]
        if not is_recreated or not any(self._owned(old) for old in olds):
            self._scale(new, wanted)
        for old in olds:
            # A rolling update with the defaults takes old pods away as new ones become available.
            self._scale(old, 0 if is_recreated else max(0, wanted - ready))
        everything = [*owned, new] if new not in owned else owned
        updated = _count(new, "replicas")
        done = (
            updated >= wanted
            and ready >= wanted
            and all(_count(one, "replicas") == 0 for one in everything if one is not new)
        )
        since = self._clock(deployment, f"progress-{generation}-{ready}")
        is_late = not done and time.monotonic() - since > spec.get("progressDeadlineSeconds", 600)
        before = (deployment.get("status") or {}).get("conditions") or []
        was_late = any(one.get("reason") == "ProgressDeadlineExceeded" for one in before)
        name = new["metadata"]["name"]
        progress = {
            "type": "Progressing",
            "status": "True",
            "reason": "ReplicaSetUpdated",
            "message": f'ReplicaSet "{name}" is progressing.',
        }
        if done:
            progress.update(
                reason="NewReplicaSetAvailable", message=f'ReplicaSet "{name}" has successfully progressed.'
            )
        elif is_late or (was_late and not is_made and not self._has_progressed(deployment, everything, new)):
            # A Deployment that goes back to what it was stays late until a first pod is made.
            progress.update(
                status="False",
                reason="ProgressDeadlineExceeded",
                message=f'ReplicaSet "{name}" has timed out progressing.',
            )
        total = sum(_count(one, "replicas") for one in everything)
        available = sum(_count(one, "availableReplicas") for one in everything)
        status = {
            "observedGeneration": generation,
            "replicas": total,
            "updatedReplicas": updated,
            "readyReplicas": available,
            "availableReplicas": available,
            "unavailableReplicas": max(0, total - available),
            "conditions": [progress, {"type": "Available", "status": "True" if available >= wanted else "False"}],
        }
        self.store.touch(key, lambda live: live.update(status=status))

    @staticmethod
    def _has_progressed(deployment: Object, everything: list[Object], new: Object) -> bool:
        updated, total = _count(new, "replicas"), sum(_count(one, "replicas") for one in everything)
        old = total - updated
        old_before = _count(deployment, "replicas") - _count(deployment, "updatedReplicas")
        available = sum(_count(one, "availableReplicas") for one in everything)
        is_more = updated > _count(deployment, "updatedReplicas") or available > _count(deployment, "availableReplicas")
        return is_more or old < old_before

    def _make_replica_set(self, deployment: Object, digest: str, revision: int) -> Object:
        metadata, template = deployment["metadata"], copy.deepcopy(deployment["spec"]["template"])
        template.setdefault("metadata", {}).setdefault("labels", {})["pod-template-hash"] = digest
        return self.store.create(
            REPLICA_SETS,
            {
                "apiVersion": "apps/v1",
                "kind": "ReplicaSet",
                "metadata": {
                    "name": f"{metadata['name']}-{digest}",
                    "namespace": metadata["namespace"],
                    "labels": template["metadata"]["labels"],
                    "annotations": {"revision": str(revision)},
                    "ownerReferences": [_owner(deployment, "apps/v1", "Deployment")],
                },
                "spec": {
                    "replicas": 0,
                    "selector": {"matchLabels": template["metadata"]["labels"]},
                    "template": template,
                },
            },
        )

    def _scale(self, replica_set: Object, replicas: int) -> None:
        metadata = replica_set["metadata"]
        self.store.touch(
            ("replicasets.apps", metadata["namespace"], metadata["name"]),
            lambda live: live["spec"].update(replicas=replicas),
        )

    def _replica_set(self, key: Key, obj: Object) -> None:
        pods = self._keep(key, obj, obj["spec"].get("replicas", 1), obj["spec"]["template"])
        ready = sum(map(_is_ready, pods))
        status = {"replicas": len(pods), "readyReplicas": ready, "availableReplicas": ready}
        self.store.touch(key, lambda live: live.update(status=status))

    def _set(self, key: Key, obj: Object) -> None:
        """A StatefulSet or DaemonSet: pods of the old template go first, those of the new one come."""
        is_daemon = key[0] == "daemonsets.apps"
        spec, digest = obj["spec"], _digest(obj["spec"]["template"])
        wanted = 1 if is_daemon else spec.get("replicas", 1)
        strategy = (spec.get("updateStrategy") or {}).get("type", "RollingUpdate")
        pods = [pod for pod in self._owned(obj) if "deletionTimestamp" not in pod["metadata"]]
        old = [pod for pod in pods if pod["metadata"]["labels"].get("controller-revision-hash") != digest]
        if strategy == "RollingUpdate" and old:
            self.delete(("pods", key[1], old[-1]["metadata"]["name"]))
        template = copy.deepcopy(spec["template"])
        template.setdefault("metadata", {}).setdefault("labels", {})["controller-revision-hash"] = digest
        pods = self._keep(key, obj, wanted, template)
        new = [pod for pod in pods if pod["metadata"]["labels"]["controller-revision-hash"] == digest]
        ready, generation = sum(map(_is_ready, pods)), obj["metadata"]["generation"]
        if is_daemon:
            status: dict[str, Any] = {
                "observedGeneration": generation,
                "desiredNumberScheduled": wanted,
                "currentNumberScheduled": len(pods),
                "updatedNumberScheduled": len(new),
                "numberReady": ready,
                "numberAvailable": ready,
                "numberUnavailable": wanted - ready,
            }
        else:
            name = obj["metadata"]["name"]
            before = (obj.get("status") or {}).get("currentRevision")
            is_done = len(new) == wanted and ready == wanted
            status = {
                "observedGeneration": generation,
                "replicas": len(pods),
                "readyReplicas": ready,
                "availableReplicas": ready,
                "updatedReplicas": len(new),
                "updateRevision": f"{name}-{digest}",
                "currentRevision": f"{name}-{digest}" if is_done or not before else before,
            }
        self.store.touch(key, lambda live: live.update(status=status))

    # --- pods ---

    def _keep(self, key: Key, owner: Object, wanted: int, template: Object) -> list[Object]:
        pods = [pod for pod in self._owned(owner) if "deletionTimestamp" not in pod["metadata"]]
        for pod in pods[wanted:]:
            self.delete(("pods", key[1], pod["metadata"]["name"]))
        being_deleted = [pod for pod in self._owned(owner) if "deletionTimestamp" in pod["metadata"]]
        if owner["kind"] != "ReplicaSet" and being_deleted:
            return pods[:wanted]
        while len(pods) < wanted:
            pods.append(self._make_pod(owner, owner["apiVersion"], owner["kind"], template, key[2]))
        return pods[:wanted]

    def _make_pod(self, owner: Object, api_version: str, kind: str, template: Object, name: str) -> Object:
        metadata = copy.deepcopy(template.get("metadata") or {})
        metadata["name"] = f"{name[:57]}-{secrets.token_hex(3)[:5]}"
        metadata["namespace"] = owner["metadata"]["namespace"]
        metadata["ownerReferences"] = [_owner(owner, api_version, kind)]
        if kind == "Job":
            uid = owner["metadata"]["uid"]
            labels = metadata.setdefault("labels", {})
            labels.update({"controller-uid": uid, "job-name": name})
            labels.update({"batch.kubernetes.io/controller-uid": uid, "batch.kubernetes.io/job-name": name})
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": copy.deepcopy(template["spec"])}
        pod["status"] = {"phase": "Pending"}
        return self.store.create(PODS, pod)

    def _owned(self, owner: Object) -> list[Object]:
        return [pod for pod in self.store.all("pods", owner["metadata"]["namespace"]) if _is_owned(pod, owner)]

    def _clock(self, obj: Object, what: str) -> float:
        return self._clocks.setdefault((obj["metadata"]["uid"], what), time.monotonic())

    # --- deletion ---

    def delete(self, key: Key, propagation: str = "Background", grace: int | None = None) -> None:
        """Mark an object as being deleted, or take it away at once."""
        obj = self.store.objects.get(key)
        if obj is None:
            return
        finalizer = {"Foreground": "foregroundDeletion", "Orphan": "orphan"}.get(propagation)
        if key[0] != "pods" and finalizer is None and not obj["metadata"].get("finalizers"):
            self.store.remove(key)
            return

        def mark(live: Object) -> None:
            metadata = live["metadata"]
            metadata.setdefault("deletionTimestamp", now())
            if key[0] == "pods":
                spec = live["spec"].get("terminationGracePeriodSeconds", 30)
                metadata.setdefault("deletionGracePeriodSeconds", spec if grace is None else grace)
            elif finalizer and finalizer not in metadata.setdefault("finalizers", []):
                metadata["finalizers"] = [*metadata["finalizers"], finalizer]

        self.store.touch(key, mark)

    def _collect(self) -> None:
        """The garbage collector, and namespaces that are to end."""
        uids = {obj["metadata"]["uid"] for obj in self.store.objects.values()}
        for key, obj in list(self.store.objects.items()):
            if key not in self.store.objects:
                continue
            owners = obj["metadata"].get("ownerReferences") or []
            is_orphan = bool(owners) and not any(owner["uid"] in uids for owner in owners)
            if is_orphan and "deletionTimestamp" not in obj["metadata"]:
                self.delete(key)
            finalizers = obj["metadata"].get("finalizers") or []
            if "deletionTimestamp" in obj["metadata"] and finalizers:
                self._finalize(key, obj, finalizers)

    def _finalize(self, key: Key, obj: Object, finalizers: list[str]) -> None:
        if key[0] == "namespaces":
            inside = [one for one in self.store.objects if one[1] == key[2]]
            for one in inside:
                self.delete(one)
            if not inside:
                self.store.touch(key, lambda live: live["metadata"].update(finalizers=[]))
            return
        below = [(one, child) for one, child in self.store.objects.items() if _is_owned(child, obj)]
        if "orphan" in finalizers:
            for one, _ in below:
                self.store.touch(one, lambda live: _disown(live, obj))
            self.store.touch(key, lambda live: _drop(live, "orphan"))
        elif "foregroundDeletion" in finalizers:
            blocking = [one for one, child in below if _blocks(child, obj)]
            for one, child in below:
                if "deletionTimestamp" not in child["metadata"]:
                    self.delete(one, "Foreground" if one[0] != "pods" else "Background")
            if not blocking:
                self.store.touch(key, lambda live: _drop(live, "foregroundDeletion"))


def _drop(obj: Object, finalizer: str) -> None:
    obj["metadata"]["finalizers"] = [one for one in obj["metadata"]["finalizers"] if one != finalizer]


def _disown(obj: Object, owner: Object) -> None:
    references = obj["metadata"].get("ownerReferences") or []
    obj["metadata"]["ownerReferences"] = [one for one in references if one["uid"] != owner["metadata"]["uid"]]


def _owner(obj: Object, api_version: str, kind: str) -> Object:
    metadata = obj["metadata"]
    return {
        "apiVersion": api_version,
        "kind": kind,
        "name": metadata["name"],
        "uid": metadata["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def _is_owned(obj: Object, owner: Object) -> bool:
    references = obj["metadata"].get("ownerReferences") or []
    return any(one["uid"] == owner["metadata"]["uid"] for one in references)


def _blocks(obj: Object, owner: Object) -> bool:
    references = obj["metadata"].get("ownerReferences") or []
    return any(one["uid"] == owner["metadata"]["uid"] and one.get("blockOwnerDeletion") for one in references)


def _phase(pod: Object) -> str:
    return str((pod.get("status") or {}).get("phase", "Pending"))


def _is_ready(pod: Object) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or []
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def _count(obj: Object, name: str) -> int:
    return int((obj.get("status") or {}).get(name, 0))


def _digest(template: Object) -> str:
    return hashlib.sha256(json.dumps(template, sort_keys=True).encode()).hexdigest()[:10]
