"""`deploy.kubernetes` and its undo in a cluster whose workloads are real processes."""

import asyncio
import base64
from pathlib import Path
from typing import Any

import pytest
import yaml

from prefect_wfexec.errors import StepFailed, StepStopped
from prefect_wfexec.steps.base import StepContext, StepResult
from prefect_wfexec.steps.deploy import waiting
from prefect_wfexec.steps.kubernetes import api
from prefect_wfexec.testing import log_of, make_context, run_step
from tests.support.kubernetes_server import KubernetesServer

DEPLOYMENTS, MAPS = "deployments.apps", "configmaps"
ANYTHING = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
NEVER_READY = {"readinessProbe": {"exec": {"command": ["false"]}}}
RUN = "00000000-0000-4000-8000-000000000000"


@pytest.fixture(autouse=True)
def looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "LOOK_SECONDS", 0.1)
    monkeypatch.setattr(waiting, "SETTLE_SECONDS", 0.5)


def web(image: str = "busybox:1", *, kind: str = "Deployment", name: str = "web", **spec: Any) -> dict[str, Any]:
    container: dict[str, Any] = {"name": "web", "image": image, **spec.pop("container", {})}
    pod = {"terminationGracePeriodSeconds": 1, "containers": [container]}
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": name},
        "spec": {
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": {**pod, **spec.pop("pod", {})}},
            **spec,
        },
    }


def config(name: str = "settings", **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def write(folder: Path, *objects: dict[str, Any], name: str = "k8s/all.yaml") -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump_all(objects))


def context_for(folder: Path, uses: str = "deploy.kubernetes", **options: Any) -> StepContext:
    with_ = {"manifests": "k8s", **options.pop("with_", {})}
    return make_context(uses, with_=with_, folder=folder, **options)


async def deploy(folder: Path, **options: Any) -> StepResult:
    return await run_step(context_for(folder, **options))


async def undo(folder: Path, **options: Any) -> StepResult:
    return await run_step(context_for(folder, "deploy.kubernetes_undo", **options))


async def failure_of(context: StepContext) -> StepFailed:
    with pytest.raises(StepFailed) as caught:
        await run_step(context)
    return caught.value


def spec_of(cluster: KubernetesServer, name: str = "web") -> dict[str, Any]:
    found = cluster.object(DEPLOYMENTS, name)
    assert found is not None
    return found["spec"]  # type: ignore[no-any-return]


def image_of(cluster: KubernetesServer, name: str = "web") -> str:
    return str(spec_of(cluster, name)["template"]["spec"]["containers"][0]["image"])


def of_another_run(context: StepContext) -> StepContext:
    from dataclasses import replace

    return replace(context, run=replace(context.run, id="11111111-0000-4000-8000-000000000000"))


def marks_of(obj: dict[str, Any]) -> list[str]:
    return [key for key in obj["metadata"].get("annotations") or {} if key.startswith("prefect-wfexec/")]


async def test_puts_everything_there_and_waits_until_it_runs(cluster, tmp_path) -> None:
    write(tmp_path, web(replicas=2), config(colour="blue"))
    context = context_for(tmp_path)
    result = await run_step(context)
    assert result.outputs["counts"] == {"created": 2, "changed": 0, "unchanged": 0}
    assert result.outputs["images"] == ["busybox:1"]
    assert [(one["kind"], one["action"]) for one in result.outputs["objects"]] == [
        ("ConfigMap", "created"),
        ("Deployment", "created"),
    ]
    assert result.summary == "2 created"
    status = cluster.object(DEPLOYMENTS, "web")["status"]
    assert (status["availableReplicas"], status["updatedReplicas"]) == (2, 2)
    assert "Deployment web in default: created" in log_of(context).text("stdout")
    assert len(cluster.process_ids()) == 2


@pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet"])
async def test_waits_for_other_workloads_too(cluster, tmp_path, kind: str) -> None:
    cluster.images["busybox:2"] = ["sleep", "600"]
    write(tmp_path, web(kind=kind))
    await deploy(tmp_path)
    write(tmp_path, web("busybox:2", kind=kind))
    context = context_for(tmp_path)
    await run_step(context)
    pods = cluster.objects("pods")
    assert {pod["spec"]["containers"][0]["image"] for pod in pods} == {"busybox:2"}
    assert "1 of 1 pods are" in log_of(context).text("system")


async def test_a_second_deploy_changes_what_differs_and_says_what_does_not(cluster, tmp_path) -> None:
    cluster.images["busybox:2"] = ["sleep", "600"]
    write(tmp_path, web(), config(colour="blue"))
    await deploy(tmp_path)
    write(tmp_path, web("busybox:2"), config(colour="blue"))
    result = await run_step(of_another_run(context_for(tmp_path)))
    assert result.outputs["counts"] == {"created": 0, "changed": 1, "unchanged": 1}
    assert image_of(cluster) == "busybox:2"
    assert {pod["spec"]["containers"][0]["image"] for pod in cluster.objects("pods")} == {"busybox:2"}


async def test_the_image_is_put_in(cluster, tmp_path) -> None:
    image = "registry.test/shop/web@sha256:" + "b" * 64
    cluster.images[image] = ["sleep", "600"]
    write(tmp_path, web("registry.test/shop/web:latest"))
    result = await deploy(tmp_path, with_={"image": image})
    assert image_of(cluster) == image
    assert result.outputs["images"] == [image]


async def test_an_image_that_nothing_takes_changes_nothing(cluster, tmp_path) -> None:
    write(tmp_path, web())
    failure = await failure_of(context_for(tmp_path, with_={"image": "registry.test/other:1"}))
    assert failure.type == "image_unused"
    assert cluster.objects(DEPLOYMENTS) == []


async def test_nothing_is_changed_when_one_object_is_refused(cluster, tmp_path) -> None:
    bad = web(name="bad")
    bad["spec"]["template"]["metadata"]["labels"] = {"app": "other"}
    odd = web(name="odd")
    odd["spec"]["replicsa"] = 3
    write(tmp_path, config(colour="blue"), bad, odd)
    failure = await failure_of(context_for(tmp_path))
    assert failure.type == "kubernetes_invalid"
    assert "`selector` does not match template `labels`" in failure.message
    assert ".spec.replicsa: field not declared in schema" in failure.message
    assert "k8s/all.yaml:" in failure.message
    assert failure.message.endswith("nothing was changed")
    assert cluster.objects(MAPS) == []


async def test_what_is_forbidden_is_told_and_nothing_is_changed(cluster, tmp_path) -> None:
    cluster.forbid("patch", DEPLOYMENTS)
    write(tmp_path, config(colour="blue"), web())
    failure = await failure_of(context_for(tmp_path))
    assert failure.type == "kubernetes_forbidden"
    assert 'cannot patch resource "deployments" in API group "apps"' in failure.message
    assert cluster.objects(MAPS) == []


async def test_a_kind_that_the_cluster_does_not_know_is_told_with_a_guess(cluster, tmp_path) -> None:
    write(tmp_path, {**web(), "kind": "Deploymnet"}, {**config(), "apiVersion": "example.com/v1", "kind": "Widget"})
    failure = await failure_of(context_for(tmp_path))
    assert failure.type == "unknown_kind"
    assert "no Deploymnet in apps/v1; did you mean Deployment?" in failure.message
    assert "the cluster has no API 'example.com/v1'" in failure.message


async def test_a_namespace_and_a_kind_of_ones_own_come_before_what_needs_them(cluster, tmp_path) -> None:
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.example.com"},
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": {"kind": "Widget", "plural": "widgets"},
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": ANYTHING}],
        },
    }
    widget = {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "one"}, "spec": {"size": 3}}
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
    write(tmp_path, widget, config(colour="blue"), definition, namespace)
    result = await deploy(tmp_path, with_={"namespace": "shop"})
    assert result.outputs["counts"]["created"] == 4
    assert cluster.object("widgets.example.com", "one", "shop")["spec"] == {"size": 3}


async def test_a_field_of_another_owner_is_left_alone_unless_it_is_taken_over(cluster, tmp_path) -> None:
    write(tmp_path, config(colour="blue"))
    await deploy(tmp_path)
    theirs = {**config(colour="red"), "metadata": {"name": "settings"}}
    await _apply_as(cluster, "somebody-else", theirs)
    write(tmp_path, config(colour="green"))
    failure = await failure_of(of_another_run(context_for(tmp_path)))
    assert failure.type == "field_conflict"
    assert '.data.colour (conflict with "somebody-else")' in failure.message
    assert "take_over" in (failure.hint or "")
    assert cluster.object(MAPS, "settings")["data"] == {"colour": "red"}
    await run_step(of_another_run(context_for(tmp_path, with_={"take_over": True})))
    assert cluster.object(MAPS, "settings")["data"] == {"colour": "green"}


async def _apply_as(cluster: KubernetesServer, manager: str, obj: dict[str, Any]) -> None:
    from aiohttp import ClientSession

    path = f"/api/v1/namespaces/default/configmaps/{obj['metadata']['name']}?fieldManager={manager}&force=true"
    headers = {"Authorization": f"Bearer {cluster.token}", "Content-Type": "application/apply-patch+yaml"}
    async with (
        ClientSession() as session,
        session.patch(cluster.url + path, json=obj, headers=headers, ssl=False) as answer,
    ):
        assert answer.status == 200, await answer.text()


async def test_a_rollout_that_never_becomes_ready_fails_at_the_timeout_and_says_why(cluster, tmp_path) -> None:
    write(tmp_path, web(container={"readinessProbe": {"exec": {"command": ["false"]}}}))
    failure = await failure_of(context_for(tmp_path, timeout_seconds=3))
    assert failure.type == "timeout"
    assert "Deployment web: 0 of 1 pods are available" in failure.message
    assert "is running, not ready" in failure.message
    assert "event: Unhealthy" in failure.message


async def test_no_progress_within_the_deployments_own_deadline_fails_it(cluster, tmp_path) -> None:
    probe = {"readinessProbe": {"exec": {"command": ["false"]}}}
    write(tmp_path, web(progressDeadlineSeconds=1, container=probe))
    failure = await failure_of(context_for(tmp_path))
    assert (failure.type, failure.retryable) == ("rollout_failed", False)
    assert "made no progress for 1 s (ProgressDeadlineExceeded)" in failure.message
    assert failure.outputs["counts"]["created"] == 1


async def test_a_container_that_crashes_is_told_in_words(cluster, tmp_path) -> None:
    crash = {"command": ["sh", "-c", "echo boom; exit 3"]}
    write(tmp_path, web(container=crash))
    context = context_for(tmp_path, timeout_seconds=5)
    failure = await failure_of(context)
    assert failure.type == "timeout"
    assert "crashes again and again (CrashLoopBackOff" in log_of(context).text("system")
    assert "exit code 3" in failure.message


async def test_an_image_that_can_not_be_pulled_is_told_in_words(cluster, tmp_path) -> None:
    write(tmp_path, web("registry.test/absent:1", progressDeadlineSeconds=1))
    context = context_for(tmp_path)
    failure = await failure_of(context)
    assert "the image registry.test/absent:1 of container 'web' can't be pulled" in failure.message
    assert "event: Failed" in failure.message or "event: BackOff" in failure.message


async def test_a_pod_that_no_node_takes_is_told(cluster, tmp_path) -> None:
    write(tmp_path, web(progressDeadlineSeconds=1, pod={"nodeSelector": {"disk": "ssd"}}))
    failure = await failure_of(context_for(tmp_path))
    assert "can't be scheduled: 0/1 nodes are available" in failure.message


async def test_a_paused_deployment_is_told_at_once(cluster, tmp_path) -> None:
    write(tmp_path, web(paused=True))
    failure = await failure_of(context_for(tmp_path))
    assert "it is paused" in failure.message


async def test_a_cancel_says_how_far_it_was(cluster, tmp_path) -> None:
    write(tmp_path, web(container={"readinessProbe": {"exec": {"command": ["false"]}}}))
    context = context_for(tmp_path)
    task = asyncio.create_task(run_step(context))
    async with asyncio.timeout(20):
        while "0 of 1 pods are available" not in log_of(context).text("system"):
            await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(StepStopped, match="all 1 objects were put into the cluster") as caught:
        await task
    assert caught.value.retryable is False
    assert caught.value.outputs["counts"]["created"] == 1


async def test_an_api_server_away_for_a_while_is_waited_for(cluster, tmp_path) -> None:
    write(tmp_path, web(replicas=1, container={"command": ["sh", "-c", "sleep 600"]}))
    cluster.go_away(1.0)
    context = context_for(tmp_path)
    await run_step(context)
    text = log_of(context).text("system")
    assert "does not answer" in text
    assert "answers again" in text


async def test_what_is_refused_for_good_is_told_after_the_server_has_come_back(cluster, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(api, "BACK_SECONDS", 1.5)
    write(tmp_path, config(colour="blue"))
    cluster.forbid("patch", MAPS)
    cluster.go_away(0.5)
    context = context_for(tmp_path)
    failure = await failure_of(context)
    assert failure.type == "kubernetes_forbidden"
    assert "does not answer" in log_of(context).text("system")


# --- undo ---


async def test_undo_deletes_what_was_created(cluster, tmp_path) -> None:
    write(tmp_path, web(), config(colour="blue"))
    await deploy(tmp_path)
    result = await undo(tmp_path)
    assert result.outputs == {"restored": 0, "deleted": 2, "left": []}
    assert cluster.objects(DEPLOYMENTS) == []
    assert cluster.objects(MAPS) == []
    assert cluster.process_ids() == []


async def test_undo_restores_what_was_changed_and_leaves_no_trace(cluster, tmp_path) -> None:
    cluster.images["busybox:2"] = ["sleep", "600"]
    write(tmp_path, web(replicas=2), config(colour="blue", size="3"))
    await run_step(of_another_run(context_for(tmp_path)))
    write(tmp_path, web("busybox:2", replicas=1), config(colour="green", shape="round"), config("new", a="b"))
    await deploy(tmp_path)
    assert cluster.object(MAPS, "settings")["data"] == {"colour": "green", "shape": "round"}
    result = await undo(tmp_path)
    assert result.outputs == {"restored": 2, "deleted": 1, "left": []}
    assert cluster.object(MAPS, "settings")["data"] == {"colour": "blue", "size": "3"}
    assert image_of(cluster) == "busybox:1"
    assert cluster.object(DEPLOYMENTS, "web")["status"]["availableReplicas"] == 2
    assert {pod["spec"]["containers"][0]["image"] for pod in cluster.objects("pods")} == {"busybox:1"}
    assert marks_of(cluster.object(MAPS, "settings")) == []


async def test_undo_restores_what_a_secret_was(cluster, tmp_path) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "key"}}
    write(tmp_path, {**secret, "stringData": {"password": "first", "old": "kept"}})
    await run_step(of_another_run(context_for(tmp_path)))
    write(tmp_path, {**secret, "stringData": {"password": "second", "new": "gone"}})
    result = await deploy(tmp_path)
    assert result.outputs["counts"]["changed"] == 1
    assert texts_of(cluster.object("secrets", "key")) == {"password": "second", "new": "gone"}
    await undo(tmp_path)
    assert texts_of(cluster.object("secrets", "key")) == {"password": "first", "old": "kept"}


def texts_of(secret: dict[str, Any]) -> dict[str, str]:
    return {name: base64.b64decode(text).decode() for name, text in secret["data"].items()}


async def test_undo_leaves_fields_of_others_and_later_deploys_do_not_conflict(cluster, tmp_path) -> None:
    write(tmp_path, config(colour="blue"))
    await run_step(of_another_run(context_for(tmp_path)))
    write(tmp_path, config(colour="green"))
    await deploy(tmp_path)
    await _apply_as(cluster, "autoscaler", {**config(), "data": {"replicas": "7"}})
    await undo(tmp_path)
    assert cluster.object(MAPS, "settings")["data"] == {"colour": "blue", "replicas": "7"}
    write(tmp_path, config(colour="yellow"))
    await run_step(of_another_run(context_for(tmp_path)))
    assert cluster.object(MAPS, "settings")["data"]["colour"] == "yellow"


async def test_undo_takes_back_what_was_taken_over(cluster, tmp_path) -> None:
    await _apply_as_new(cluster, "kubectl", config(colour="red"))
    write(tmp_path, config(colour="green"))
    await deploy(tmp_path, with_={"take_over": True})
    await undo(tmp_path)
    assert cluster.object(MAPS, "settings")["data"] == {"colour": "red"}


async def _apply_as_new(cluster: KubernetesServer, manager: str, obj: dict[str, Any]) -> None:
    await _create(cluster, f"configmaps?fieldManager={manager}", obj)


async def _create(cluster: KubernetesServer, what: str, obj: dict[str, Any]) -> None:
    from aiohttp import ClientSession

    path = f"/api/v1/namespaces/default/{what}"
    headers = {"Authorization": f"Bearer {cluster.token}"}
    async with (
        ClientSession() as session,
        session.post(cluster.url + path, json=obj, headers=headers, ssl=False) as answer,
    ):
        assert answer.status == 201, await answer.text()


async def test_undo_after_a_failed_second_attempt_goes_back_to_before_the_first(cluster, tmp_path) -> None:
    write(tmp_path, config(colour="blue"))
    await run_step(of_another_run(context_for(tmp_path)))
    for attempt, colour in ((1, "green"), (2, "yellow")):
        write(tmp_path, config(colour=colour))
        await deploy(tmp_path, attempt=attempt)
    await undo(tmp_path)
    assert cluster.object(MAPS, "settings")["data"] == {"colour": "blue"}


async def test_undo_leaves_what_another_run_has_deployed_since(cluster, tmp_path) -> None:
    write(tmp_path, config(colour="green"))
    await deploy(tmp_path)
    write(tmp_path, config(colour="yellow"))
    await run_step(of_another_run(context_for(tmp_path)))
    context = context_for(tmp_path, "deploy.kubernetes_undo")
    result = await run_step(context)
    assert result.outputs == {"restored": 0, "deleted": 0, "left": []}
    assert "has deployed it since" in log_of(context).text("system")
    assert cluster.object(MAPS, "settings")["data"] == {"colour": "yellow"}


async def test_undo_twice_is_undo_once(cluster, tmp_path) -> None:
    write(tmp_path, config(colour="green"))
    await deploy(tmp_path)
    await undo(tmp_path)
    result = await undo(tmp_path)
    assert result.outputs == {"restored": 0, "deleted": 0, "left": []}


async def test_undo_goes_on_over_what_can_not_be_undone_and_says_what_is_left(cluster, tmp_path) -> None:
    write(tmp_path, config("one", a="b"), web())
    await deploy(tmp_path)
    cluster.forbid("delete", MAPS)
    failure = await failure_of(context_for(tmp_path, "deploy.kubernetes_undo"))
    assert failure.type == "left_over"
    assert failure.outputs == {"restored": 0, "deleted": 1, "left": ["ConfigMap default/one"]}
    assert cluster.objects(DEPLOYMENTS) == []


async def test_undo_brings_back_what_ran_before_a_deploy_that_failed(cluster, tmp_path) -> None:
    write(tmp_path, web(progressDeadlineSeconds=60))
    await run_step(of_another_run(context_for(tmp_path)))
    write(tmp_path, web("registry.test/absent:1", progressDeadlineSeconds=1))
    await failure_of(context_for(tmp_path))
    await undo(tmp_path)
    assert image_of(cluster) == "busybox:1"
    assert spec_of(cluster)["progressDeadlineSeconds"] == 60


STUCK = {"command": ["sh", "-c", "trap '' TERM; while :; do sleep 0.1; done"], **NEVER_READY}


async def _fail_to_replace(tmp_path: Path) -> None:
    """A Deployment that is replaced as a whole by one which never gets ready and takes a while to stop."""
    write(tmp_path, web(progressDeadlineSeconds=60, strategy={"type": "Recreate"}))
    await run_step(of_another_run(context_for(tmp_path)))
    write(tmp_path, web(progressDeadlineSeconds=1, strategy={"type": "Recreate"}, container=STUCK))
    failure = await failure_of(context_for(tmp_path))
    assert "ProgressDeadlineExceeded" in failure.message


async def test_undo_is_no_failure_by_what_the_failed_deploy_has_left(cluster, tmp_path) -> None:
    await _fail_to_replace(tmp_path)
    result = await undo(tmp_path)
    assert result.outputs["restored"] == 1
    assert cluster.object(DEPLOYMENTS, "web")["status"]["availableReplicas"] == 1


async def test_undoing_again_waits_for_what_was_restored_before(cluster, tmp_path) -> None:
    write(tmp_path, web("busybox:2", progressDeadlineSeconds=1), config(colour="blue"))
    cluster.images["busybox:2"] = ["sleep", "600"]
    await run_step(of_another_run(context_for(tmp_path)))
    write(tmp_path, web(progressDeadlineSeconds=1), config(colour="green"))
    await deploy(tmp_path)
    del cluster.images["busybox:2"]
    for attempt in (1, 2):
        failure = await failure_of(context_for(tmp_path, "deploy.kubernetes_undo", attempt=attempt))
        assert failure.type == "rollout_failed", attempt
        assert "can't be pulled" in failure.message
    cluster.images["busybox:2"] = ["sleep", "600"]
    result = await undo(tmp_path, attempt=3)
    assert result.outputs == {"restored": 1, "deleted": 0, "left": []}
    assert cluster.object(MAPS, "settings")["data"] == {"colour": "blue"}
    assert marks_of(cluster.object(DEPLOYMENTS, "web")) == []


async def test_events_of_another_object_of_the_same_name_are_not_told(cluster, tmp_path) -> None:
    write(tmp_path, web(progressDeadlineSeconds=1, container=NEVER_READY))
    about = {"kind": "Service", "namespace": "default", "name": "web", "uid": "another"}
    await _create(cluster, "events", _event(about, "FailedToUpdateEndpointSlices"))
    failure = await failure_of(context_for(tmp_path))
    assert "event: Unhealthy" in failure.message
    assert "FailedToUpdateEndpointSlices" not in failure.message


def _event(about: dict[str, Any], reason: str) -> dict[str, Any]:
    event = {"apiVersion": "v1", "kind": "Event", "metadata": {"name": "web.1"}, "involvedObject": about}
    return {**event, "type": "Warning", "reason": reason, "message": "", "lastTimestamp": "2030-01-01T00:00:00Z"}


async def test_the_values_of_secrets_are_masked_from_the_start(cluster, tmp_path) -> None:
    write(
        tmp_path, {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"a": "s3cr3t-t0ken"}}
    )
    context = context_for(tmp_path)
    await run_step(context)
    assert context.masker.mask("it is s3cr3t-t0ken") == "it is ***"
