"""What a message about a gate is about. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from prefect_wfexec.definition.model import JSON, Workflow
from prefect_wfexec.engine.approvals.forms import plan_of
from prefect_wfexec.journal.state import ExecutionState, Gate


@dataclass(frozen=True, slots=True)
class About:
    """What a message is about.

    Attributes:
        gate: The gate.
        title: The step's name.
        workflow: The workflow's name.
        run: The run's name.
        run_url: The run's page in Prefect, where it is decided; empty when it is not known.
        plan_url: The page of the plan; empty when there is none.
        planned: The outputs of the plan that is decided on, if one is.
        codes: The recipient's codes, by decision; empty for who has none.
        link: The recipient's own link to the gateway; empty for who has none.
        button: The value of the buttons by which a decision is given in Slack; empty when none can be.
        note: What else is to be said, such as that a decision is on its way.
    """

    gate: Gate
    title: str
    workflow: str
    run: str
    run_url: str = ""
    plan_url: str = ""
    planned: Mapping[str, JSON] | None = None
    codes: Mapping[str, str] | None = None
    link: str = ""
    button: str = ""
    note: str = ""


def about_gate(gate: Gate, workflow: Workflow | None, state: ExecutionState, run: str, run_url: str) -> About:
    """What any message about a gate says, whoever it is for.

    Args:
        gate: The gate.
        workflow: The definition of its run, where it can be read.
        state: The run.
        run: The run's name.
        run_url: The run's page in Prefect.
    """
    step = next((step for step in workflow.steps if step.id == gate.step), None) if workflow else None
    planned = plan_of(gate, workflow, state)
    has_page = planned is not None and bool(run_url)
    return About(
        gate=gate,
        title=step.name if step else gate.step,
        workflow=workflow.name if workflow else "",
        run=run,
        run_url=run_url,
        plan_url=_plan_page(run, run_url) if has_page else "",
        planned=planned,
    )


def _plan_page(run: str, run_url: str) -> str:
    return f"{run_url.partition('/runs/')[0]}/artifacts/key/{run.replace('_', '-')}-plan"
