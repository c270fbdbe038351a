"""`deploy.kubernetes_undo`: have back what stood in the cluster before a deploy, and nothing else."""

import asyncio
from collections.abc import Sequence

from pydantic import Field

from prefect_wfexec.definition.model import JSON
from prefect_wfexec.errors import StepFailed, StepStopped
from prefect_wfexec.steps.base import OutputsModel, StepContext, StepResult, StepType
from prefect_wfexec.steps.deploy import before
from prefect_wfexec.steps.deploy.kubernetes import ClusterWith
from prefect_wfexec.steps.deploy.rollout import is_workload
from prefect_wfexec.steps.deploy.targets import Target, find_targets
from prefect_wfexec.steps.deploy.waiting import Rollouts
from prefect_wfexec.steps.kubernetes.access import BLOCK, open_cluster
from prefect_wfexec.steps.kubernetes.api import Cluster, Object
from prefect_wfexec.steps.kubernetes.deleting import try_to_delete
from prefect_wfexec.steps.kubernetes.manifests import read_manifests
from prefect_wfexec.steps.kubernetes.names import FIELD_MANAGER
from prefect_wfexec.steps.registry import step_type


class UndoWith(ClusterWith):
    """Which deploy is undone."""

    run: str | None = Field(
        default=None,
        description="The id of the run that deployed. When left out: the run that is cleaned up, or else this one.",
    )
    step: str | None = Field(default=None, description="The id of the step that deployed; this step's when left out.")


class UndoOutputs(OutputsModel):
    """What was undone."""

    restored: int = Field(description="How many objects are as they were.")
    deleted: int = Field(description="How many objects are gone that the deploy had created.")
    left: list[str] = Field(description="Objects that could not be undone.")


@step_type("deploy.kubernetes_undo", changes_infrastructure=True)
class UndoKubernetes(StepType):
    """Restores what a deploy changed and deletes what it created; what others have put there since stays."""

    Inputs = UndoWith
    Outputs = UndoOutputs
    blocks = (BLOCK,)

    async def run(self, context: StepContext) -> StepResult:
        inputs: UndoWith = context.inputs
        manifests = await asyncio.to_thread(read_manifests, context, inputs.paths)
        async with open_cluster(context, inputs.block) as cluster:
            is_given = "namespace" in inputs.model_fields_set
            targets = await find_targets(cluster, manifests, inputs.namespace, is_given=is_given)
            await context.check_lock()
            undo = _Undo(cluster, context, inputs)
            try:
                await undo.take_back(list(reversed(targets)))
            except asyncio.CancelledError:
                raise StepStopped(
                    f"{undo.restored} objects were restored and {undo.deleted} deleted: undo again for the rest",
                    type="stopped",
                    outputs=dict(undo.outputs()),
                ) from None
        summary = f"{undo.restored} restored, {undo.deleted} deleted"
        if undo.left:
            raise StepFailed(
                "\n".join(["not everything could be undone:", *undo.reasons]),
                type="left_over",
                outputs=dict(undo.outputs()),
            )
        return StepResult(undo.outputs(), summary)


class _Undo:
    def __init__(self, cluster: Cluster, context: StepContext, inputs: UndoWith) -> None:
        self._cluster = cluster
        self._context = context
        self._run = inputs.run or context.run.cleanup_of or context.run.id
        self._step = inputs.step or context.step.id
        self.restored = 0
        self.deleted = 0
        self.left: list[str] = []
        self.reasons: list[str] = []

    def outputs(self) -> dict[str, JSON]:
        return {"restored": self.restored, "deleted": self.deleted, "left": list(self.left)}

    async def take_back(self, targets: Sequence[Target]) -> None:
        """Undo each, the last first; one that can't be undone holds up no other."""
        restored: dict[Target, Object] = {}
        for target in targets:
            try:
                if (body := await self._take_back(target)) is not None:
                    restored[target] = body
            except StepFailed as failed:
                self._leave(target, failed.message)
        await Rollouts(self._cluster, self._context, list(restored)).until_done()
        for target, body in restored.items():
            try:
                await self._apply(target, body, f"clearing the marks of the {target.shown}")
            except StepFailed as failed:
                self._leave(target, failed.message)

    async def _take_back(self, target: Target) -> Object | None:
        """What was restored and is rolled out again; its marks stay until then, so that undoing again waits for it."""
        live = await self._cluster.find(target.path, f"reading the {target.shown}")
        if live is None:
            self._context.log.system(f"{target.shown} is not there: nothing to undo")
            return None
        if not before.is_marked(live, self._run, self._step):
            other = before.marked_run(live)
            why = f"run {other} has deployed it since" if other else "this deploy had not reached it, or it was undone"
            self._context.log.system(f"{target.shown} is left as it is: {why}")
            return None
        found = before.read(before.text_of(live), target.shown)
        if found.body is None:
            await self._delete(target, live)
            return None
        return await self._restore(target, live, found.body)

    async def _restore(self, target: Target, live: Object, body: Object) -> Object | None:
        metadata = {**body["metadata"], "name": target.manifest.name, "uid": live["metadata"]["uid"]}
        if target.namespace:
            metadata["namespace"] = target.namespace
        wanted = {
            **body,
            "apiVersion": target.manifest.api_version,
            "kind": target.manifest.kind,
            "metadata": metadata,
        }
        is_rolled_out = is_workload(target.manifest.object)
        marked = before.mark(wanted, self._run, self._step, before.text_of(live)) if is_rolled_out else wanted
        await self._apply(target, marked, f"restoring the {target.shown}")
        self.restored += 1
        self._context.log.stdout(f"{target.shown}: restored\n")
        return wanted if is_rolled_out else None

    async def _apply(self, target: Target, obj: Object, doing: str) -> None:
        await self._cluster.apply(target.path, obj, doing, fieldManager=FIELD_MANAGER, force="true")

    async def _delete(self, target: Target, live: Object) -> None:
        left = await try_to_delete(self._cluster, target.path, target.shown, live["metadata"]["uid"])
        if left is not None:
            self._leave(target, left)
            return
        self.deleted += 1
        self._context.log.stdout(f"{target.shown}: deleted\n")

    def _leave(self, target: Target, why: str) -> None:
        where = f"{target.namespace}/" if target.namespace else ""
        self.left.append(f"{target.manifest.kind} {where}{target.manifest.name}")
        self.reasons.append(f"{target.shown}: {why}")
        self._context.log.stderr(f"{target.shown} can't be undone: {why}\n")
