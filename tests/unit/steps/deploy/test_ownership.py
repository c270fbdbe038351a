"""The part of an object that is ours, and what stood there before."""

from typing import Any

import pytest

from prefect_wfexec.errors import StepFailed
from prefect_wfexec.steps.deploy import before
from prefect_wfexec.steps.deploy.ownership import applied_fields, joined, part_of

POD: dict[str, Any] = {
    "containers": [
        {"name": "web", "image": "web:1", "ports": [{"containerPort": 80, "protocol": "TCP"}], "env": []},
        {"name": "side", "image": "side:1"},
    ]
}
OBJECT: dict[str, Any] = {
    "metadata": {
        "name": "web",
        "labels": {"a": "1", "b": "2"},
        "annotations": {"prefect-wfexec/run": "x", "mine": "y"},
        "finalizers": ["one", "two"],
    },
    "spec": {"replicas": 3, "selector": {"matchLabels": {"app": "web"}}, "template": {"spec": POD}},
    "status": {"replicas": 3},
}
PORT = 'k:{"containerPort":80,"protocol":"TCP"}'
FIELDS: dict[str, Any] = {
    "f:metadata": {
        "f:labels": {"f:a": {}},
        "f:annotations": {"f:prefect-wfexec/run": {}, "f:mine": {}},
        "f:finalizers": {'v:"one"': {}},
    },
    "f:spec": {
        "f:selector": {},
        "f:absent": {},
        "f:template": {
            "f:spec": {"f:containers": {'k:{"name":"web"}': {".": {}, "f:name": {}, "f:ports": {PORT: {".": {}}}}}}
        },
    },
}


def test_only_what_is_owned_is_kept_and_items_of_lists_keep_their_keys() -> None:
    part = part_of(OBJECT, FIELDS)
    assert part["metadata"] == {"labels": {"a": "1"}, "annotations": {"mine": "y"}, "finalizers": ["one"]}
    assert part["spec"] == {
        "selector": {"matchLabels": {"app": "web"}},
        "template": {"spec": {"containers": [{"name": "web", "ports": [{"containerPort": 80, "protocol": "TCP"}]}]}},
    }
    assert "status" not in part


def test_the_object_itself_is_not_changed() -> None:
    part_of(OBJECT, FIELDS)["spec"]["selector"]["matchLabels"]["app"] = "other"
    assert OBJECT["spec"]["selector"]["matchLabels"]["app"] == "web"
    assert OBJECT["metadata"]["annotations"] == {"prefect-wfexec/run": "x", "mine": "y"}


def test_only_our_own_applies_count_and_owners_are_joined() -> None:
    entries = [
        {"manager": "prefect-wfexec", "operation": "Update", "fieldsV1": {"f:a": {}}},
        {"manager": "kubectl", "operation": "Apply", "fieldsV1": {"f:b": {}}},
        {"manager": "prefect-wfexec", "operation": "Apply", "subresource": "status", "fieldsV1": {"f:c": {}}},
        {"manager": "prefect-wfexec", "operation": "Apply", "fieldsV1": {"f:d": {}}},
    ]
    assert applied_fields({"metadata": {"managedFields": entries}}) == {"f:d": {}}
    assert applied_fields({"metadata": {}}) == {}
    assert joined({"f:a": {"f:b": {}}}, {"f:a": {"f:c": {}}, "f:d": {}}) == {"f:a": {"f:b": {}, "f:c": {}}, "f:d": {}}


def test_what_stood_there_is_read_as_it_was_written() -> None:
    body = {"metadata": {}, "data": {"x": "ü" * 1000}}
    assert before.read(before.written(body, "ConfigMap x"), "ConfigMap x").body == body
    assert before.read(before.written(None, "ConfigMap x"), "ConfigMap x").body is None


@pytest.mark.parametrize("text", ["", "nonsense", "AAAA", before.written({"metadata": {}}, "x")[:-6]])
def test_what_was_changed_by_others_is_not_believed(text: str) -> None:
    with pytest.raises(StepFailed) as caught:
        before.read(text, "ConfigMap x")
    assert caught.value.type == "undo_lost"


def test_what_is_too_large_to_be_kept_is_refused_before_anything_is_changed() -> None:
    import random

    noise = "".join(random.Random(1).choices("abcdefghijklmnopqrstuvwxyz0123456789", k=600_000))
    with pytest.raises(StepFailed) as caught:
        before.written({"metadata": {}, "data": noise}, "ConfigMap x")
    assert caught.value.type == "too_large"
