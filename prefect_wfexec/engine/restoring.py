"""Before a step starts on a machine where earlier steps have not run: their files are made again there."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import cached_property
from pathlib import Path

from prefect_wfexec.definition.expressions import references
from prefect_wfexec.definition.model import JSON, Step
from prefect_wfexec.engine.artifacts import put_back
from prefect_wfexec.engine.outline import Outline
from prefect_wfexec.engine.outputs import value_at
from prefect_wfexec.engine.portable import local_path
from prefect_wfexec.engine.scope import Scopes
from prefect_wfexec.errors import StepFailed
from prefect_wfexec.journal.state import ExecutionState, StepState
from prefect_wfexec.runtime.workspace import Workspace
from prefect_wfexec.status import StepStatus
from prefect_wfexec.steps.base import BlobStore, StepContext, StepType
from prefect_wfexec.steps.registry import find_step_type

MakeContext = Callable[[Step, int, Mapping[str, JSON]], Awaitable[StepContext]]
"""Makes the context of a step's attempt, given the expression scope; what it logs goes to the step that waits."""


class Restorer:
    """One per engine that has entered a run.

    Args:
        outline: The workflow whose steps left the files.
        scopes: What its expressions see.
        state: Its folded journal, as it is at any time.
        blobs: Where it keeps artifacts.
        workspace: The run's folder here.
        overwrites: Whether files of the definition's folder give way: it is the worker's own copy.
        includes_self: Whether a step's own files are needed too: it takes away what that step has made.
    """

    def __init__(
        self,
        outline: Outline,
        scopes: Scopes,
        state: Callable[[], ExecutionState],
        blobs: BlobStore,
        workspace: Workspace,
        *,
        overwrites: bool,
        includes_self: bool = False,
    ) -> None:
        self._outline = outline
        self._scopes = scopes
        self._state = state
        self._blobs = blobs
        self._workspace = workspace
        self._overwrites = overwrites
        self._includes_self = includes_self
        self._one_at_a_time = asyncio.Lock()

    async def restore(self, step: Step, folder: Path, make_context: MakeContext) -> None:
        """Have the files here of everything that stands above a step and succeeded.

        Raises:
            StepFailed: some can't be had (`type="not_restored"`).
            EngineError: what was kept of them is gone.
        """
        state = self._state()
        needed = self._needed(step.id, state)
        if not needed:
            return
        async with self._one_at_a_time:
            for one in needed:
                beside = folder_beside(one.artifacts, folder)
                if not self._workspace.is_here(one.id, one.attempt, beside):
                    await self._bring(one, step, make_context)
                    self._workspace.note_here(one.id, one.attempt, beside)

    def _needed(self, step_id: str, state: ExecutionState) -> list[StepState]:
        """What stands above a step and has left files, each behind what it needs itself."""
        left = [one.id for one in state.steps.values() if self._leaves_files(one)]
        if not left or step_id not in self._outline.steps:
            return []
        above = set(self._outline.ancestors_among(step_id, left))
        above |= {step_id} & set(left) if self._includes_self else set()
        return [state.step(one) for one in self._outline.order if one in above] if above else []

    def _leaves_files(self, one: StepState) -> bool:
        has_files = bool(one.artifacts or one.local) or one.id in self._restorable
        return has_files and one.status is StepStatus.SUCCESS

    @cached_property
    def _restorable(self) -> frozenset[str]:
        """The steps that can make their files again by themselves."""
        steps = self._outline.workflow.steps
        return frozenset(step.id for step in steps if find_step_type(step.uses).restore is not StepType.restore)

    async def _bring(self, one: StepState, waiting: Step, make_context: MakeContext) -> None:
        step, state = self._outline.steps[one.id], self._state()
        scope = self._scopes.scope(state, {"with": dict(step.with_), "env": dict(step.env)}, step)
        context = await make_context(step, one.attempt, scope)
        context.log.system(f"the files of step '{one.id}' are not on this machine: they are made again")
        try:
            await find_step_type(step.uses)().restore(context, self._scopes.outputs(state, one.id))
            if one.artifacts:
                await put_back(one.artifacts, context, self._blobs, overwrites=self._overwrites)
            self._require_named(one, waiting)
        except StepFailed as failure:
            words = f"the files of step '{one.id}' can't be had again on this machine: {failure.message}"
            raise StepFailed(words, type="not_restored", hint=failure.hint, tail=failure.tail) from None

    def _require_named(self, one: StepState, waiting: Step) -> None:
        """What the waiting step names of it has to be there: a path that leads nowhere helps no step."""
        named = references({"with": dict(waiting.with_), "env": dict(waiting.env)}).outputs.get(one.id, ())
        values = self._scopes.stored(self._state(), one.id)
        for place in one.local:
            path = local_path(value_at(values, place), self._workspace.root) if place[0] in named else None
            if path is not None and not path.exists():
                raise StepFailed(
                    f"it gave the path {'.'.join(place)}, and left nothing of it elsewhere",
                    type="not_restored",
                    hint=f"list under `artifacts` of step '{one.id}' what later steps need",
                )


def folder_beside(artifacts: Mapping[str, JSON] | None, folder: Path) -> Path | None:
    """The definition's folder when some of a step's artifacts stand there: a run may find another one each time."""
    return folder if artifacts and "folder" in (artifacts.get("at") or ()) else None
