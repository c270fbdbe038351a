"""Opening a gate: its `with` rendered, its rules put together, an earlier approval looked up."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from prefect_wfexec.definition.expressions import references, render
from prefect_wfexec.definition.model import JSON, Step
from prefect_wfexec.definition.withs import validate_with
from prefect_wfexec.engine.approvals.covering import covering
from prefect_wfexec.engine.approvals.gates import Opening
from prefect_wfexec.engine.approvals.rules import rules_of
from prefect_wfexec.engine.secret_values import strings_in
from prefect_wfexec.errors import EngineError
from prefect_wfexec.journal.state import ExecutionState, Validation
from prefect_wfexec.steps.registry import find_step_type

if TYPE_CHECKING:
    from prefect_wfexec.engine.attempt import Services


async def prepare_gate(
    step: Step, scope: Mapping[str, JSON], state: ExecutionState, services: "Services", validation: Validation | None
) -> Opening:
    """What a gate is opened with.

    Raises:
        ExpressionError: an expression can't be worked out.
        StepFailed: a value does not fit, or a secret is not there.
        RulesError: nobody could open it.
    """
    secrets = await services.secrets(references(dict(step.with_)).secrets)
    services.masker.add(*(text for value in secrets.values() for text in strings_in(value)))
    rendered = render(dict(step.with_), {**scope, "secrets": secrets})
    inputs = validate_with(find_step_type(step.uses).spec, rendered).model_dump(mode="json", exclude_unset=True)
    masked = services.masker.mask_value(inputs)
    rules = rules_of(
        inputs, policies_over(inputs, validation), is_protected=validation is not None and validation.is_protected
    )
    subject = inputs.get("subject")
    covered_by, news = await covering(step.id, subject, rules, state, services.blobs)
    return Opening(
        step=step.id,
        generation=1 + sum(1 for gate in state.gates if gate.step == step.id),
        subject=subject,
        shown=masked if isinstance(masked, dict) else {},
        rules=rules,
        covered_by=covered_by,
        news=news,
    )


def policies_over(inputs: Mapping[str, JSON], validation: Validation | None) -> list[Mapping[str, JSON]]:
    """The policies over a gate, as they were read at the run's start: the environment's first, then the one it names.

    Raises:
        EngineError: it names one that was not read.
    """
    if validation is None:
        return []
    found = [validation.policy] if validation.policy is not None else []
    name = inputs.get("policy")
    if not name:
        return found
    if name not in validation.policies:
        raise EngineError(f"the policy '{name}' was not read when the run started", code="policy")
    return [*found, validation.policies[str(name)]]
