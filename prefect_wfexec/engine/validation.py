"""Validation: what must hold before the first step of a run, seen once and put on record."""

from collections.abc import Mapping

from prefect_wfexec.definition.expressions import ExpressionError, render
from prefect_wfexec.definition.model import JSON, Concurrency, Step, Workflow
from prefect_wfexec.definition.templates import is_deferred
from prefect_wfexec.engine import fencing
from prefect_wfexec.engine.approvals.fields import required_fields
from prefect_wfexec.engine.approvals.protection import unguarded
from prefect_wfexec.engine.approvals.rules import RulesError, rules_of
from prefect_wfexec.engine.environment import Environment, NotDeployable, read_environment, read_policy
from prefect_wfexec.engine.outline import Outline
from prefect_wfexec.engine.scope import Scopes
from prefect_wfexec.errors import one_line
from prefect_wfexec.journal.facts import Fact, Kind
from prefect_wfexec.journal.journal import Journal
from prefect_wfexec.journal.keys import keys_from_environment
from prefect_wfexec.journal.state import ExecutionState
from prefect_wfexec.settings import SECRET_KEY
from prefect_wfexec.status import RunStatus
from prefect_wfexec.steps.registry import find_step_type

LONGEST_LOCK_KEY = 500


async def is_valid(engine: str, workflow: Workflow, scopes: Scopes, journal: Journal) -> bool:
    """Whether the run can go on; one that can't is closed with the reason."""
    if workflow.environment is None and workflow.concurrency is None and not gates_of(workflow):
        return True
    if journal.state.validation is None:
        facts = await _found(engine, workflow, scopes, journal.state)
        await journal.append(
            lambda state: facts if fencing.is_current(state, engine) and state.validation is None else []
        )
    found = journal.state.validation
    return found is not None and not found.problem


def inherited(engine: str, state: ExecutionState, parent: ExecutionState) -> list[Fact]:
    """What holds for a cleanup: what held for the run it cleans up after, also where that environment is closed now."""
    found = parent.validation
    if state.validation is not None or found is None or not fencing.is_current(state, engine):
        return []
    data: dict[str, JSON] = {
        "engine": engine,
        "environment": dict(found.environment),
        "is_protected": found.is_protected,
        "policies": {name: dict(one) for name, one in found.policies.items()},
    }
    if found.policy is not None:
        data["policy"] = dict(found.policy)
    return [Fact(Kind.VALIDATED, data)]


def gates_of(workflow: Workflow) -> list[Step]:
    """The steps that wait for a decision."""
    return [step for step in workflow.steps if find_step_type(step.uses).spec.is_gate]


async def _found(engine: str, workflow: Workflow, scopes: Scopes, state: ExecutionState) -> list[Fact]:
    data: dict[str, JSON] = {"engine": engine}
    try:
        environment, policies = await read_rules(workflow, scopes.scope(state, workflow.environment))
        _require_rules(workflow, environment, policies)
        _require_protection(workflow, environment)
        data["lock"] = _lock_of(workflow, environment, scopes, state)
    except NotDeployable as error:
        data["problem"] = one_line(error)
        ending = {"engine": engine, "status": RunStatus.FAILED.value, "reason": f"validation: {data['problem']}"}
        return [Fact(Kind.VALIDATED, data), Fact(Kind.CLOSED, ending)]
    data |= {"environment": environment.scope, "is_protected": environment.is_protected, "policies": policies}
    if environment.policy is not None:
        data["policy"] = dict(environment.policy)
    return [Fact(Kind.VALIDATED, data)]


async def read_rules(workflow: Workflow, scope: dict[str, JSON]) -> tuple[Environment, dict[str, dict[str, JSON]]]:
    """The environment of a run, and the policies its gates name, by name.

    Raises:
        NotDeployable: one of them is not there, or the environment is not active.
    """
    environment = await read_environment(workflow, scope)
    return environment, await _policies(workflow, scope | {"environment": environment.scope})


def wants_others(
    workflow: Workflow, environment: Environment, policies: Mapping[str, Mapping[str, JSON]]
) -> str | None:
    """The first gate that wants more than a yes of who starts the run: others, a proof, fields; None when none does."""
    for step in gates_of(workflow):
        fields = step.with_.get("fields")
        has_fields = isinstance(fields, dict) and bool(required_fields(fields))
        if step.with_.get("approvers") or is_deferred(step.with_.get("quorum")) or has_fields:
            return step.id
        named = policies.get(str(step.with_.get("policy")))
        over = [one for one in (environment.policy, named) if one is not None]
        own = {key: step.with_[key] for key in ("quorum", "allow_self") if key in step.with_}
        try:
            rules = rules_of(own, over, is_protected=environment.is_protected)
        except RulesError:
            return step.id
        if rules.is_governed or rules.quorum > 1 or not rules.allow_self or step.with_.get("policy"):
            return step.id
    return None


def _lock_of(workflow: Workflow, environment: Environment, scopes: Scopes, state: ExecutionState) -> str:
    """The key of the run's lock, its environment's or its own; empty when it needs none.

    Raises:
        NotDeployable: it can't be worked out, or the two are not the same: a run holds one lock.
    """
    if workflow.concurrency is None:
        return _checked_key(environment.lock) if environment.lock else ""
    scope = scopes.scope(state, workflow.concurrency.key) | {"environment": environment.scope}
    key = lock_key(workflow.concurrency, scope)
    if environment.lock not in ("", key):
        words = f"environment '{environment.name}' has the lock '{environment.lock}', and the definition wants '{key}'"
        raise NotDeployable(words, hint="leave `concurrency` out, or give it the environment's key")
    return key


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
        given = step.with_.get("policy")
        if not given:
            continue
        try:
            name = render(given, dict(scope))
        except ExpressionError as error:
            raise NotDeployable(
                f"the policy of step '{step.id}' can't be worked out before the first step: {error.message}",
                hint="name it, or take the name from inputs or environment",
            ) from None
        if not isinstance(name, str) or not name:
            raise NotDeployable(f"the policy of step '{step.id}' is {name!r}, not a name")
        if name not in found:
            found[name] = await read_policy(name, f"step '{step.id}'")
    return found


def _require_rules(workflow: Workflow, environment: Environment, policies: Mapping[str, Mapping[str, JSON]]) -> None:
    """That somebody can open each gate whose rules are known by now; the others are checked when they open."""
    asking = [step for step in workflow.steps if step.on_failure == "ask" and step not in gates_of(workflow)]
    for step in (*gates_of(workflow), *asking):
        with_ = {} if step in asking else step.with_
        own = {key: with_[key] for key in ("approvers", "quorum", "expires", "policy") if key in with_}
        if is_deferred(own):
            continue
        named = policies.get(str(with_.get("policy")))
        over = [one for one in (environment.policy, named) if one is not None]
        try:
            rules_of(own, over, is_protected=environment.is_protected)
        except RulesError as error:
            problem = f"the gate '{step.id}' can't be opened by anybody: {error.message}"
            raise NotDeployable(problem, hint=error.hint) from None


def _require_protection(workflow: Workflow, environment: Environment) -> None:
    if not environment.is_protected:
        return
    problem = unguarded(Outline(workflow))
    if problem:
        raise NotDeployable(f"environment '{environment.name}' is protected: {problem[0]}", hint=problem[1])
    if keys_from_environment() is None:
        raise NotDeployable(
            f"environment '{environment.name}' is protected, and this process takes its key from Prefect, where others "
            "can read it",
            hint=f"give the worker {SECRET_KEY.variable}, and nobody else",
        )
