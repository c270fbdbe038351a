"""The `with` of a gate, rendered for the journal: once in clear, for its digest, and once as anyone may see it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from prefect_wfexec.definition.expressions import references, render
from prefect_wfexec.definition.model import JSON, Step
from prefect_wfexec.definition.withs import validate_with
from prefect_wfexec.engine.secret_values import strings_in
from prefect_wfexec.steps.registry import find_step_type

if TYPE_CHECKING:
    from prefect_wfexec.engine.attempt import Services


async def render_gate(
    step: Step, scope: Mapping[str, JSON], services: "Services"
) -> tuple[dict[str, JSON], dict[str, JSON]]:
    """The gate's `with`, checked: in clear, and masked.

    Raises:
        ExpressionError: an expression can't be worked out.
        StepFailed: a value does not fit, or a secret is not there.
    """
    secrets = await services.secrets(references(dict(step.with_)).secrets)
    services.masker.add(*(text for value in secrets.values() for text in strings_in(value)))
    rendered = render(dict(step.with_), {**scope, "secrets": secrets})
    inputs = validate_with(find_step_type(step.uses).spec, rendered).model_dump(mode="json")
    masked = services.masker.mask_value(inputs)
    return inputs, masked if isinstance(masked, dict) else {}
