"""The shape of a workflow as the run loop wants it: order, dependants, and ancestors as bit sets."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from prefect_wfexec.definition.model import Step, Workflow
from prefect_wfexec.definition.raw import VALIDATION

RESUMABLE_TYPES = frozenset({"approval"})
REPEATABLE_TYPES = frozenset({"wait", VALIDATION})


@dataclass(frozen=True)
class Outline:
    """A workflow with its graph worked out once."""

    workflow: Workflow

    @cached_property
    def steps(self) -> dict[str, Step]:
        return {step.id: step for step in self.workflow.steps}

    @cached_property
    def needs(self) -> dict[str, tuple[str, ...]]:
        """What a step waits for while nobody has cancelled the run.

        Whether a step `when: cancelled` runs is known at the run's end only, so its own needs stand in for it.
        """
        found: dict[str, tuple[str, ...]] = {}
        for step_id in self.order:
            needs: list[str] = []
            for need in self.steps[step_id].needs:
                needs += found[need] if self.steps[need].when == "cancelled" else (need,)
            found[step_id] = tuple(dict.fromkeys(needs))
        return found

    @cached_property
    def dependants(self) -> dict[str, tuple[str, ...]]:
        """Who waits for a step while nobody has cancelled the run, in the order of the definition."""
        found: dict[str, list[str]] = {step.id: [] for step in self.workflow.steps}
        for step in self.workflow.steps:
            for need in self.needs[step.id]:
                found[need].append(step.id)
        return {step_id: tuple(ids) for step_id, ids in found.items()}

    @cached_property
    def on_cancel(self) -> tuple[Step, ...]:
        """The steps `when: cancelled`, each behind those it needs."""
        return tuple(self.steps[step_id] for step_id in self.order if self.steps[step_id].when == "cancelled")

    @cached_property
    def others(self) -> tuple[Step, ...]:
        """The steps that run as long as nobody cancels, in the order of the definition."""
        return tuple(step for step in self.workflow.steps if step.when != "cancelled")

    @cached_property
    def resumable(self) -> frozenset[str]:
        """Steps that any engine may carry on where another left them: nothing is done twice by them."""
        return frozenset(step.id for step in self.workflow.steps if step.uses in RESUMABLE_TYPES)

    @cached_property
    def repeatable(self) -> frozenset[str]:
        """Steps that are simply begun again when their engine died: they change nothing, or take away what is left."""
        is_cleanup = self.workflow.is_cleanup
        return frozenset(step.id for step in self.workflow.steps if is_cleanup or step.uses in REPEATABLE_TYPES)

    @cached_property
    def validation(self) -> Step | None:
        """The step that looks at everything before any other starts, if the workflow has one."""
        return next((step for step in self.workflow.steps if step.uses == VALIDATION), None)

    @cached_property
    def deployments(self) -> tuple[Step, ...]:
        """The steps that deploy to one environment each."""
        return tuple(step for step in self.workflow.steps if step.environment is not None)

    @cached_property
    def earlier_deployment(self) -> dict[str, str]:
        """The deployment of the same step that comes right before one, for those that are not the first."""
        found: dict[str, str] = {}
        for ids in self.workflow.instances.values():
            if ids[0] in self.steps and self.steps[ids[0]].environment is not None:
                found.update(zip(ids[1:], ids, strict=False))
        return found

    def named(self, name: str) -> tuple[str, ...]:
        """The steps that expressions mean by a name: one, or all instances of it; none that the workflow has not."""
        return self.workflow.instances.get(name) or ((name,) if name in self.steps else ())

    def all_named(self, names: Iterable[str]) -> frozenset[str]:
        """The steps that expressions mean by several names."""
        return frozenset(step_id for name in names for step_id in self.named(name))

    @cached_property
    def _bits(self) -> dict[str, int]:
        return {step.id: 1 << place for place, step in enumerate(self.workflow.steps)}

    @cached_property
    def _ancestors(self) -> dict[str, int]:
        masks: dict[str, int] = {}
        for step_id in self.order:
            mask = 0
            for need in self.steps[step_id].needs:
                mask |= masks[need] | self._bits[need]
            masks[step_id] = mask
        return masks

    @cached_property
    def order(self) -> tuple[str, ...]:
        """The ids, each behind those it needs."""
        needed_by: dict[str, list[str]] = {step.id: [] for step in self.workflow.steps}
        for step in self.workflow.steps:
            for need in step.needs:
                needed_by[need].append(step.id)
        waiting = {step.id: len(step.needs) for step in self.workflow.steps}
        ready = [step_id for step_id, count in waiting.items() if count == 0]
        for step_id in ready:
            for dependant in needed_by[step_id]:
                waiting[dependant] -= 1
                if waiting[dependant] == 0:
                    ready.append(dependant)
        return tuple(ready)

    def ancestors_among(self, step_id: str, candidates: Iterable[str]) -> list[str]:
        """Those of `candidates` that stand anywhere above the step, in the order of the definition."""
        mask = self._ancestors[step_id]
        return self.in_order(candidate for candidate in candidates if mask & self._bits.get(candidate, 0))

    def in_order(self, step_ids: Iterable[str]) -> list[str]:
        """Those of `step_ids` that the definition has, in its order."""
        return sorted((step_id for step_id in step_ids if step_id in self._bits), key=self._bits.__getitem__)
