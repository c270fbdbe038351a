"""`image.push`: put an image that this run has built into its registry, and see that it is there."""

from prefect_wfexec.errors import StepFailed
from prefect_wfexec.steps.base import StepContext, StepResult
from prefect_wfexec.steps.image.access import sign_in
from prefect_wfexec.steps.image.models import ImageOutputs, ImageRefWith, image_outputs
from prefect_wfexec.steps.image.names import ImageName, read_name
from prefect_wfexec.steps.image.signed_in import ImageStep
from prefect_wfexec.steps.image.skopeo import Skopeo
from prefect_wfexec.steps.image.store import BuiltImage, ImageStore
from prefect_wfexec.steps.registry import step_type


@step_type("image.push")
class ImagePush(ImageStep):
    """Pushes one image under the name it was built with; the registry has the very digest that was built."""

    Inputs = ImageRefWith
    Outputs = ImageOutputs
    tools = (("skopeo",),)

    async def run(self, context: StepContext) -> StepResult:
        inputs: ImageRefWith = context.inputs
        wanted = read_name(inputs.ref, needs_registry=True)
        image = _built(context, wanted)
        skopeo = Skopeo(context, await sign_in(context, inputs.block, wanted))
        await skopeo.push(image.layout, image.name)
        await _see(skopeo, image)
        context.log.system(f"{image.name.text} is {image.digest}")
        return StepResult(
            outputs=image_outputs(image.name.text, image.name, image.digest), summary=f"pushed {image.name.text}"
        )


def _built(context: StepContext, wanted: ImageName) -> BuiltImage:
    image = ImageStore(context.workspace).find(wanted)
    if image is None:
        raise StepFailed(
            f"this run has built no {wanted.text} on this machine",
            type="image_missing",
            hint="`ref` is the `ref` or `digest_ref` of an image.build step; where another worker built it, retry from "
            "that step, and have no approval between build and push",
            retryable=False,
        )
    return image


async def _see(skopeo: Skopeo, image: BuiltImage) -> None:
    """Make sure that the registry gives what was built, by its digest and by its tag."""
    for name in (read_name(image.digest_ref), image.name):
        found = await skopeo.digest(name)
        if found != image.digest:
            raise StepFailed(
                f"the registry gives {found} for {name.text}, and {image.digest} was pushed",
                type="digest_mismatch",
                hint="something else pushes to this tag: give each run a tag of its own",
            )
