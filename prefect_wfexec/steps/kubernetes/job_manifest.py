"""The job that is made of a manifest: named, labelled and bounded so that it is one attempt's and no other's. Pure."""

import copy
from collections.abc import Mapping
from typing import Any

from prefect_wfexec.errors import StepFailed
from prefect_wfexec.steps.base import StepContext
from prefect_wfexec.steps.kubernetes import names
from prefect_wfexec.steps.kubernetes.manifests import Manifest

GRACE_SECONDS = 60
"""How much longer than the step's timeout the cluster lets a job run that nobody is left to stop."""
KEPT_SECONDS = 3600
"""How long the cluster keeps a job that has ended and that nobody is left to delete."""
SHORTEST_KEPT_SECONDS = 300


def make_job(manifest: Manifest, context: StepContext, namespace: str, start: str) -> dict[str, Any]:
    """The job of an attempt.

    Args:
        manifest: The manifest.
        context: The attempt's.
        namespace: Where it goes.
        start: A name for this very start, by which it is known again.

    Raises:
        StepFailed: the manifest is no job, or has what a job of ours can't have.
    """
    _require_job(manifest)
    job = copy.deepcopy(manifest.object)
    labels = _labels(context)
    metadata, spec = job["metadata"], job["spec"]
    metadata.pop("generateName", None)
    metadata["name"] = names.job_name(manifest.name, context.run.id, context.step.id, context.attempt)
    metadata["namespace"] = namespace
    metadata["labels"] = {**(metadata.get("labels") or {}), **labels}
    metadata["annotations"] = {**(metadata.get("annotations") or {}), names.START: start}
    template = spec["template"]
    template_metadata = template.setdefault("metadata", None) or {}
    template["metadata"] = {**template_metadata, "labels": {**(template_metadata.get("labels") or {}), **labels}}
    # Trying again is the step's to decide: a pod that was evicted or has failed is not replaced behind its back.
    spec.setdefault("backoffLimit", 0)
    spec["ttlSecondsAfterFinished"] = max(spec.get("ttlSecondsAfterFinished", KEPT_SECONDS), SHORTEST_KEPT_SECONDS)
    if context.timeout_seconds is not None:
        limit = int(context.timeout_seconds) + GRACE_SECONDS
        spec["activeDeadlineSeconds"] = min(spec.get("activeDeadlineSeconds", limit), limit)
    if context.env:
        _use_secret(template, metadata["name"])
    return job


def env_secret(job: Mapping[str, Any], env: Mapping[str, str]) -> dict[str, Any]:
    """The Secret with the step's variables; it belongs to the job and goes with it."""
    metadata = job["metadata"]
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": metadata["name"], "uid": metadata["uid"]}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "Opaque",
        "metadata": {
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "labels": {key: value for key, value in metadata["labels"].items() if key.startswith(names.PREFIX)},
            "ownerReferences": [owner],
        },
        "stringData": dict(env),
    }


def _use_secret(template: dict[str, Any], name: str) -> None:
    for key in ("initContainers", "containers"):
        for container in template["spec"].get(key) or ():
            container["envFrom"] = [*(container.get("envFrom") or ()), {"secretRef": {"name": name}}]


def _labels(context: StepContext) -> dict[str, str]:
    return {
        names.MANAGED_BY: names.PREFIX,
        names.RUN: names.label_value(context.run.id),
        names.STEP: names.label_value(context.step.id),
        names.ATTEMPT: str(context.attempt),
        names.KEY: names.step_key(context.run.id, context.step.id),
    }


def _require_job(manifest: Manifest) -> None:
    if (manifest.api_version, manifest.kind) != ("batch/v1", "Job"):
        raise _bad(manifest, f"is a {manifest.api_version} {manifest.kind}", "a kubernetes.job runs one batch/v1 Job")
    spec = manifest.object.get("spec")
    spec = spec if isinstance(spec, dict) else {}
    template = spec.get("template")
    pod = template.get("spec") if isinstance(template, dict) else None
    containers = pod.get("containers") if isinstance(pod, dict) else None
    if not isinstance(containers, list) or not all(isinstance(one, dict) for one in containers) or not containers:
        raise _bad(manifest, "has no containers in spec.template.spec", None)
    for key in ("selector", "manualSelector"):
        if key in spec:
            raise _bad(manifest, f"has a spec.{key}", "remove it: every attempt gets pods of its own")
    if spec.get("suspend"):
        raise _bad(manifest, "is suspended", "remove spec.suspend: it would never start")
    for key in ("activeDeadlineSeconds", "ttlSecondsAfterFinished"):
        if key in spec and (not isinstance(spec[key], int) or isinstance(spec[key], bool)):
            raise _bad(manifest, f"has a spec.{key} that is no number", None)


def _bad(manifest: Manifest, words: str, hint: str | None) -> StepFailed:
    return StepFailed(f"{manifest.source}: '{manifest.name}' {words}", type="bad_manifest", hint=hint, retryable=False)
