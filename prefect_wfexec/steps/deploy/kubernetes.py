"""`deploy.kubernetes`: put manifests into a cluster and wait until what they describe runs."""

import asyncio
from typing import Any

from pydantic import Field, field_validator

from prefect_wfexec.definition.model import JSON
from prefect_wfexec.errors import StepFailed, StepStopped
from prefect_wfexec.steps.base import OutputsModel, StepContext, StepResult, StepType, WithModel
from prefect_wfexec.steps.deploy.applying import Apply
from prefect_wfexec.steps.deploy.targets import find_targets
from prefect_wfexec.steps.deploy.waiting import Rollouts
from prefect_wfexec.steps.kubernetes.access import BLOCK, open_cluster
from prefect_wfexec.steps.kubernetes.images import images_of, put_images
from prefect_wfexec.steps.kubernetes.manifests import read_manifests, secrets_in
from prefect_wfexec.steps.kubernetes.unstoppable import until_done
from prefect_wfexec.steps.registry import step_type


class ClusterWith(WithModel):
    """Which manifests, and where."""

    manifests: str | list[str] = Field(description="Manifests: paths of files, folders or globs.")
    namespace: str = Field(default="default", min_length=1, description="The namespace of objects that name none.")
    block: str | None = Field(
        default=None,
        min_length=1,
        description="The saved Kubernetes Credentials block; without one the pod's own account, or the kubeconfig.",
    )

    @field_validator("manifests")
    @classmethod
    def _at_least_one(cls, value: str | list[str]) -> str | list[str]:
        if not value or (isinstance(value, list) and not all(value)):
            raise ValueError("name at least one file, folder or glob")
        return value

    @property
    def paths(self) -> list[str]:
        """The manifests, always as a list."""
        return [self.manifests] if isinstance(self.manifests, str) else self.manifests


class DeployKubernetesWith(ClusterWith):
    """What to deploy, and where."""

    image: str | dict[str, str] | None = Field(
        default=None,
        description="The image for the containers whose image is `IMAGE` or is of the same repository; or images by "
        "the names of their containers.",
    )
    take_over: bool = Field(default=False, description="Whether fields that others own are taken over from them.")


class DeployKubernetesOutputs(OutputsModel):
    """What was put into the cluster."""

    counts: dict[str, int] = Field(description="How many objects were `created`, `changed` and left `unchanged`.")
    objects: list[Any] = Field(
        description="Each object: `api_version`, `kind`, `namespace`, `name`, and what was done (`action`)."
    )
    images: list[str] = Field(description="The images that run now.")


@step_type("deploy.kubernetes", changes_infrastructure=True)
class DeployKubernetes(StepType):
    """Applies manifests by server-side apply, all or none as far as a cluster lets one know, and sees them run."""

    Inputs = DeployKubernetesWith
    Outputs = DeployKubernetesOutputs
    blocks = (BLOCK,)

    async def run(self, context: StepContext) -> StepResult:
        inputs: DeployKubernetesWith = context.inputs
        manifests = await asyncio.to_thread(read_manifests, context, inputs.paths)
        context.masker.add(*secrets_in(manifests))
        put_images(manifests, inputs.image)
        images = sorted({image for one in manifests for image in images_of(one.object)})
        async with open_cluster(context, inputs.block) as cluster:
            is_given = "namespace" in inputs.model_fields_set
            targets = await find_targets(cluster, manifests, inputs.namespace, is_given=is_given)
            apply = Apply(cluster, context, targets, takes_over=inputs.take_over)
            await apply.prepare()
            await context.check_lock()
            rollouts = Rollouts(cluster, context, targets)
            await _deploy(apply, rollouts, images)
        counts = apply.counts()
        summary = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
        return StepResult(_outputs(apply, images), summary)


async def _deploy(apply: Apply, rollouts: Rollouts, images: list[str]) -> None:
    """Change the cluster; from here on a failure leaves something behind, and says what."""
    try:
        await apply.run()
        await rollouts.until_done()
    except asyncio.CancelledError:
        raise await until_done(_stopped(apply, rollouts, images)) from None
    except StepFailed as failed:
        failed.retryable = False
        failed.outputs = dict(_outputs(apply, images))
        if len(apply.done) < len(apply.targets):
            words = f"{len(apply.done)} of {len(apply.targets)} objects were put into the cluster before that"
            failed.message = f"{failed.message}\n{words}"
            failed.args = (failed.message,)
        raise


async def _stopped(apply: Apply, rollouts: Rollouts, images: list[str]) -> StepStopped:
    total, done = len(apply.targets), len(apply.done)
    if not apply.is_begun:
        return StepStopped("nothing was changed", type="stopped")
    if done < total:
        words = [f"{done} of {total} objects were put into the cluster, and perhaps one more"]
        type_ = "outcome_unknown"
    else:
        words, type_ = [f"all {total} objects were put into the cluster, the rollout was not seen to end"], "stopped"
    words += await rollouts.report()
    return StepStopped("\n".join(words), type=type_, retryable=False, outputs=dict(_outputs(apply, images)))


def _outputs(apply: Apply, images: list[str]) -> dict[str, JSON]:
    return {"counts": apply.counts(), "objects": apply.objects(), "images": list(images)}
