"""The target environment of a run, and the approval policies it names: read once, before the first step."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from prefect_wfexec.definition.expressions import ExpressionError, render
from prefect_wfexec.definition.model import JSON, Workflow
from prefect_wfexec.errors import EngineError
from prefect_wfexec.journal.state import Target
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
        is_manual: Whether a deployment to it waits until somebody says that it goes on.
        lock: What only one run at a time may hold there; empty for nothing.
    """

    name: str = ""
    variables: Mapping[str, JSON] = field(default_factory=dict)
    is_protected: bool = False
    policy: Mapping[str, JSON] | None = None
    lock: str = ""
    is_manual: bool = False

    @property
    def scope(self) -> dict[str, JSON]:
        """What `environment` is in expressions."""
        return {"name": self.name, "variables": dict(self.variables)} if self.name else {}

    @property
    def target(self) -> Target:
        """The same as the journal keeps it for a deploy step."""
        return Target(self.scope, self.is_protected, self.is_manual, self.policy)


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
    return await read_named_environment(name)


async def read_named_environment(name: str) -> Environment:
    """The environment of this name.

    Raises:
        NotDeployable: it can't be deployed to.
    """
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
    is_manual = data.get("deployment", "automatic") != "automatic"
    policy = await _rules_of(data, f"environment '{name}'")
    known = dict(variables) if isinstance(variables, dict) else {}
    return Environment(name, known, is_protected, policy, str(data.get("lock_key") or ""), is_manual)


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


async def _rules_of(data: Mapping[str, object], owner: str) -> dict[str, JSON] | None:
    """Who may approve there, and how: the environment's policy, or the approvers it names itself."""
    approvers = data.get("approvers")
    policy = await _policy_of(data.get("policy"), owner)
    if not approvers:
        return policy
    if policy is not None or not isinstance(approvers, list):
        hint = "open its block in Prefect's UI, and name approvers there or in the policy"
        raise NotDeployable(f"{owner}: who may approve there can't be read", hint=hint)
    return {"approvers": [str(name) for name in approvers]}


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
