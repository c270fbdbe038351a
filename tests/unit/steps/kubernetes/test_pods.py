"""What is wrong with a pod, in words."""

from typing import Any

import pytest

from prefect_wfexec.steps.kubernetes.pods import blocking_trouble, failed_container, is_ready, troubles


def pod(*statuses: dict[str, Any], **status: Any) -> dict[str, Any]:
    return {"metadata": {"name": "web-1"}, "status": {"containerStatuses": list(statuses), **status}}


def waiting(reason: str, message: str = "", **more: Any) -> dict[str, Any]:
    return {"name": "web", "image": "x:1", "state": {"waiting": {"reason": reason, "message": message}}, **more}


def ended(code: int, reason: str = "Error", **more: Any) -> dict[str, Any]:
    return {"name": "web", "image": "x:1", "state": {"terminated": {"exitCode": code, "reason": reason, **more}}}


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (
            waiting("ImagePullBackOff", "not found"),
            "the image x:1 of container 'web' can't be pulled (ImagePullBackOff)",
        ),
        (
            waiting("CreateContainerConfigError", 'secret "a" not found'),
            "can't be started (CreateContainerConfigError)",
        ),
        (ended(137, "OOMKilled"), "used more memory than its limit"),
        (ended(3), "ended with exit code 3"),
        (ended(1, message="panic: x\nmore"), "exit code 1: panic: x"),
        (
            waiting("CrashLoopBackOff", restartCount=4, lastState={"terminated": {"exitCode": 2, "reason": "Error"}}),
            "crashes again and again (CrashLoopBackOff, 4 restarts); it ended with exit code 2",
        ),
        (waiting("SomethingNew", "why"), "container 'web' waits (SomethingNew): why"),
    ],
)
def test_containers(status: dict[str, Any], words: str) -> None:
    assert words in troubles(pod(status))[0]


def test_pods_that_wait_for_a_node_or_were_evicted() -> None:
    unschedulable = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "no room"}
    assert troubles(pod(conditions=[unschedulable])) == ["pod web-1 can't be scheduled: no room"]
    assert troubles(pod(reason="Evicted", message="low on memory")) == ["pod web-1 was evicted: low on memory"]


def test_what_is_ordinary_is_no_trouble() -> None:
    assert troubles(pod(waiting("ContainerCreating"), ended(0, "Completed"))) == []
    assert troubles({"metadata": {"name": "x"}}) == []


def test_only_what_will_not_mend_itself_blocks() -> None:
    assert blocking_trouble(pod(waiting("ErrImagePull"))) is not None
    assert blocking_trouble(pod(waiting("CrashLoopBackOff"))) is None


def test_the_failed_container_is_the_first_that_ended_badly() -> None:
    found = failed_container([pod(ended(0)), pod(ended(0), {**ended(9), "name": "side"})])
    assert found == ("web-1", "side", 9, "ended with exit code 9")
    assert failed_container([pod()]) is None


def test_what_was_ended_because_another_had_failed_is_not_to_blame() -> None:
    beside = {**ended(143, finishedAt="2026-01-02T03:04:09Z"), "name": "beside"}
    assert failed_container([pod(beside, ended(7, finishedAt="2026-01-02T03:04:05Z"))]) == (
        "web-1",
        "web",
        7,
        "ended with exit code 7",
    )


def test_readiness() -> None:
    assert is_ready(pod(conditions=[{"type": "Ready", "status": "True"}]))
    assert not is_ready(pod(conditions=[{"type": "Ready", "status": "False"}]))
