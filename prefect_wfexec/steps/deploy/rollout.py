"""How far the rollout of a workload is, by what the cluster says of it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Object = Mapping[str, Any]
WORKLOADS = frozenset({"Deployment", "StatefulSet", "DaemonSet"})


@dataclass(frozen=True, slots=True)
class Rollout:
    """Attributes:
    words: What is still missing, or that nothing is.
    is_done: Whether all that is wanted is there and available.
    fault: Why it will not get there; empty while it may.
    """

    words: str
    is_done: bool = False
    fault: str = ""


def is_workload(obj: Object) -> bool:
    """Whether an object is rolled out over time."""
    return obj.get("kind") in WORKLOADS and str(obj.get("apiVersion", "")).startswith("apps/")


def late_condition(obj: Object) -> Object | None:
    """The condition by which a Deployment says that it makes no progress; None when it does not say so."""
    for condition in (obj.get("status") or {}).get("conditions") or ():
        if condition.get("type") == "Progressing" and condition.get("reason") == "ProgressDeadlineExceeded":
            return condition  # type: ignore[no-any-return]
    return None


def progress_deadline(obj: Object) -> float:
    """The seconds within which a Deployment has to make progress."""
    return float((obj.get("spec") or {}).get("progressDeadlineSeconds") or 600)


def rollout_of(obj: Object, earlier: Object | None = None) -> Rollout:
    """How far a workload is.

    Args:
        obj: The workload.
        earlier: The `late_condition` that an earlier rollout has left. A Deployment that goes back to what it was keeps
            that condition until the first pod is made, so it says nothing of this rollout.
    """
    metadata, status = obj["metadata"], obj.get("status") or {}
    if (late := late_condition(obj)) is not None and late == earlier:
        conditions = [one for one in status["conditions"] if one != late]
        status = {**status, "conditions": conditions}
    if int(status.get("observedGeneration") or 0) < int(metadata.get("generation") or 0):
        return Rollout("the cluster has not taken in the change yet")
    return _BY_KIND[str(obj["kind"])](obj.get("spec") or {}, status)


def _deployment(spec: Object, status: Object) -> Rollout:
    if spec.get("paused"):
        return Rollout("it is paused", fault="it is paused: nothing is rolled out before spec.paused is removed")
    if late_condition({"status": status}) is not None:
        words = f"it made no progress for {progress_deadline({'spec': spec}):g} s (ProgressDeadlineExceeded)"
        return Rollout(words, fault=words)
    for condition in status.get("conditions") or ():
        if condition.get("type") == "ReplicaFailure" and condition.get("status") == "True":
            return Rollout(f"pods can't be created: {condition.get('message') or condition.get('reason')}")
    wanted, updated = _wanted(spec), _count(status, "updatedReplicas")
    if updated < wanted:
        return Rollout(f"{updated} of {wanted} new pods are made")
    old = _count(status, "replicas") - updated
    if old > 0:
        return Rollout(f"{old} old {'pods are' if old > 1 else 'pod is'} still there")
    available = _count(status, "availableReplicas")
    if available < updated:
        return Rollout(f"{available} of {updated} pods are available")
    return Rollout(f"{available} of {wanted} pods are available", is_done=True)


def _stateful_set(spec: Object, status: Object) -> Rollout:
    strategy = spec.get("updateStrategy") or {}
    if strategy.get("type") == "OnDelete":
        return Rollout("pods are replaced when somebody deletes them (OnDelete)", is_done=True)
    wanted, ready = _wanted(spec), _count(status, "readyReplicas")
    partition = int((strategy.get("rollingUpdate") or {}).get("partition") or 0)
    updated = _count(status, "updatedReplicas")
    to_update = max(0, wanted - partition)
    if updated < to_update:
        return Rollout(f"{updated} of {to_update} pods are updated")
    if ready < wanted:
        return Rollout(f"{ready} of {wanted} pods are ready")
    if partition == 0 and wanted > 0 and status.get("updateRevision") != status.get("currentRevision"):
        return Rollout(f"{updated} of {wanted} pods are updated")
    return Rollout(f"{ready} of {wanted} pods are ready", is_done=True)


def _daemon_set(spec: Object, status: Object) -> Rollout:
    if (spec.get("updateStrategy") or {}).get("type") == "OnDelete":
        return Rollout("pods are replaced when somebody deletes them (OnDelete)", is_done=True)
    wanted = _count(status, "desiredNumberScheduled")
    updated, available = _count(status, "updatedNumberScheduled"), _count(status, "numberAvailable")
    if updated < wanted:
        return Rollout(f"{updated} of {wanted} pods are updated")
    if available < wanted:
        return Rollout(f"{available} of {wanted} pods are available")
    return Rollout(f"{available} of {wanted} pods are available", is_done=True)


def _wanted(spec: Object) -> int:
    replicas = spec.get("replicas")
    return 1 if replicas is None else int(replicas)


def _count(status: Object, name: str) -> int:
    return int(status.get(name) or 0)


_BY_KIND = {"Deployment": _deployment, "StatefulSet": _stateful_set, "DaemonSet": _daemon_set}
