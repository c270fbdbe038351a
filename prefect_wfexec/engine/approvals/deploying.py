"""The gate before a deployment to a manual environment: what it asks, and whether it was answered. Pure."""

from collections.abc import Callable, Mapping

from prefect_wfexec.definition.expressions import references, render
from prefect_wfexec.definition.model import JSON, Step
from prefect_wfexec.engine.approvals.covering import suffices
from prefect_wfexec.engine.approvals.gates import EXPIRED, UNDECIDED, Opening, subject_digest
from prefect_wfexec.engine.approvals.rules import rules_of
from prefect_wfexec.engine.scope import Scopes
from prefect_wfexec.journal.state import ExecutionState, Gate, Target

Mask = Callable[[JSON], JSON]
REFUSED = frozenset({"rejected", EXPIRED})


def opening_of_deployment(step: Step, target: Target, scopes: Scopes, state: ExecutionState, mask: Mask) -> Opening:
    """The gate that a deployment waits at.

    Its subject is everything the step is given but for secrets: who approves it approves exactly that, for exactly
    that environment.

    Raises:
        ExpressionError: what the step is given can't be worked out.
        RulesError: nobody could open the gate.
    """
    subject = _subject(step, scopes, state)
    policies = [target.policy] if target.policy is not None else []
    return Opening(
        step=step.id,
        generation=1 + sum(1 for gate in state.gates if gate.step == step.id),
        subject=subject,
        shown={"message": f"Deploy to **{step.environment}**?", "subject": mask(subject)},
        rules=rules_of({}, policies, is_protected=target.is_protected),
        environment=step.environment or "",
    )


def is_approved_deployment(opening: Opening, state: ExecutionState) -> bool:
    """Whether the deployment was approved as it is to be made now.

    An approval holds for the attempt it was given for. It covers a later one that deploys the same, when it would do by
    the rules of then, and unless one says that approvals are never used again.
    """
    digest = subject_digest(opening.subject)
    return any(
        gate.outcome == "approved"
        and gate.subject_digest == digest
        and (is_fresh(gate, state) or _covers(gate, opening, state))
        for gate in state.gates
        if gate.step == opening.step and gate.environment == opening.environment
    )


def _covers(gate: Gate, opening: Opening, state: ExecutionState) -> bool:
    is_reusable = gate.reuse and opening.rules.reuse
    return is_reusable and suffices(gate.approvals, opening.rules, state)


def refusal_of_deployment(step: Step, state: ExecutionState) -> tuple[str, str] | None:
    """How the deployment was refused: the fault's type and words; None when it was not."""
    gate = next((gate for gate in reversed(state.gates) if gate.step == step.id and gate.environment), None)
    if gate is None or gate.outcome not in REFUSED or not is_fresh(gate, state):
        return None
    is_undecided = gate.outcome == EXPIRED and gate.on_expire == "fail"
    return (UNDECIDED if is_undecided else gate.outcome), gate.reason


def is_fresh(gate: Gate, state: ExecutionState) -> bool:
    """Whether the step has not made a new beginning since the gate was opened."""
    return not gate.is_past and state.step(gate.step).attempt == gate.attempt


def _subject(step: Step, scopes: Scopes, state: ExecutionState) -> dict[str, JSON]:
    scope = scopes.portable.scope(state, {"with": dict(step.with_), "env": dict(step.env)}, step)
    env = _without_secrets(step.env, scope)
    found: dict[str, JSON] = {
        "deploy": step.instance.of if step.instance is not None else step.id,
        "environment": step.environment,
        "uses": step.uses,
        "with": _without_secrets(step.with_, {**scope, "env": env}, hidden=_secret_names(step.env)),
        "env": env,
        "run": step.run,
    }
    return {key: value for key, value in found.items() if value not in (None, {})}


def _without_secrets(
    values: Mapping[str, JSON], scope: dict[str, JSON], hidden: frozenset[str] = frozenset()
) -> dict[str, JSON]:
    """The values as they will be; what holds a secret stays as the definition has it."""
    return {key: value if _holds_secret(value, hidden) else render(value, scope) for key, value in values.items()}


def _holds_secret(value: JSON, hidden: frozenset[str]) -> bool:
    found = references(value)
    names = {one.path[:1] for one in found.all if one.root == "env"}
    return bool(found.secrets) or any(not name or name[0] in hidden for name in names if hidden)


def _secret_names(env: Mapping[str, JSON]) -> frozenset[str]:
    return frozenset(name for name, value in env.items() if references(value).secrets)
