"""What the rules over a run ask of its definition: gates that somebody can open, nothing changed unapproved. Pure."""

from collections.abc import Mapping

from prefect_wfexec.definition.model import JSON, Step, Workflow
from prefect_wfexec.definition.templates import is_deferred
from prefect_wfexec.engine.approvals.fields import required_fields
from prefect_wfexec.engine.approvals.protection import unguarded
from prefect_wfexec.engine.approvals.rules import RulesError, rules_of
from prefect_wfexec.engine.environment import Environment, NotDeployable
from prefect_wfexec.engine.outline import Outline
from prefect_wfexec.journal.keys import keys_from_environment
from prefect_wfexec.settings import SECRET_KEY
from prefect_wfexec.steps.registry import find_step_type

Policies = Mapping[str, Mapping[str, JSON]]


def gates_of(workflow: Workflow) -> list[Step]:
    """The steps that wait for a decision."""
    return [step for step in workflow.steps if find_step_type(step.uses).spec.is_gate]


def wants_others(
    workflow: Workflow, environment: Environment, policies: Policies, targets: Mapping[str, Environment]
) -> str | None:
    """The first gate that wants more than a yes of who starts the run: others, a proof, fields; None when none does."""
    for step in workflow.steps:
        target = targets.get(step.environment or "")
        if target is not None and target.is_manual and (target.policy is not None or target.is_protected):
            return step.id
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


def require_rules(workflow: Workflow, environment: Environment, policies: Policies) -> None:
    """That somebody can open each gate whose rules are known by now; the others are checked when they open.

    Raises:
        NotDeployable: nobody can open one.
    """
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


def require_protection(outline: Outline, environment: Environment) -> None:
    """That nothing changes in a protected environment without a gate, by a process whose key others can't read.

    Raises:
        NotDeployable: it would.
    """
    if not environment.is_protected:
        return
    problem = unguarded(outline)
    if problem:
        raise NotDeployable(f"environment '{environment.name}' is protected: {problem[0]}", hint=problem[1])
    _require_key(environment)


def require_targets(outline: Outline, targets: Mapping[str, Environment]) -> list[NotDeployable]:
    """What the environments that deploy steps go through ask for, and is not there."""
    found = []
    for name, environment in targets.items():
        deployments = [step.id for step in outline.deployments if step.environment == name]
        try:
            _require_target(outline, environment, deployments)
        except NotDeployable as fault:
            found.append(fault)
    return found


def _require_target(outline: Outline, environment: Environment, deployments: list[str]) -> None:
    if environment.is_manual:
        policies = [environment.policy] if environment.policy is not None else []
        try:
            rules_of({}, policies, is_protected=environment.is_protected)
        except RulesError as error:
            words = f"a deployment to environment '{environment.name}' can't be approved by anybody: {error.message}"
            raise NotDeployable(words, hint=error.hint) from None
    if not environment.is_protected:
        return
    asks_itself = environment.is_manual or not deployments
    problem = None if asks_itself else unguarded(outline, deployments)
    if problem:
        raise NotDeployable(f"environment '{environment.name}' is protected: {problem[0]}", hint=problem[1])
    _require_key(environment)


def _require_key(environment: Environment) -> None:
    if keys_from_environment() is None:
        raise NotDeployable(
            f"environment '{environment.name}' is protected, and this process takes its key from Prefect, where others "
            "can read it",
            hint=f"give the worker {SECRET_KEY.variable}, and nobody else",
        )
