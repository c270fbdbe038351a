"""How a run's cleanup is done: what its definition says, and else the Cleanup Policy block it names."""

from collections.abc import Mapping
from dataclasses import dataclass

from prefect_wfexec.definition.durations import parse_duration
from prefect_wfexec.definition.model import JSON, Workflow
from prefect_wfexec.engine.cleanup.workflow import CleanupPlan
from prefect_wfexec.errors import EngineError
from prefect_wfexec.journal.facts import UNSIGNED
from prefect_wfexec.journal.state import ExecutionState, Gate
from prefect_wfexec.runtime.saved_blocks import MissingBlock, read_block_data

BLOCK_SLUG = "cleanup-policy-wfexec"
BLOCK_TYPE_NAME = "Cleanup Policy (wfexec)"
ATTEMPTS = 3
DELAY_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class CleanupPolicyRules:
    """What a policy says; `problem` says why it could not be read, and then an approval is needed."""

    on_cancel: str = "stop"
    needs_approval: bool = False
    attempts: int = ATTEMPTS
    delay_seconds: float = DELAY_SECONDS
    problem: str = ""


async def read_rules(workflow: Workflow) -> CleanupPolicyRules:
    """What holds for a run of this workflow; a policy that can't be read takes nothing away by itself."""
    policy = await _policy(workflow.cleanup.policy)
    own = workflow.cleanup
    return CleanupPolicyRules(
        on_cancel=workflow.on_cancel or policy.on_cancel,
        needs_approval=policy.needs_approval or bool(own.needs_approval),
        attempts=own.attempts if own.attempts is not None else policy.attempts,
        delay_seconds=own.delay_seconds if own.delay_seconds is not None else policy.delay_seconds,
        problem=policy.problem,
    )


def plan_of(
    workflow: Workflow, steps: tuple[str, ...], rules: CleanupPolicyRules, state: ExecutionState
) -> CleanupPlan:
    """What is done: with an approval where the definition, the policy or a protected environment asks for one.

    And where named people decided in the run, and anybody may have cancelled it: what they approved goes by them.
    """
    is_protected = state.validation is not None and state.validation.is_protected
    targets = [state.target(workflow.step(step_id).environment) for step_id in steps]
    is_protected = is_protected or any(target is not None and target.is_protected for target in targets)
    governed = [gate for gate in state.gates if gate.is_governed and gate.approvers]
    is_anybodys = state.cancel is None or state.cancel.data.get(UNSIGNED) is True
    asks = [step_id for step_id in steps if (cleanup := workflow.step(step_id).cleanup) and cleanup.needs_approval]
    needs_approval = rules.needs_approval or is_protected or bool(asks) or (bool(governed) and is_anybodys)
    deciders = _deciders(governed[-1]) if governed and needs_approval else {}
    return CleanupPlan(steps, needs_approval, rules.attempts, rules.delay_seconds, deciders)


def _deciders(gate: Gate) -> dict[str, JSON]:
    return {
        "approvers": list(gate.approvers),
        "quorum": gate.quorum,
        "allow_self": True,
        "notify": [dict(one) for one in gate.notify],
    }


async def _policy(name: str | None) -> CleanupPolicyRules:
    if name is None:
        return CleanupPolicyRules()
    try:
        return _read(await read_block_data(BLOCK_SLUG, name, BLOCK_TYPE_NAME))
    except (MissingBlock, EngineError) as error:
        return CleanupPolicyRules(needs_approval=True, problem=error.message)
    except (ValueError, TypeError) as error:
        return CleanupPolicyRules(needs_approval=True, problem=f"cleanup policy '{name}' can't be read: {error}")


def _read(data: Mapping[str, JSON]) -> CleanupPolicyRules:
    delay = data.get("delay")
    return CleanupPolicyRules(
        on_cancel="cleanup" if data.get("on_cancel") == "cleanup" else "stop",
        # What is not said in plain words asks: a block that somebody garbled destroys nothing.
        needs_approval=data.get("approval", "automatic") != "automatic",
        attempts=int(data.get("attempts") or ATTEMPTS),
        delay_seconds=parse_duration(str(delay)) if delay else DELAY_SECONDS,
    )
