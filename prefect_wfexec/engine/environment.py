"""The target environment of a run: its block is read once, before the first step, and pinned with the definition."""

from prefect_wfexec.definition.expressions import ExpressionError, render
from prefect_wfexec.definition.model import JSON, Workflow
from prefect_wfexec.errors import EngineError
from prefect_wfexec.runtime.saved_blocks import MissingBlock, read_block_data

BLOCK_SLUG = "target-environment-wfexec"
BLOCK_TYPE_NAME = "Target Environment (wfexec)"


class NotDeployable(EngineError):
    """The run's target environment is not there, not active, or not named by anything."""

    code = "environment"


async def read_environment(workflow: Workflow, scope: dict[str, JSON]) -> dict[str, JSON]:
    """What `environment` is in expressions: its name and variables; empty when the definition names none.

    Raises:
        NotDeployable: it can't be deployed to.
    """
    if workflow.environment is None:
        return {}
    try:
        name = render(workflow.environment, scope)
    except ExpressionError as error:
        raise NotDeployable(f"the environment can't be worked out: {error.message}", hint=error.hint) from None
    if not isinstance(name, str) or not name:
        raise NotDeployable(f"the environment is {name!r}, not a name")
    try:
        data = await read_block_data(BLOCK_SLUG, name, BLOCK_TYPE_NAME)
    except MissingBlock as missing:
        raise NotDeployable(f"environment '{name}': {missing.message}", hint=missing.hint) from None
    if data.get("active", True) is not True:
        raise NotDeployable(
            f"environment '{name}' is not active", hint=f"set Active in the {BLOCK_TYPE_NAME} block '{name}'"
        )
    variables = data.get("variables") or {}
    return {"name": name, "variables": dict(variables) if isinstance(variables, dict) else {}}
