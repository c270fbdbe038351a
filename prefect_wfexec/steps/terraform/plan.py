"""terraform.plan: make a plan, save it, and say what it would change."""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prefect_wfexec.definition.model import JSON
from prefect_wfexec.errors import StepFailed
from prefect_wfexec.journal.blobref import BlobRef
from prefect_wfexec.steps.base import StepContext, StepResult
from prefect_wfexec.steps.registry import step_type
from prefect_wfexec.steps.terraform.changes import ChangeSet, change_set, counts_of_plan, load_json
from prefect_wfexec.steps.terraform.checked import TerraformStep
from prefect_wfexec.steps.terraform.failures import failure
from prefect_wfexec.steps.terraform.models import Counts, PlanInputs, PlanOutputs, PlanReference, StoredBlob
from prefect_wfexec.steps.terraform.opening import Backend, open_session, require_declared, variable_files
from prefect_wfexec.steps.terraform.pages import cut, plan_page
from prefect_wfexec.steps.terraform.places import configuration_folder, portable
from prefect_wfexec.steps.terraform.planfile import PlanFacts, read_facts
from prefect_wfexec.steps.terraform.sensitive import plan_secrets
from prefect_wfexec.steps.terraform.session import Session
from prefect_wfexec.steps.terraform.summaries import plan_summary

MAX_TEXT = 512 * 1024
NO_CHANGES, CHANGES = 0, 2


@step_type("terraform.plan", reads_only=True)
class Plan(TerraformStep):
    """Makes a plan and saves it, so that apply opens exactly this one."""

    Inputs = PlanInputs
    Outputs = PlanOutputs

    async def run(self, context: StepContext) -> StepResult:
        inputs: PlanInputs = context.inputs
        folder = configuration_folder(context, inputs.dir)
        session = open_session(context, folder, workspace=inputs.workspace, backend=inputs.backend_config)
        files = variable_files(context, folder, inputs.var_files, inputs.vars)
        saved = context.scratch / "plan.tfplan"
        argv = session.lines.plan(saved, files, inputs.targets, lock_timeout_text(inputs.lock_timeout))
        finished = await session.run_initialised(lambda: session.run(argv))
        if finished.exit_code not in {NO_CHANGES, CHANGES}:
            raise failure(context, finished, "plan")
        plan = await read_plan(context, session, saved, inputs.vars)
        require_declared(plan, inputs.vars)
        text = await _text_of(context, session, saved)
        return await _result(context, session, plan, text, has_changes=finished.exit_code == CHANGES)


async def read_plan(
    context: StepContext, session: Session, saved: Path, given: Mapping[str, JSON] | None = None
) -> dict[str, Any]:
    """The JSON of a saved plan; everything sensitive in it is masked from here on.

    Raises:
        StepFailed: terraform can't read it.
    """
    shown = await session.run_initialised(
        lambda: session.run(session.lines.show_json(saved), show="errors", is_captured=True)
    )
    if shown.exit_code != 0:
        raise failure(context, shown, "show")
    try:
        plan: dict[str, Any] = await asyncio.to_thread(load_json, shown.output)
    except ValueError as error:
        raise StepFailed("terraform show gave no JSON for the saved plan", type="terraform_error") from error
    context.masker.add(*await asyncio.to_thread(plan_secrets, plan, given))
    return plan


def changes_of(context: StepContext, plan: Mapping[str, Any], facts: PlanFacts) -> ChangeSet:
    """What a plan would change, keyed with the run's digest key."""
    return change_set(plan, context.digest_key, lineage=facts.lineage, code_digest=facts.code_digest)


def lock_timeout_text(given: str | int | None) -> str | None:
    """A lock timeout as terraform takes it; a number means seconds."""
    return f"{given}s" if isinstance(given, int) else given


async def _text_of(context: StepContext, session: Session, saved: Path) -> str:
    shown = await session.run(session.lines.show_text(saved), show="errors", is_captured=True)
    if shown.exit_code != 0:
        raise failure(context, shown, "show")
    return cut(context.masker.mask(shown.output.decode("utf-8", errors="replace").strip()), MAX_TEXT)


async def _result(
    context: StepContext, session: Session, plan: Mapping[str, Any], text: str, *, has_changes: bool
) -> StepResult:
    data = await asyncio.to_thread((context.scratch / "plan.tfplan").read_bytes)
    facts = await asyncio.to_thread(read_facts, data)
    changes = await asyncio.to_thread(changes_of, context, plan, facts)
    counts = counts_of_plan(plan)
    resources = _resources(changes)
    summary = _summary(changes, counts) if has_changes else plan_summary({})
    reference = PlanReference(
        plan=stored(await context.blobs.put(data)),
        changes=stored(await context.blobs.put(changes.canonical())),
        digest=changes.digest(context.digest_key),
        lineage=facts.lineage,
        serial=facts.serial,
        terraform_version=str(plan.get("terraform_version", "")),
        dir=portable(context, session.folder),
        workspace=session.workspace,
        backend_config=await _stored_backend(context, context.inputs.backend_config),
        var_files=context.inputs.var_files,
        targets=context.inputs.targets,
        lock_timeout=lock_timeout_text(context.inputs.lock_timeout),
        counts=Counts(**counts),
        summary=summary,
    )
    return StepResult(
        outputs={
            "has_changes": has_changes,
            "counts": counts,
            "summary": summary,
            "text": text,
            "resources": resources,
            "plan": reference.model_dump(mode="json"),
            "digest": reference.digest,
        },
        summary=summary,
        artifacts=(plan_page(summary, counts, resources, text, context.masker.mask),),
    )


def _resources(changes: ChangeSet) -> list[dict[str, str]]:
    return [
        {"address": change.address, "action": change.action} for change in changes.changes if change.kind == "resource"
    ]


def _summary(changes: ChangeSet, counts: Mapping[str, int]) -> str:
    others = [change for change in changes.changes if change.kind == "action" or change.action in _OTHER_ACTIONS]
    return plan_summary(
        counts,
        imports=sum(change.action == "import" for change in changes.changes),
        outputs=sum(change.kind == "output" for change in changes.changes),
        others=len(others),
    )


_OTHER_ACTIONS = {"read", "forget", "move"}


async def _stored_backend(context: StepContext, backend: Backend) -> StoredBlob | None:
    if not backend:
        return None
    value: dict[str, JSON] | list[str] = dict(backend) if isinstance(backend, Mapping) else list[str](backend)
    return stored(await context.blobs.put(json.dumps(value).encode()))


def stored(ref: BlobRef) -> StoredBlob:
    """A blob reference in the form that JSON outputs hold."""
    return StoredBlob.model_validate(ref.as_json())
