"""The target environment of a run, and the approval policies it names: read once, before the first step."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from prefect_wfexec.definition.expressions import ExpressionError, render
from prefect_wfexec.definition.model import JSON, Workflow
from prefect_wfexec.errors import EngineError
from prefect_wfexec.runtime.saved_blocks import MissingBlock, read_block_data

BLOCK_SLUG = "target-environment-wfexec"
BLOCK_TYPE_NAME = "Target Environment (wfexec)"
POLICY_SLUG = "approval-policy-wfexec"
POLICY_TYPE_NAME = "Approval Policy (wfexec)"
_RULES = ("approvers", "quorum", "allow_self", "expires", "on_expire", "hold", "notify", "reuse")


class NotDeployable(EngineError):
    """The run's target environment is not there, not active, or not named by anything."""

    code = "environment"


@dataclass(frozen=True, slots=True)
class Environment:
    """A target environment, as its block says it; one without a name when the definition names none.

    Attributes:
        name: The document's name.
        variables: What expressions see.
        is_protected: Whether nothing changes there without an approval by named people.
        policy: Its rules for gates.
        lock: What only one run at a time may hold there; empty for nothing.
    """

    name: str = ""
    variables: Mapping[str, JSON] = field(default_factory=dict)
    is_protected: bool = False
    policy: Mapping[str, JSON] | None = None
    lock: str = ""

    @property
    def scope(self) -> dict[str, JSON]:
        """What `environment` is in expressions."""
        return {"name": self.name, "variables": dict(self.variables)} if self.name else {}


async def read_environment(workflow: Workflow, scope: dict[str, JSON]) -> Environment:
    """The environment a definition names.

    Raises:
        NotDeployable: it can't be deployed to.
    """
    if workflow.environment is None:
        return Environment()
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
    variables = data.get("variables")
    # What is not said in plain words protects: a block that somebody garbled opens nothing.
    is_protected = data.get("protected", False) is not False
    policy = await _policy_of(data.get("policy"), f"environment '{name}'")
    known = dict(variables) if isinstance(variables, dict) else {}
    return Environment(name, known, is_protected, policy, str(data.get("lock_key") or ""))


async def read_policy(name: str, owner: str) -> dict[str, JSON]:
    """The rules in a saved Approval Policy block.

    Args:
        name: The document's name.
        owner: Who names it, for the error.

    Raises:
        NotDeployable: nobody saved it.
    """
    try:
        return _rules(await read_block_data(POLICY_SLUG, name, POLICY_TYPE_NAME))
    except MissingBlock as missing:
        raise NotDeployable(f"{owner}: {missing.message}", hint=missing.hint) from None


async def _policy_of(value: object, owner: str) -> dict[str, JSON] | None:
    """The rules of an environment, whose block holds a policy, or the name of one."""
    if value in (None, ""):
        return None
    if isinstance(value, str):
        return await read_policy(value, owner)
    if isinstance(value, Mapping):
        return _rules(value)
    raise NotDeployable(f"{owner}: its approval policy can't be read", hint="open its block in Prefect's UI, save it")


def _rules(data: Mapping[str, Any]) -> dict[str, JSON]:
    return {key: data[key] for key in _RULES if data.get(key) is not None}
