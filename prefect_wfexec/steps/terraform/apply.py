"""terraform.apply: apply exactly the plan that was saved, once."""

import asyncio
import contextlib
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from prefect_wfexec.errors import StepFailed, StepStopped
from prefect_wfexec.journal.blobref import BlobRef
from prefect_wfexec.steps.base import StepContext, StepResult
from prefect_wfexec.steps.registry import step_type
from prefect_wfexec.steps.terraform.checked import TerraformStep
from prefect_wfexec.steps.terraform.failures import failure, state_file_time, unsaved_state_notes
from prefect_wfexec.steps.terraform.listening import Finished
from prefect_wfexec.steps.terraform.models import ApplyInputs, ApplyOutputs, PlanReference, StoredBlob
from prefect_wfexec.steps.terraform.opening import Backend, open_session, read_values
from prefect_wfexec.steps.terraform.pages import outputs_page
from prefect_wfexec.steps.terraform.places import configuration_folder
from prefect_wfexec.steps.terraform.plan import changes_of, read_plan
from prefect_wfexec.steps.terraform.planfile import read_facts_of, write_private
from prefect_wfexec.steps.terraform.session import Session
from prefect_wfexec.steps.terraform.stops import stopped_changing
from prefect_wfexec.steps.terraform.summaries import done_summary

LINEAGE_CLAIM = "lineage:"


@step_type("terraform.apply", changes_infrastructure=True)
class Apply(TerraformStep):
    """Applies the plan that a terraform.plan step saved: that file, checked, and never twice."""

    Inputs = ApplyInputs
    Outputs = ApplyOutputs

    async def run(self, context: StepContext) -> StepResult:
        reference = read_reference(context.inputs.plan)
        folder = configuration_folder(context, reference.dir)
        session = open_session(
            context, folder, workspace=reference.workspace, backend=await _backend(context, reference.backend_config)
        )
        saved = await _saved_plan(context, reference)
        await _check_digest(context, session, saved, reference)
        # Only now: a claim that stands makes a second run impossible, and nothing so far has touched the state.
        await context.claim(reference.plan.sha256)
        argv = session.lines.apply(saved, reference.lock_timeout)
        try:
            finished = await run_changing(context, session, argv, "apply")
        except StepStopped:
            raise
        except StepFailed:
            await _claim_new_state(context, session, reference)
            raise
        counts = finished.counts.get("apply", finished.done)
        try:
            await _claim_new_state(context, session, reference)
            return await _result(context, session, counts)
        except (asyncio.CancelledError, StepStopped):
            raise _stopped_after(counts) from None


async def _claim_new_state(context: StepContext, session: Session, reference: PlanReference) -> None:
    """Put the lineage of the state on record that this apply made: an approval for a new state holds for that one.

    When it can't be read a retry asks again, no more.
    """
    if reference.lineage:
        return
    with contextlib.suppress(StepFailed, ValueError, TypeError, KeyError):
        read = await session.run(session.lines.state_pull(), show="nothing", is_captured=True)
        if read.exit_code == 0 and read.output.strip():
            await context.claim(f"{LINEAGE_CLAIM}{json.loads(read.output)['lineage']}")


def _stopped_after(counts: dict[str, int]) -> StepStopped:
    summary = done_summary(counts)
    return StepStopped(
        f"the apply itself succeeded ({summary}), its outputs were not read: nothing has to be applied again, "
        "read them with `terraform output`, or plan again",
        type="stopped",
        retryable=False,
        outputs={"counts": counts, "summary": summary},
    )


def read_reference(plan: object) -> PlanReference:
    """The reference in `with: {plan: …}`.

    Raises:
        StepFailed: it is something else (`type="bad_input"`).
    """
    hint = "give it the `plan` output of a terraform.plan step: `plan: ${{ steps.plan.outputs.plan }}`"
    if not isinstance(plan, Mapping) or plan.get("kind") != "terraform.plan":
        kind = "an object of another kind" if isinstance(plan, Mapping) else _kind_of(plan)
        raise StepFailed(f"`plan` is not a saved plan but {kind}", type="bad_input", hint=hint, retryable=False)
    try:
        return PlanReference.model_validate(dict(plan))
    except ValidationError as error:
        places = ", ".join(sorted({".".join(map(str, item["loc"])) for item in error.errors()}))
        raise StepFailed(
            f"`plan` is not a complete reference to a saved plan: wrong or missing are {places}",
            type="bad_input",
            hint=hint,
            retryable=False,
        ) from error


async def run_changing(context: StepContext, session: Session, argv: list[str], doing: str) -> Finished:
    """Run a command that changes infrastructure; from its start on the step may not simply run again.

    Raises:
        StepFailed: it did not succeed; never retryable. Or the run has lost its lock, and nothing was changed.
        StepStopped: it was stopped, by us or by a signal from elsewhere; with how far it came.
    """
    before = state_file_time(session.folder)
    await context.check_lock()
    try:
        finished = await session.run(argv)
    except (asyncio.CancelledError, StepStopped):
        notes = await _notes(context, session, session.latest, before)
        raise stopped_changing(session.latest, doing, notes) from None
    except StepFailed as failed:
        failed.retryable = failed.type == "missing_tool"
        raise
    if finished.exit_code == 0:
        return finished
    if not finished.ended_in_order:
        raise await _ended_by_another(context, session, finished, doing, before)
    notes = await _notes(context, session, finished, before)
    error = failure(context, finished, doing, retryable=False, notes=notes)
    error.outputs = {"counts": finished.done, "summary": done_summary(finished.done)}
    raise error


async def _ended_by_another(
    context: StepContext, session: Session, finished: Finished, doing: str, before: float | None
) -> StepStopped:
    """A run that is cancelled at this moment is told of it too: nobody knows what was left behind."""
    notes: tuple[str, ...] = ()
    with contextlib.suppress(asyncio.CancelledError):
        notes = await _notes(context, session, finished, before)
    return stopped_changing(finished, doing, notes)


async def _notes(context: StepContext, session: Session, finished: Finished, before: float | None) -> tuple[str, ...]:
    """What to say about a state that could not be saved; the last copy of it is kept."""
    return unsaved_state_notes(session.folder, before, await _kept_state(context, finished.dumped_state))


async def _kept_state(context: StepContext, state: object) -> str | None:
    if state is None:
        return None
    return (await context.blobs.put(json.dumps(state).encode())).blob


def _kind_of(value: object) -> str:
    if isinstance(value, str):
        return "text"
    return "nothing" if value is None else f"a {type(value).__name__}"


async def _backend(context: StepContext, kept: StoredBlob | None) -> Backend:
    if kept is None:
        return ()
    value = json.loads(await _get(context, kept))
    return value if isinstance(value, dict) else [str(item) for item in value]


async def _saved_plan(context: StepContext, reference: PlanReference) -> Path:
    data = await _get(context, reference.plan)
    return await asyncio.to_thread(write_private, context.scratch / "approved.tfplan", data, 0o400)


async def _get(context: StepContext, kept: StoredBlob) -> bytes:
    data = await context.blobs.get(BlobRef(kept.blob, kept.size, kept.sha256))
    if hashlib.sha256(data).hexdigest() != kept.sha256:
        raise StepFailed(
            "the saved plan is not the one its plan step saved: its sha256 differs",
            type="plan_mismatch",
            hint="plan again; if it happens again, find out who can write to the blob store",
            retryable=False,
        )
    return data


async def _check_digest(context: StepContext, session: Session, saved: Path, reference: PlanReference) -> None:
    plan: dict[str, Any] = await read_plan(context, session, saved)
    facts = await asyncio.to_thread(read_facts_of, saved)
    changes = await asyncio.to_thread(changes_of, context, plan, facts)
    if changes.digest(context.digest_key) != reference.digest:
        raise StepFailed(
            "the saved plan changes something other than what its reference says",
            type="plan_mismatch",
            hint="give the apply step the `plan` output of one terraform.plan step, unchanged, and plan again",
            retryable=False,
        )


async def _result(context: StepContext, session: Session, counts: dict[str, int]) -> StepResult:
    summary = done_summary(counts)
    read = await session.run(session.lines.output(), show="errors", is_captured=True)
    try:
        if read.exit_code != 0:
            raise failure(context, read, "output")
        values, secret = read_values(context, read.output)
    except (StepFailed, ValueError, TypeError, AttributeError) as error:
        reason = error.message if isinstance(error, StepFailed) else "terraform output gave no JSON object"
        raise StepFailed(
            f"the apply succeeded ({summary}), but its outputs can't be read: {reason}",
            type="outputs_unreadable",
            exit_code=read.exit_code,
            tail=context.tail(),
            hint="nothing has to be applied again: read them with `terraform output`, or plan again",
            retryable=False,
            outputs={"counts": counts, "summary": summary},
        ) from error
    page = outputs_page(values, secret, context.masker.mask)
    outputs = {"counts": counts, "summary": summary, "values": values}
    return StepResult(outputs, summary, secret, (page,) if page else ())
