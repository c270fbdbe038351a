"""`kubernetes.job`: run a Job to its end, with the logs of all its containers, and leave nothing of it behind.

prefect-kubernetes' KubernetesJob leaves the Job behind on a cancel, a timeout and a failure, and reads one container
only; its block of credentials and the client it brings are used, its run loop is not.
"""

import asyncio
import uuid

from pydantic import Field

from prefect_wfexec.errors import StepFailed, StepStopped
from prefect_wfexec.steps.base import OutputsModel, StepContext, StepResult, StepType, WithModel
from prefect_wfexec.steps.kubernetes.access import BLOCK, open_cluster
from prefect_wfexec.steps.kubernetes.images import put_images
from prefect_wfexec.steps.kubernetes.job_manifest import make_job
from prefect_wfexec.steps.kubernetes.manifests import Manifest, namespace_for, read_manifests
from prefect_wfexec.steps.kubernetes.running_job import RunningJob
from prefect_wfexec.steps.kubernetes.unstoppable import until_done
from prefect_wfexec.steps.registry import step_type


class KubernetesJobWith(WithModel):
    """Which job, and where."""

    manifest: str = Field(min_length=1, description="The job's manifest, a path.")
    image: str | None = Field(
        default=None,
        description="The image for the containers whose image is `IMAGE` or is of the same repository.",
    )
    namespace: str = Field(default="default", min_length=1, description="The namespace.")
    block: str | None = Field(
        default=None,
        min_length=1,
        description="The saved Kubernetes Credentials block; without one the pod's own account, or the kubeconfig.",
    )


class KubernetesJobOutputs(OutputsModel):
    """The job that ran."""

    name: str = Field(description="Its name in the cluster, where it is no longer.")
    namespace: str = Field(description="Its namespace.")
    stdout: str = Field(description="The last 64 KiB of what its containers said, masked.")


@step_type("kubernetes.job")
class KubernetesJob(StepType):
    """Runs one Job to its end, and deletes it with its pods however that end comes."""

    Inputs = KubernetesJobWith
    Outputs = KubernetesJobOutputs
    blocks = (BLOCK,)

    async def run(self, context: StepContext) -> StepResult:
        inputs: KubernetesJobWith = context.inputs
        manifest = _one_manifest(context, inputs)
        namespace = namespace_for(manifest, inputs.namespace, is_given="namespace" in inputs.model_fields_set)
        wanted = make_job(manifest, context, namespace, str(uuid.uuid4()))
        async with open_cluster(context, inputs.block) as cluster:
            job = RunningJob(cluster, context, wanted)
            context.log.system(f"running the job {job.name} in {namespace}")
            await _to_its_end(job)
        return StepResult(job.outputs(), f"Job {job.name} succeeded")


async def _to_its_end(job: RunningJob) -> None:
    """Run the job, and take it away whatever comes.

    Raises:
        StepFailed: it failed.
        StepStopped: the step was stopped.
    """
    try:
        await job.create()
        await job.run()
    except asyncio.CancelledError:
        left = await until_done(job.remove())
        raise _stopped(job, left) from None
    except StepFailed as failed:
        left = await until_done(job.remove())
        if left is not None:
            failed.message = f"{failed.message}\nand the job is still there: {left}"
            failed.args = (failed.message,)
        raise
    left = await until_done(job.remove())
    if left is not None:
        # What the job was to do is done: that it still stands there is no failure of it.
        job.tell(f"the job succeeded, and is still there: {left}")


def _stopped(job: RunningJob, left: str | None) -> StepStopped:
    if left is None:
        words = f"the job {job.name} was deleted with its pods" if job.uid else f"the job {job.name} was not started"
        return StepStopped(words, type="stopped", outputs=job.outputs())
    return StepStopped(
        f"whether the job {job.name} still runs is not known: {left}",
        type="outcome_unknown",
        hint=f"delete it by hand in the namespace {job.namespace}",
        retryable=False,
        outputs=job.outputs(),
    )


def _one_manifest(context: StepContext, inputs: KubernetesJobWith) -> Manifest:
    manifests = read_manifests(context, [inputs.manifest])
    if len(manifests) != 1:
        raise StepFailed(
            f"'{inputs.manifest}' holds {len(manifests)} objects; a kubernetes.job runs one Job",
            type="bad_manifest",
            hint="put the other objects into a deploy.kubernetes step before it",
            retryable=False,
        )
    put_images(manifests, inputs.image)
    return manifests[0]
