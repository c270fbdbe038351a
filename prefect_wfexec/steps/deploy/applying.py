"""Putting objects into a cluster by server-side apply: tried on all of them first, then done one by one."""

import asyncio
import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from prefect_wfexec.definition.model import JSON
from prefect_wfexec.errors import StepFailed
from prefect_wfexec.steps.base import StepContext
from prefect_wfexec.steps.deploy import before
from prefect_wfexec.steps.deploy.ownership import applied_fields, joined, part_of
from prefect_wfexec.steps.deploy.targets import Target
from prefect_wfexec.steps.kubernetes.api import Cluster, Object
from prefect_wfexec.steps.kubernetes.faults import ClusterRefusal
from prefect_wfexec.steps.kubernetes.names import FIELD_MANAGER

Action = Literal["created", "changed", "unchanged"]
_MOST_CONFLICTS = 20
KIND_SECONDS = 60.0
"""How long a new CustomResourceDefinition may take until its kind is served."""
PAUSE_SECONDS = 0.25


@dataclass
class Apply:
    """The objects of one step.

    Args:
        cluster: The cluster.
        context: The step's.
        targets: What goes where, in order.
        takes_over: Whether fields that others own are taken over.
    """

    cluster: Cluster
    context: StepContext
    targets: Sequence[Target]
    takes_over: bool = False
    done: dict[Target, Action] = field(default_factory=dict)
    is_begun: bool = False
    """Whether something may have been changed."""
    _wanted: dict[Target, Object] = field(default_factory=dict)
    _live: dict[Target, Object | None] = field(default_factory=dict)

    async def prepare(self) -> None:
        """Read what is there, and try everything without doing it.

        Raises:
            StepFailed: something would be refused; all refusals are told, and nothing was changed.
        """
        refusals: list[ClusterRefusal] = []
        for target in self.targets:
            try:
                await self._prepare(target)
            except ClusterRefusal as refusal:
                refusals.append(_explained(refusal, target))
        if refusals:
            raise _together(refusals)

    async def _prepare(self, target: Target) -> None:
        live = await self.cluster.find(target.path, f"reading the {target.shown}")
        self._live[target] = live
        wanted = _addressed(target)
        run_id, step_id = self.context.run.id, self.context.step.id
        if live is None:
            self._wanted[target] = before.mark(wanted, run_id, step_id, before.written(None, target.shown))
            if not self._waits_for_another(target):
                await self._try(target, self._wanted[target])
            return
        if before.is_marked(live, run_id, step_id):
            # An earlier attempt has put it there: what stood before that is what an undo brings back.
            self._wanted[target] = before.mark(wanted, run_id, step_id, before.text_of(live))
            await self._try(target, self._wanted[target])
        else:
            would_be = await self._try(target, before.mark(wanted, run_id, step_id, "-"))
            fields = joined(applied_fields(live), applied_fields(would_be))
            if not fields:
                raise _no_record(target)
            body = {**part_of(live, fields), "apiVersion": target.manifest.api_version, "kind": target.manifest.kind}
            self._wanted[target] = before.mark(wanted, run_id, step_id, before.written(body, target.shown))

    def _waits_for_another(self, target: Target) -> bool:
        """Whether its namespace or kind is made by this very step, so that it can't be tried before."""
        new = [one for one, live in self._live.items() if live is None]
        namespaces = {one.manifest.name for one in new if one.manifest.kind == "Namespace"}
        group = target.manifest.api_version.partition("/")[0]
        definitions = [one.manifest.object for one in new if one.manifest.kind == "CustomResourceDefinition"]
        return target.namespace in namespaces or any(
            (one.get("spec") or {}).get("group") == group for one in definitions
        )

    async def _try(self, target: Target, obj: Object) -> Object:
        return await self._apply(target, obj, f"trying the {target.shown}", dryRun="All")

    async def run(self) -> None:
        """Put everything there.

        Raises:
            StepFailed: one was refused all the same; what was changed before stays, and `done` says what.
        """
        for target in self.targets:
            live = self._live[target]
            self.is_begun = True
            try:
                made = await self._put(target)
            except ClusterRefusal as refusal:
                raise _explained(refusal, target) from None
            self.done[target] = _action(live, made)
            where = f" in {target.namespace}" if target.namespace else ""
            self.context.log.stdout(f"{target.shown}{where}: {self.done[target]}\n")

    async def _put(self, target: Target) -> Object:
        """Apply it; a kind that this very step defines is served a moment after its definition was made."""
        clock = asyncio.get_running_loop().time
        end = clock() + KIND_SECONDS
        while True:
            try:
                return await self._apply(target, self._wanted[target], f"applying the {target.shown}")
            except ClusterRefusal as refusal:
                is_unserved = refusal.is_gone and not refusal.names_object and self._waits_for_another(target)
                if not is_unserved or clock() >= end:
                    raise
            await asyncio.sleep(PAUSE_SECONDS)

    async def _apply(self, target: Target, obj: Object, doing: str, **query: str) -> Object:
        force = "true" if self.takes_over else "false"
        return await self.cluster.apply(target.path, obj, doing, fieldManager=FIELD_MANAGER, force=force, **query)

    def counts(self) -> dict[str, JSON]:
        """How many objects were created, changed and left as they were."""
        actions = list(self.done.values())
        return {name: actions.count(name) for name in ("created", "changed", "unchanged")}

    def objects(self) -> list[JSON]:
        """What was put where."""
        return [{**target.as_json(), "action": action} for target, action in self.done.items()]


def _addressed(target: Target) -> Object:
    metadata = dict(target.manifest.object["metadata"])
    metadata.pop("namespace", None)
    if target.namespace:
        metadata["namespace"] = target.namespace
    return _with_data({**target.manifest.object, "metadata": metadata})


def _with_data(obj: Object) -> Object:
    """A Secret with its `stringData` as `data`.

    The API turns one into the other and records the applier as owner of `stringData`, which no object has: what was
    applied that way would not go when it is left out, and could not be brought back.
    """
    texts = obj.get("stringData")
    if (obj.get("apiVersion"), obj.get("kind")) != ("v1", "Secret") or not isinstance(texts, dict):
        return obj
    if not all(isinstance(text, str) for text in texts.values()):
        return obj
    data = {name: base64.b64encode(text.encode()).decode() for name, text in texts.items()}
    whole = {key: value for key, value in obj.items() if key != "stringData"}
    return {**whole, "data": {**(obj.get("data") or {}), **data}}


def _action(live: Object | None, made: Object) -> Action:
    if live is None:
        return "created"
    return "unchanged" if _content(live) == _content(made) else "changed"


def _content(obj: Object) -> Object:
    """What people mean by an object: without the record of who wrote it, and without our own annotations."""
    whole = {key: value for key, value in obj.items() if key not in ("metadata", "status")}
    metadata = obj["metadata"]
    kept = part_of({"metadata": metadata}, {})["metadata"]
    return {**whole, "labels": kept.get("labels") or {}, "annotations": kept.get("annotations") or {}}


def _explained(refusal: ClusterRefusal, target: Target) -> ClusterRefusal:
    """The refusal, with the manifest it is about and, for a conflict, who owns what."""
    conflicts = [cause for cause in refusal.causes if cause[0] == "FieldManagerConflict"]
    if conflicts:
        shown = "; ".join(f"{field} ({message})" for _, field, message in conflicts[:_MOST_CONFLICTS])
        more = f", and {len(conflicts) - _MOST_CONFLICTS} more" if len(conflicts) > _MOST_CONFLICTS else ""
        refusal.message = f"{target.manifest.source}: others own fields of the {target.shown}: {shown}{more}"
        refusal.type = "field_conflict"
        refusal.hint = "leave these fields to their owner, or take them over with `take_over: true`"
    else:
        refusal.message = f"{target.manifest.source}: {refusal.message}"
    refusal.args = (refusal.message,)
    refusal.retryable = False
    return refusal


def _no_record(target: Target) -> StepFailed:
    return StepFailed(
        f"the cluster keeps no record of who owns the fields of the {target.shown}, so a deploy could not be undone",
        type="kubernetes_unsupported",
        hint="it takes Kubernetes 1.22 with server-side apply",
        retryable=False,
    )


def _together(refusals: Sequence[ClusterRefusal]) -> StepFailed:
    first = refusals[0]
    lines = [refusal.message for refusal in refusals]
    return StepFailed("\n".join([*lines, "nothing was changed"]), type=first.type, hint=first.hint, retryable=False)
