"""What expressions see: the roots of the expression scope, built from the folded state."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prefect_wfexec.definition.expressions import references
from prefect_wfexec.definition.model import JSON, Workflow
from prefect_wfexec.engine.outcome import outcome
from prefect_wfexec.engine.outline import Outline
from prefect_wfexec.engine.portable import local
from prefect_wfexec.journal.state import ExecutionState
from prefect_wfexec.steps.base import RunInfo


@dataclass
class Scopes:
    """Builds scopes for one run.

    `values` holds outputs in clear by step id, for steps whose entry shows them masked or cut.
    """

    workflow: Workflow
    outline: Outline
    run: RunInfo
    values: dict[str, Mapping[str, JSON]] = field(default_factory=dict)
    parent: "tuple[Scopes, ExecutionState] | None" = None
    """The run this one cleans up after, whose steps its expressions name."""
    workspace: Path | None = None
    """The run's folder on this machine: paths into it are given as this machine's."""

    def scope(self, state: ExecutionState, used: Any, *, is_expression: bool = False) -> dict[str, JSON]:
        """The scope for the expressions in `used`, or for the bare expression it is: only steps they name are in it."""
        names = references(used, is_expression=is_expression).steps
        return self._roots(state) | {"steps": {name: self._named(state, name) for name in names}}

    def _named(self, state: ExecutionState, step_id: str) -> JSON:
        if self.parent is None or step_id not in self.parent[0].outline.steps:
            return self._step(state, step_id)
        scopes, parent_state = self.parent
        return scopes._step(parent_state, step_id)

    def _roots(self, state: ExecutionState) -> dict[str, JSON]:
        opened = state.opened
        return {
            "workflow": {
                "name": self.workflow.name,
                "description": self.workflow.description,
                "version": self.workflow.version,
                "digest": self.workflow.digest,
            },
            "run": {
                "id": self.run.id,
                "name": self.run.name,
                "status": outcome(self.outline, state)[0].value,
                "api_url": self.run.api_url,
                "ui_url": self.run.ui_url,
                "started": opened.at.isoformat() if opened else "",
            },
            "inputs": dict(opened.inputs) if opened else {},
            "trigger": dict(opened.trigger) if opened else {},
            "environment": dict(state.validation.environment) if state.validation else {},
            "matrix": {},
            "env": {},
        }

    def _step(self, state: ExecutionState, step_id: str) -> JSON:
        step = state.step(step_id)
        return {"status": step.status.value, "outputs": dict(self.outputs(state, step_id))}

    def outputs(self, state: ExecutionState, step_id: str) -> Mapping[str, JSON]:
        """A step's outputs in clear, paths in the run's folder as this machine's."""
        found, places = self.stored(state, step_id), state.step(step_id).local
        return local(found, places, self.workspace) if places and self.workspace is not None else found

    def stored(self, state: ExecutionState, step_id: str) -> Mapping[str, JSON]:
        """A step's outputs in clear, as they are kept."""
        step = state.step(step_id)
        return self.values.get(step_id, step.outputs) if step.outputs_ref else step.outputs
