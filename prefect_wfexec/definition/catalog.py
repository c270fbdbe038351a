"""What a definition may name in `uses`: the step types as the definition floor sees them, without their behaviour."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pydantic import BaseModel


@dataclass(frozen=True, slots=True)
class StepSpec:
    """One step type.

    Attributes:
        name: As written in `uses`, e.g. `terraform.plan`.
        inputs: The model of `with`; `extra="forbid"`.
        outputs: The model of what the step gives; its field names are what `steps.x.outputs.` may name.
        open_outputs: Whether a run may add outputs the model does not name (shell, approval).
        is_gate: Whether the step waits for a decision.
        reads_only: Whether running it twice is harmless.
        changes_infrastructure: Whether it changes real infrastructure, so a protected environment wants a gate on it.
        accepts_run: Whether the step takes `run:` (shell).
    """

    name: str
    inputs: type[BaseModel]
    outputs: type[BaseModel]
    open_outputs: bool = False
    is_gate: bool = False
    reads_only: bool = False
    changes_infrastructure: bool = False
    accepts_run: bool = False


@dataclass(frozen=True, slots=True)
class Catalog:
    """The step types a definition is checked against.

    Attributes:
        specs: The step types, by name.
        default: The one that `run:` alone means; None where there is none.
    """

    specs: Mapping[str, StepSpec]
    default: str | None = None

    @classmethod
    def of(cls, specs: Iterable[StepSpec]) -> "Catalog":
        """A catalog of these; the first that takes `run:` is what `run:` alone means."""
        found = {spec.name: spec for spec in specs}
        return cls(found, next((spec.name for spec in found.values() if spec.accepts_run), None))

    def find(self, name: str) -> StepSpec | None:
        return self.specs.get(name)
