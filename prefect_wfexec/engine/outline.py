"""The shape of a workflow as the run loop wants it: order, dependants, and ancestors as bit sets."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from prefect_wfexec.definition.model import Step, Workflow

RESUMABLE_TYPES = frozenset({"approval", "wait"})


@dataclass(frozen=True)
class Outline:
    """A workflow with its graph worked out once."""

    workflow: Workflow

    @cached_property
    def steps(self) -> dict[str, Step]:
        return {step.id: step for step in self.workflow.steps}

    @cached_property
    def dependants(self) -> dict[str, tuple[str, ...]]:
        """Who needs a step directly, in the order of the definition."""
        found: dict[str, list[str]] = {step.id: [] for step in self.workflow.steps}
        for step in self.workflow.steps:
            for need in step.needs:
                found[need].append(step.id)
        return {step_id: tuple(ids) for step_id, ids in found.items()}

    @cached_property
    def resumable(self) -> frozenset[str]:
        """Steps that any engine may carry on where another left them: nothing is done twice by them."""
        return frozenset(step.id for step in self.workflow.steps if step.uses in RESUMABLE_TYPES)

    @cached_property
    def _bits(self) -> dict[str, int]:
        return {step.id: 1 << place for place, step in enumerate(self.workflow.steps)}

    @cached_property
    def _ancestors(self) -> dict[str, int]:
        masks: dict[str, int] = {}
        for step_id in self._sorted():
            mask = 0
            for need in self.steps[step_id].needs:
                mask |= masks[need] | self._bits[need]
            masks[step_id] = mask
        return masks

    def _sorted(self) -> list[str]:
        waiting = {step.id: len(step.needs) for step in self.workflow.steps}
        ready = [step_id for step_id, count in waiting.items() if count == 0]
        for step_id in ready:
            for dependant in self.dependants[step_id]:
                waiting[dependant] -= 1
                if waiting[dependant] == 0:
                    ready.append(dependant)
        return ready

    def ancestors_among(self, step_id: str, candidates: Iterable[str]) -> list[str]:
        """Those of `candidates` that stand anywhere above the step, in the order of the definition."""
        mask = self._ancestors[step_id]
        found = [candidate for candidate in candidates if mask & self._bits.get(candidate, 0)]
        return sorted(found, key=self._bits.__getitem__)
