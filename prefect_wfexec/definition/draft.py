"""A workflow while it is checked: what is known of it so far, faults and all."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from prefect_wfexec.definition.catalog import Catalog, StepSpec
from prefect_wfexec.definition.graph import Graph
from prefect_wfexec.definition.model import JSON, Input
from prefect_wfexec.definition.raw import RawDefaults, RawStep, RawWorkflow
from prefect_wfexec.definition.report import Report

Path = tuple[str | int, ...]


@dataclass(slots=True)
class StepDraft:
    """One step while it is checked.

    Attributes:
        path: Where it stands.
        raw: What is sound of it.
        keys: The keys that were written and are sound.
        data: What was written.
        id: Its id, None when that is missing, faulty or taken.
        uses: Its step type's name, empty when there is none.
        spec: Its step type, None when unknown.
        needs: The ids it needs, resolved.
        is_order_known: Whether its own `needs` is sound.
    """

    path: Path
    raw: RawStep
    keys: frozenset[str]
    data: Mapping[str, JSON]
    phase: str | None = None
    id: str | None = None
    uses: str = ""
    spec: StepSpec | None = None
    needs: tuple[str, ...] = ()
    is_order_known: bool = True

    @property
    def label(self) -> str:
        """The step in a message."""
        if self.id:
            return f"step '{self.id}'"
        return f"step {int(self.path[-1]) + 1}{f' of {self.phase!r}' if self.phase else ''}"


@dataclass(slots=True)
class Draft:
    """A workflow while it is checked."""

    report: Report
    catalog: Catalog
    top: RawWorkflow
    data: Mapping[str, JSON]
    inputs: list[Input] = field(default_factory=list)
    input_names: frozenset[str] = frozenset()
    defaults: RawDefaults = field(default_factory=RawDefaults)
    steps: list[StepDraft] = field(default_factory=list)
    graph: Graph = field(default_factory=lambda: Graph({}))
    by_id: dict[str, StepDraft] = field(default_factory=dict)
    faulty_ids: set[str] = field(default_factory=set)
    unsound: frozenset[str] | None = None

    def is_order_known(self, step_id: str) -> bool:
        """Whether a step's `needs` and those of everything before it are sound and go in no circle."""
        if self.unsound is None:
            faulty = [one.id for one in self.steps if one.id and not one.is_order_known]
            below = {name for one in faulty for name in (one, *self.graph.descendants(one))}
            self.unsound = frozenset(below | (set(self.graph.ids) - set(self.graph.order)))
        return step_id not in self.unsound

    def has(self, key: str) -> bool:
        """Whether a top-level key was written and is sound."""
        return key in self.top.model_fields_set
