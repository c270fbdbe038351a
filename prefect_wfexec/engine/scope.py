"""What expressions see: the roots of the expression scope, built from the folded state."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from prefect_wfexec.definition.expressions import references
from prefect_wfexec.definition.model import JSON, Step, Workflow
from prefect_wfexec.engine.outcome import outcome
from prefect_wfexec.engine.outline import Outline
from prefect_wfexec.engine.portable import local
from prefect_wfexec.journal.state import ExecutionState
from prefect_wfexec.status import status_of_all
from prefect_wfexec.steps.base import RunInfo


def step_key(step: Step) -> str:
    """What tells an instance from the others of its step; empty for a step that is none."""
    return step.instance.key if step.instance is not None else ""


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

    @property
    def portable(self) -> "Scopes":
        """The same with paths in the run's folder as the journal holds them, which are the same on every machine.

        What is decided on is worked out with them: a decision holds wherever the run goes on.
        """
        parent = (self.parent[0].portable, self.parent[1]) if self.parent is not None else None
        return replace(self, workspace=None, parent=parent)

    def scope(
        self, state: ExecutionState, used: Any, step: Step | None = None, *, is_expression: bool = False
    ) -> dict[str, JSON]:
        """The scope for the expressions in `used`, or for the bare expression it is: only steps they name are in it.

        Args:
            state: The run as it is.
            used: What holds the expressions.
            step: The step they belong to: an instance sees its own `matrix` and `environment`.
            is_expression: Whether `used` is a bare expression.
        """
        names = references(used, is_expression=is_expression).steps
        steps = {"steps": {name: self._named(state, name) for name in names}}
        return self._roots(state) | self._of_instance(state, step) | steps

    def _of_instance(self, state: ExecutionState, step: Step | None) -> dict[str, JSON]:
        if step is None or step.instance is None:
            return {}
        if step.environment is None:
            return {"matrix": dict(step.instance.matrix)}
        target = state.target(step.environment)
        return {"environment": dict(target.environment) if target else {"name": step.environment, "variables": {}}}

    def _named(self, state: ExecutionState, name: str) -> JSON:
        if self.parent is None or not self.parent[0].outline.named(name):
            return self._step_or_instances(state, name)
        scopes, parent_state = self.parent
        return scopes._step_or_instances(parent_state, name)

    def _step_or_instances(self, state: ExecutionState, name: str) -> JSON:
        """A step; of one with a matrix or environments the outputs of each instance under what names it."""
        ids = self.workflow.instances.get(name)
        if ids is None:
            return self._step(state, name)
        outputs = {step_key(self.outline.steps[one]): dict(self.outputs(state, one)) for one in ids}
        return {"status": status_of_all([state.step(one).status for one in ids]).value, "outputs": outputs}

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
