"""The workflow that takes away what a run has made: a step for each step that began, the newest first. Pure."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from prefect_wfexec.definition.expressions import references
from prefect_wfexec.definition.model import JSON, Retry, Step, Workflow
from prefect_wfexec.journal.facts import canonical_json
from prefect_wfexec.journal.state import ExecutionState

GATE = "approve_cleanup"
_PLAN = "terraform.plan"
_UNDO = "deploy.kubernetes_undo"
_FROM_DEPLOY = ("manifests", "namespace", "block")
_FROM_PLAN = ("dir", "workspace", "backend_config", "var_files", "vars")
_BACKOFF = 2.0


@dataclass(frozen=True, slots=True)
class CleanupPlan:
    """What is to be taken away, and how.

    Attributes:
        steps: The steps whose cleanups run, in that order.
        needs_approval: Whether somebody approves first.
        attempts: How often each is tried.
        delay_seconds: How long to wait before it is tried again; doubled each time.
        deciders: Who approves, as `with` of an approval has it; empty: whoever may in the environment.
    """

    steps: tuple[str, ...]
    needs_approval: bool = False
    attempts: int = 3
    delay_seconds: float = 10.0
    deciders: Mapping[str, JSON] = field(default_factory=dict)

    def as_json(self) -> dict[str, JSON]:
        return {
            "steps": list(self.steps),
            "needs_approval": self.needs_approval,
            "attempts": self.attempts,
            "delay_seconds": self.delay_seconds,
            "deciders": dict(self.deciders),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, JSON]) -> "CleanupPlan":
        return cls(
            steps=tuple(str(step_id) for step_id in value.get("steps") or ()),
            needs_approval=bool(value.get("needs_approval", True)),
            attempts=max(1, int(value.get("attempts") or 1)),
            delay_seconds=float(value.get("delay_seconds") or 0.0),
            deciders=dict(value.get("deciders") or {}),
        )


def steps_to_clean(workflow: Workflow, state: ExecutionState) -> tuple[str, ...]:
    """The steps that began and have a cleanup, whatever became of them; the one that began last comes first."""
    began = [
        (started, step.id)
        for step in workflow.steps
        if step.cleanup is not None and (started := state.step(step.id).first_started) is not None
    ]
    return tuple(step_id for _, step_id in sorted(began, reverse=True))


def cleanup_workflow(workflow: Workflow, plan: CleanupPlan) -> Workflow:
    """The workflow of a cleanup of a run of `workflow`."""
    steps = [_gate(workflow, plan)] if plan.needs_approval else []
    for step_id in plan.steps:
        steps.append(_cleanup_step(workflow, workflow.step(step_id), plan, tuple(step.id for step in steps[-1:])))
    digest = hashlib.sha256(canonical_json([workflow.digest, plan.as_json()]).encode()).hexdigest()
    return replace(
        workflow, steps=tuple(steps), outputs={}, concurrency=None, digest=digest, is_cleanup=True, instances={}
    )


def _gate(workflow: Workflow, plan: CleanupPlan) -> Step:
    names = ", ".join(f"**{workflow.step(step_id).name}**" for step_id in plan.steps)
    message = f"Take away what {names} made? What is destroyed can't be brought back."
    return Step(GATE, "Approve Cleanup", "approval", with_={"message": message, **plan.deciders})


def _cleanup_step(workflow: Workflow, step: Step, plan: CleanupPlan, needs: tuple[str, ...]) -> Step:
    cleanup = step.cleanup
    assert cleanup is not None, "only steps with a cleanup are cleaned up"
    made_by = _plan_of(workflow, step)
    with_ = cleanup.with_ if cleanup.with_ is not None else _with_of(step, cleanup.uses, made_by)
    return Step(
        id=step.id,
        name=f"Clean Up {step.name}",
        uses=cleanup.uses,
        with_=with_,
        env={**(made_by.env if made_by else {}), **step.env},
        needs=needs,
        # One that fails holds up no other; without the approval none of them runs.
        when="always",
        if_=f"steps.{GATE}.status == 'Success'" if plan.needs_approval else None,
        retry=Retry(plan.attempts, plan.delay_seconds, _BACKOFF, takes_any=True),
        line=step.line,
        instance=step.instance,
    )


def _plan_of(workflow: Workflow, step: Step) -> Step | None:
    """The step that planned what a step applies; the step itself, where it plans."""
    if step.uses == _PLAN:
        return step
    named = references(step.with_.get("plan")).steps
    plans = [other for other in workflow.steps if other.uses == _PLAN and (_origin(other) in named)]
    same = [other for other in plans if other.instance and step.instance and other.instance.key == step.instance.key]
    return next(iter(same or [other for other in plans if other.instance is None]), None)


def _origin(step: Step) -> str:
    """The id that expressions name a step by."""
    return step.instance.of if step.instance is not None else step.id


def _with_of(step: Step, undone_by: str, plan: Step | None) -> dict[str, JSON]:
    """What undoes a step takes from the step itself, or from its plan."""
    if undone_by == _UNDO:
        return {key: step.with_[key] for key in _FROM_DEPLOY if key in step.with_}
    return {key: plan.with_[key] for key in _FROM_PLAN if key in plan.with_} if plan is not None else {}
