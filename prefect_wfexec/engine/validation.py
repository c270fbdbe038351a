"""What must hold before the first step of a run, seen once and put on record: its environments, rules and lock."""

from collections.abc import Mapping

from prefect_wfexec.definition.expansion import expansion_faults
from prefect_wfexec.definition.expressions import ExpressionError, render
from prefect_wfexec.definition.model import JSON, Concurrency, Step, Workflow
from prefect_wfexec.engine import fencing
from prefect_wfexec.engine.environment import (
    Environment,
    NotDeployable,
    read_environment,
    read_named_environment,
    read_policy,
)
from prefect_wfexec.engine.outline import Outline
from prefect_wfexec.engine.requirements import gates_of, require_protection, require_rules, require_targets
from prefect_wfexec.engine.scope import Scopes
from prefect_wfexec.errors import one_line
from prefect_wfexec.journal.facts import Fact, Kind
from prefect_wfexec.journal.journal import Journal
from prefect_wfexec.journal.state import ExecutionState
from prefect_wfexec.status import RunStatus

LONGEST_LOCK_KEY = 500


async def is_valid(engine: str, workflow: Workflow, scopes: Scopes, journal: Journal) -> bool:
    """Whether the run can go on; one that can't is closed with the reason.

    One with phases goes on in any case: Validation, its first step, says what is wrong.
    """
    has_validation = scopes.outline.validation is not None
    if not has_validation and not _needs_a_look(workflow):
        return True
    if journal.state.validation is None:
        facts = await _found(engine, workflow, scopes, journal.state)
        await journal.append(
            lambda state: facts if fencing.is_current(state, engine) and state.validation is None else []
        )
    found = journal.state.validation
    return found is not None and (has_validation or not found.problems)


def _needs_a_look(workflow: Workflow) -> bool:
    has_rules = workflow.environment is not None or workflow.concurrency is not None or bool(gates_of(workflow))
    return has_rules or any(step.environment or step.matrix for step in workflow.steps)


def inherited(engine: str, state: ExecutionState, parent: ExecutionState) -> list[Fact]:
    """What holds for a cleanup: what held for the run it cleans up after, also where that environment is closed now."""
    found = parent.validation
    if state.validation is not None or found is None or not fencing.is_current(state, engine):
        return []
    data: dict[str, JSON] = {
        "engine": engine,
        "environment": dict(found.environment),
        "is_protected": found.is_protected,
        "lock": found.lock,
        "policies": {name: dict(one) for name, one in found.policies.items()},
        "targets": {name: one.as_json() for name, one in found.targets.items()},
    }
    if found.policy is not None:
        data["policy"] = dict(found.policy)
    return [Fact(Kind.VALIDATED, data)]


async def _found(engine: str, workflow: Workflow, scopes: Scopes, state: ExecutionState) -> list[Fact]:
    data: dict[str, JSON] = {"engine": engine}
    problems = [one_line(fault) for fault in _expansion_problems(workflow, state)]
    environment = Environment()
    policies: dict[str, dict[str, JSON]] = {}
    try:
        environment, policies = await read_rules(workflow, scopes.scope(state, workflow.environment))
        require_rules(workflow, environment, policies)
        require_protection(scopes.outline, environment)
    except NotDeployable as error:
        problems.append(one_line(error))
    targets, faults = await read_targets(workflow)
    faults += require_targets(scopes.outline, targets)
    problems += [one_line(fault) for fault in faults]
    try:
        data["lock"] = _lock_of(workflow, [environment, *targets.values()], scopes, state) if not problems else ""
    except NotDeployable as error:
        problems.append(one_line(error))
    data |= {"environment": environment.scope, "is_protected": environment.is_protected, "policies": policies}
    data["targets"] = {name: one.target.as_json() for name, one in targets.items()}
    if environment.policy is not None:
        data["policy"] = dict(environment.policy)
    if problems:
        return _invalid(engine, scopes.outline, {**data, "problems": list(dict.fromkeys(problems))})
    return [Fact(Kind.VALIDATED, data)]


def _expansion_problems(workflow: Workflow, state: ExecutionState) -> list[NotDeployable]:
    inputs = state.opened.inputs if state.opened is not None else {}
    faults = expansion_faults(workflow, inputs)
    return [NotDeployable(f"step '{fault.step}': {fault.message}", hint=fault.hint or None) for fault in faults]


def _invalid(engine: str, outline: Outline, data: dict[str, JSON]) -> list[Fact]:
    validated = Fact(Kind.VALIDATED, data)
    if outline.validation is not None:
        return [validated]
    reason = f"validation: {'; '.join(data['problems'])}"
    return [validated, Fact(Kind.CLOSED, {"engine": engine, "status": RunStatus.FAILED.value, "reason": reason})]


async def read_rules(workflow: Workflow, scope: dict[str, JSON]) -> tuple[Environment, dict[str, dict[str, JSON]]]:
    """The environment of a run, and the policies its gates name, by name.

    Raises:
        NotDeployable: one of them is not there, or the environment is not active.
    """
    environment = await read_environment(workflow, scope)
    return environment, await _policies(workflow, scope | {"environment": environment.scope})


async def read_targets(workflow: Workflow) -> tuple[dict[str, Environment], list[NotDeployable]]:
    """The environments that deploy steps go through, by name, and why some can't be deployed to."""
    names = dict.fromkeys(name for step in workflow.steps for name in (step.environment, *step.environments) if name)
    found: dict[str, Environment] = {}
    faults: list[NotDeployable] = []
    for name in names:
        try:
            found[name] = await read_named_environment(name)
        except NotDeployable as fault:
            faults.append(fault)
    return found, faults


def _lock_of(workflow: Workflow, environments: list[Environment], scopes: Scopes, state: ExecutionState) -> str:
    """The key of the run's lock, its environments' or its own; empty when it needs none.

    Raises:
        NotDeployable: it can't be worked out, or they are not the same: a run holds one lock.
    """
    own = ""
    if workflow.concurrency is not None:
        scope = scopes.scope(state, workflow.concurrency.key) | {"environment": environments[0].scope}
        own = lock_key(workflow.concurrency, scope)
    first: Environment | None = None
    for environment in environments:
        if not environment.lock:
            continue
        if own and environment.lock != own:
            words = f"environment '{environment.name}' has the lock '{environment.lock}', and the definition wants"
            raise NotDeployable(f"{words} '{own}'", hint="leave `concurrency` out, or give it the environment's key")
        first = first or environment
        if first.lock != environment.lock:
            words = f"environment '{first.name}' has the lock '{first.lock}', and '{environment.name}' has"
            hint = "give both the same, or deploy to one in a run: a run holds one lock"
            raise NotDeployable(f"{words} '{environment.lock}'", hint=hint)
    return own or (_checked_key(first.lock) if first is not None else "")


def lock_key(concurrency: Concurrency, scope: dict[str, JSON]) -> str:
    """The key of a run's lock, worked out once for the whole run.

    Raises:
        NotDeployable: it is no text that names a lock.
    """
    try:
        key = render(concurrency.key, scope)
    except ExpressionError as error:
        raise NotDeployable(f"the lock's key can't be worked out: {error.message}", hint=error.hint) from None
    return _checked_key(str(key) if isinstance(key, int) and not isinstance(key, bool) else key)


def _checked_key(key: JSON) -> str:
    if not isinstance(key, str) or not key.strip():
        raise NotDeployable(f"the lock's key is {key!r}, not a name", hint="make it text that says what is locked")
    if not key.isprintable():
        raise NotDeployable(f"the lock's key is {key!r}, which has characters that can't be shown")
    if len(key) > LONGEST_LOCK_KEY:
        raise NotDeployable(f"the lock's key has {len(key)} characters, more than {LONGEST_LOCK_KEY}")
    return key.strip()


async def _policies(workflow: Workflow, scope: Mapping[str, JSON]) -> dict[str, dict[str, JSON]]:
    """The policies that gates name, by name; what a policy is must be known before the first step."""
    found: dict[str, dict[str, JSON]] = {}
    for step in gates_of(workflow):
        name = _policy_name(step, scope)
        if name and name not in found:
            found[name] = await read_policy(name, f"step '{step.id}'")
    return found


def _policy_name(step: Step, scope: Mapping[str, JSON]) -> str:
    given = step.with_.get("policy")
    if not given:
        return ""
    own = {"matrix": dict(step.instance.matrix)} if step.instance is not None else {}
    try:
        name = render(given, {**scope, **own})
    except ExpressionError as error:
        raise NotDeployable(
            f"the policy of step '{step.id}' can't be worked out before the first step: {error.message}",
            hint="name it, or take the name from inputs or environment",
        ) from None
    if not isinstance(name, str) or not name:
        raise NotDeployable(f"the policy of step '{step.id}' is {name!r}, not a name")
    return name
