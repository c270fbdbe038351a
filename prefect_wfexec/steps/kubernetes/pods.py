"""What is wrong with pods, in words. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

Object = Mapping[str, Any]

_PULLS = frozenset({"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable"})
_CONFIGURATIONS = frozenset({"CreateContainerConfigError", "CreateContainerError", "RunContainerError"})
_ORDINARY = frozenset({"ContainerCreating", "PodInitializing", ""})


def phase(pod: Object) -> str:
    return str((pod.get("status") or {}).get("phase") or "Pending")


def container_statuses(pod: Object) -> list[dict[str, Any]]:
    """The states of its containers, init containers first."""
    status = pod.get("status") or {}
    return [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]


def container_names(pod: Object) -> list[str]:
    spec = pod.get("spec") or {}
    return [str(one["name"]) for one in (*(spec.get("initContainers") or ()), *(spec.get("containers") or ()))]


def is_ready(pod: Object) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(one.get("type") == "Ready" and one.get("status") == "True" for one in conditions)


def troubles(pod: Object) -> list[str]:
    """What keeps a pod from running, one sentence each; empty when nothing is known to."""
    return [
        *_pod_troubles(pod),
        *(words for status in container_statuses(pod) for words in _container_troubles(status)),
    ]


def blocking_trouble(pod: Object) -> str | None:
    """What will not get better by itself: an image that nobody has, or a configuration that is not there."""
    for status in container_statuses(pod):
        reason = str(((status.get("state") or {}).get("waiting") or {}).get("reason") or "")
        if reason in _PULLS or reason in _CONFIGURATIONS:
            return next(iter(_container_troubles(status)))
    return None


def failed_container(pods: Iterable[Object]) -> tuple[str, str, int | None, str] | None:
    """The container that was the first to end badly: (pod, container, exit code, reason in words)."""
    found = [
        (str(ended.get("finishedAt") or ""), str(pod["metadata"]["name"]), str(status.get("name")), ended)
        for pod in pods
        for status in container_statuses(pod)
        if (ended := _ended_badly(status)) is not None
    ]
    if not found:
        return None
    _, pod_name, name, ended = min(found, key=lambda one: one[0])
    code = ended.get("exitCode")
    return pod_name, name, code if isinstance(code, int) else None, _ending(ended)


def _ended_badly(status: Object) -> Object | None:
    for key in ("state", "lastState"):
        ended = (status.get(key) or {}).get("terminated")
        if ended and ended.get("exitCode") != 0:
            return ended  # type: ignore[no-any-return]
    return None


def _ending(ended: Object) -> str:
    reason, code = str(ended.get("reason") or ""), ended.get("exitCode")
    if reason == "OOMKilled":
        return f"was killed because it used more memory than its limit (exit code {code})"
    words = f"ended with exit code {code}"
    if message := str(ended.get("message") or "").strip():
        words += f": {message.splitlines()[0][:300]}"
    elif reason not in ("", "Error", "Completed"):
        words += f" ({reason})"
    return words


def _pod_troubles(pod: Object) -> Iterator[str]:
    status = pod.get("status") or {}
    name = pod["metadata"]["name"]
    if status.get("reason") == "Evicted":
        yield f"pod {name} was evicted: {status.get('message') or 'its node was short of resources'}"
    for condition in status.get("conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("reason") == "Unschedulable":
            yield f"pod {name} can't be scheduled: {condition.get('message') or 'no node takes it'}"
        if condition.get("type") == "DisruptionTarget" and condition.get("status") == "True":
            yield f"pod {name} is being taken away: {condition.get('message') or condition.get('reason')}"


def _container_troubles(status: Object) -> Iterator[str]:
    name, image = status.get("name"), status.get("image")
    waiting = (status.get("state") or {}).get("waiting") or {}
    reason, message = str(waiting.get("reason") or ""), str(waiting.get("message") or "").strip()
    last = (status.get("lastState") or {}).get("terminated")
    if reason in _PULLS:
        yield f"the image {image} of container '{name}' can't be pulled ({reason})" + (
            f": {message}" if message else ""
        )
    elif reason == "CrashLoopBackOff":
        how = f"; it {_ending(last)}" if last else ""
        yield f"container '{name}' crashes again and again ({reason}, {status.get('restartCount', 0)} restarts){how}"
    elif reason in _CONFIGURATIONS:
        yield f"container '{name}' can't be started ({reason})" + (f": {message}" if message else "")
    elif reason not in _ORDINARY:
        yield f"container '{name}' waits ({reason})" + (f": {message}" if message else "")
    ended = (status.get("state") or {}).get("terminated")
    if ended and ended.get("exitCode") != 0:
        yield f"container '{name}' {_ending(ended)}"
