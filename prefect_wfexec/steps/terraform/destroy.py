"""terraform.destroy: take down everything a configuration has made."""

import asyncio
import contextlib
from pathlib import Path

from prefect_wfexec.errors import StepFailed, StepStopped
from prefect_wfexec.steps.base import StepContext, StepResult
from prefect_wfexec.steps.registry import step_type
from prefect_wfexec.steps.terraform.apply import run_changing
from prefect_wfexec.steps.terraform.checked import TerraformStep
from prefect_wfexec.steps.terraform.failures import failure
from prefect_wfexec.steps.terraform.models import DestroyInputs, DestroyOutputs
from prefect_wfexec.steps.terraform.opening import open_session, require_declared, variable_files
from prefect_wfexec.steps.terraform.places import configuration_folder
from prefect_wfexec.steps.terraform.plan import read_plan
from prefect_wfexec.steps.terraform.session import Session
from prefect_wfexec.steps.terraform.summaries import done_summary


@step_type("terraform.destroy", changes_infrastructure=True)
class Destroy(TerraformStep):
    """Destroys everything in the state; with nothing in it there is nothing to do, and that succeeds."""

    Inputs = DestroyInputs
    Outputs = DestroyOutputs

    async def run(self, context: StepContext) -> StepResult:
        inputs: DestroyInputs = context.inputs
        folder = configuration_folder(context, inputs.dir)
        session = open_session(context, folder, workspace=inputs.workspace, backend=inputs.backend_config)
        files = variable_files(context, folder, inputs.var_files, inputs.vars)
        await _preview(context, session, files)
        try:
            finished = await run_changing(context, session, session.lines.destroy(files), "destroy")
        except StepFailed as failed:
            # A cancel that comes while the state is read does not hide how the destroy went.
            with contextlib.suppress(asyncio.CancelledError, StepStopped):
                failed.outputs = {**failed.outputs, "left": await _left(session)}
            raise
        counts = finished.counts.get("destroy", finished.done)
        summary, left = done_summary(counts), await _left(session)
        if left:
            words = f"{len(left)} resources are still in the state: {', '.join(left[:20])}"
            raise StepFailed(words, type="left_over", outputs={"left": left})
        return StepResult({"counts": counts, "summary": summary, "values": {}, "left": []}, summary)


async def _left(session: Session) -> list[str]:
    """The addresses that stand in the state; none when it can't be read, which the failure at hand tells."""
    read = await session.run(session.lines.state_list(), show="nothing", is_captured=True)
    return read.output.decode(errors="replace").split() if read.exit_code == 0 else []


async def _preview(context: StepContext, session: Session, files: list[Path]) -> None:
    """Learn what is secret and whether `vars` fits, before anything is destroyed or a line of it is logged."""
    saved = context.scratch / "preview.tfplan"
    argv = session.lines.preview_destroy(saved, files)
    finished = await session.run_initialised(lambda: session.run(argv, show="errors"))
    if finished.exit_code != 0:
        raise failure(context, finished, "plan -destroy")
    require_declared(await read_plan(context, session, saved, context.inputs.vars), context.inputs.vars)
