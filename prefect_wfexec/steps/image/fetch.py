"""`image.fetch`: find out which image a name means in its registry now; nothing is pulled."""

from prefect_wfexec.errors import StepFailed
from prefect_wfexec.steps.base import StepContext, StepResult
from prefect_wfexec.steps.image.access import sign_in
from prefect_wfexec.steps.image.models import ImageOutputs, ImageRefWith, image_outputs
from prefect_wfexec.steps.image.names import read_name
from prefect_wfexec.steps.image.signed_in import ImageStep
from prefect_wfexec.steps.image.skopeo import Skopeo
from prefect_wfexec.steps.registry import step_type


@step_type("image.fetch", reads_only=True)
class ImageFetch(ImageStep):
    """Looks one image up; what is deployed afterwards is its digest."""

    Inputs = ImageRefWith
    Outputs = ImageOutputs
    tools = (("skopeo",),)

    async def run(self, context: StepContext) -> StepResult:
        inputs: ImageRefWith = context.inputs
        name = read_name(inputs.ref, needs_registry=True)
        skopeo = Skopeo(context, await sign_in(context, inputs.block, name))
        digest = await skopeo.digest(name)
        if name.digest and digest != name.digest:
            raise StepFailed(f"the registry gives {digest} for {name.text}", type="digest_mismatch", retryable=False)
        context.log.system(f"{name.text} is {digest}")
        summary = f"{name.text.partition('@')[0]} @ {digest.removeprefix('sha256:')[:12]}"
        return StepResult(outputs=image_outputs(inputs.ref, name, digest), summary=summary)
