"""How far a rollout is."""

from typing import Any

import pytest

from prefect_wfexec.steps.deploy.rollout import is_workload, rollout_of


def workload(kind: str, spec: dict[str, Any], generation: int = 2, **status: Any) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": "web", "generation": generation},
        "spec": spec,
        "status": {"observedGeneration": 2, **status},
    }


def progressing(reason: str) -> list[dict[str, str]]:
    return [{"type": "Progressing", "status": "True", "reason": reason}]


FULL = {"replicas": 3, "updatedReplicas": 3, "availableReplicas": 3}


@pytest.mark.parametrize(
    ("status", "words", "is_done"),
    [
        ({}, "0 of 3 new pods are made", False),
        ({"replicas": 4, "updatedReplicas": 3, "availableReplicas": 4}, "1 old pod is still there", False),
        ({**FULL, "availableReplicas": 2}, "2 of 3 pods are available", False),
        (FULL, "3 of 3 pods are available", True),
    ],
)
def test_deployments(status: dict[str, Any], words: str, is_done: bool) -> None:
    rollout = rollout_of(workload("Deployment", {"replicas": 3}, **status))
    assert (rollout.words, rollout.is_done, rollout.fault) == (words, is_done, "")


def test_a_status_of_before_the_change_says_nothing() -> None:
    assert not rollout_of(workload("Deployment", {"replicas": 3}, generation=3, **FULL)).is_done


def test_a_deployment_without_pods_is_done() -> None:
    assert rollout_of(workload("Deployment", {"replicas": 0})).is_done


def test_what_ends_a_deployment() -> None:
    late = rollout_of(workload("Deployment", {}, conditions=progressing("ProgressDeadlineExceeded")))
    assert "ProgressDeadlineExceeded" in late.fault
    assert "paused" in rollout_of(workload("Deployment", {"paused": True}, **FULL)).fault
    quota = [{"type": "ReplicaFailure", "status": "True", "message": "exceeded quota"}]
    assert "exceeded quota" in rollout_of(workload("Deployment", {}, conditions=quota)).words


@pytest.mark.parametrize(
    ("spec", "status", "is_done"),
    [
        ({"replicas": 2}, {"updatedReplicas": 1, "readyReplicas": 2}, False),
        ({"replicas": 2}, {"updatedReplicas": 2, "readyReplicas": 1}, False),
        (
            {"replicas": 2},
            {"updatedReplicas": 2, "readyReplicas": 2, "updateRevision": "b", "currentRevision": "a"},
            False,
        ),
        (
            {"replicas": 2},
            {"updatedReplicas": 2, "readyReplicas": 2, "updateRevision": "b", "currentRevision": "b"},
            True,
        ),
        ({"replicas": 2, "updateStrategy": {"type": "OnDelete"}}, {}, True),
        (
            {"replicas": 3, "updateStrategy": {"rollingUpdate": {"partition": 2}}},
            {"updatedReplicas": 1, "readyReplicas": 3, "updateRevision": "b", "currentRevision": "a"},
            True,
        ),
    ],
)
def test_stateful_sets(spec: dict[str, Any], status: dict[str, Any], is_done: bool) -> None:
    assert rollout_of(workload("StatefulSet", spec, **status)).is_done is is_done


@pytest.mark.parametrize(
    ("status", "is_done"),
    [
        ({"desiredNumberScheduled": 2, "updatedNumberScheduled": 1, "numberAvailable": 2}, False),
        ({"desiredNumberScheduled": 2, "updatedNumberScheduled": 2, "numberAvailable": 1}, False),
        ({"desiredNumberScheduled": 2, "updatedNumberScheduled": 2, "numberAvailable": 2}, True),
    ],
)
def test_daemon_sets(status: dict[str, Any], is_done: bool) -> None:
    assert rollout_of(workload("DaemonSet", {}, **status)).is_done is is_done


def test_other_kinds_are_not_rolled_out() -> None:
    assert not is_workload({"apiVersion": "v1", "kind": "ConfigMap"})
    assert not is_workload({"apiVersion": "example.com/v1", "kind": "Deployment"})
