"""Validation, the first step of a pipeline: all that stands in its way, each with its mend, before anything is done."""

import asyncio
import hashlib
import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prefect_wfexec.definition.expressions import ExpressionError, evaluate_condition, references, render
from prefect_wfexec.definition.model import JSON, Step
from prefect_wfexec.engine.saved_documents import missing_block, missing_secret
from prefect_wfexec.engine.scope import Scopes
from prefect_wfexec.errors import StepFailed, WfexecError, join_names, one_line
from prefect_wfexec.journal.journal import Journal
from prefect_wfexec.journal.state import ExecutionState
from prefect_wfexec.steps.base import StepContext, StepResult, StepType
from prefect_wfexec.steps.checking import CheckContext, Problem
from prefect_wfexec.steps.registry import find_step_type
from prefect_wfexec.steps.validation import Validation

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient

FAULT = "invalid"
"""The error type of a run that was found to lack something."""
LONGEST_CHECK_SECONDS = 60.0
MOST_AT_ONCE = 8
_LATER = frozenset({"steps", "secrets", "run"})
"""What is not known before the first step, or is shown to nobody."""


def validation_type(scopes: Scopes, journal: Journal, client: "PrefectClient") -> type[StepType]:
    """The step type that validates one run."""

    class Validating(Validation):
        async def run(self, context: StepContext) -> StepResult:
            return await _validate(context, scopes, journal.state, client)

    return Validating


async def _validate(context: StepContext, scopes: Scopes, state: ExecutionState, client: "PrefectClient") -> StepResult:
    steps = [step for step in scopes.workflow.steps if step is not scopes.outline.validation]
    found = list(state.validation.problems) if state.validation is not None else []
    looks = [_Look(step, scopes, state, context, client) for step in steps]
    several = asyncio.Semaphore(MOST_AT_ONCE)

    async def look_at(look: _Look) -> list[Problem]:
        async with several:
            return await look.problems()

    for look, problems in zip(looks, await asyncio.gather(*map(look_at, looks)), strict=True):
        found += [f"step '{look.step.id}': {_in_words(problem)}" for problem in problems]
    faults = _once(found)
    for fault in faults:
        context.log.stderr(fault)
    if faults:
        raise StepFailed(_all_in_words(faults), type=FAULT, retryable=False, hint=None)
    summary = f"{len(steps)} steps looked at" + _environments(state)
    context.log.system(summary)
    return StepResult(summary=summary)


def _environments(state: ExecutionState) -> str:
    names = list(state.validation.targets) if state.validation is not None else []
    if not names:
        return ""
    return f", {join_names(names)} {'is' if len(names) == 1 else 'are'} active"


def _once(faults: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(" ".join(fault.split()) for fault in faults))


def _all_in_words(faults: list[str]) -> str:
    if len(faults) == 1:
        return faults[0]
    return "\n".join([f"{len(faults)} faults stand in the way:", *(f"- {fault}" for fault in faults)])


def _in_words(problem: Problem) -> str:
    return f"{problem.message}; {problem.hint}" if problem.hint else problem.message


@dataclass(frozen=True, slots=True)
class _Look:
    """One step looked at before any has started."""

    step: Step
    scopes: Scopes
    state: ExecutionState
    context: StepContext
    client: "PrefectClient"

    async def problems(self) -> list[Problem]:
        """What stands in the way of the step; nothing when it is known that it does not run."""
        try:
            if not self._may_run():
                return []
            known, env = self._known(self.step.env), self.step.env
            variables = {name: str(known[name]) for name in env if name in known}
            with_ = self._known(self.step.with_, variables)
        except ExpressionError as error:
            return [Problem(error.message, error.hint or "")]
        kind = find_step_type(self.step.uses)
        return [
            *_missing_tools(kind, variables),
            *await self._missing_blocks(kind, with_),
            *await self._missing_secrets(),
            *await self._checked(kind, with_, variables),
        ]

    @property
    def _unknown(self) -> frozenset[str]:
        """The roots that can't be worked out by now; an environment that could not be read is told apart."""
        is_read = self.state.validation is not None and bool(self.state.validation.environment)
        if self.step.environment is not None:
            is_read = self.state.target(self.step.environment) is not None
        is_wanted = self.step.environment is not None or self.scopes.workflow.environment is not None
        return _LATER | {"environment"} if is_wanted and not is_read else _LATER

    def _may_run(self) -> bool:
        condition = self.step.if_
        if condition is None or references(condition, is_expression=True).roots & self._unknown:
            return True
        scope = self.scopes.scope(self.state, condition, self.step, is_expression=True)
        return evaluate_condition(condition, scope)

    def _known(self, values: Mapping[str, JSON], env: Mapping[str, str] | None = None) -> dict[str, JSON]:
        """The values that depend on nothing still to come."""
        scope = {**self.scopes.scope(self.state, {}, self.step), "env": dict(env or {})}
        found: dict[str, JSON] = {}
        for key, value in values.items():
            named = references(value)
            variables = [one.path[:1] for one in named.all if one.root == "env"]
            lacks_variable = any(not name or name[0] not in scope["env"] for name in variables)
            if not named.roots & self._unknown and not lacks_variable:
                found[key] = render(value, scope)
        return found

    async def _missing_blocks(self, kind: type[StepType], with_: Mapping[str, JSON]) -> list[Problem]:
        found: list[Problem] = []
        fields = kind.Inputs.model_fields
        for use in kind.blocks:
            default = fields[use.key].default if use.key in fields else None
            name = with_.get(use.key, None if use.key in self.step.with_ else default)
            is_needed = not (use.unless and with_.get(use.unless) is True)
            if isinstance(name, str) and name and is_needed:
                problem = await missing_block(self.client, name, use)
                found += [problem] if problem else []
        return found

    async def _missing_secrets(self) -> list[Problem]:
        names = references({"with": dict(self.step.with_), "env": dict(self.step.env)}).secrets
        found = [await missing_secret(self.client, name) for name in sorted(names)]
        return [problem for problem in found if problem is not None]

    async def _checked(self, kind: type[StepType], with_: Mapping[str, JSON], env: Mapping[str, str]) -> list[Problem]:
        """What the step type finds itself; a check that breaks, or does not end, is a fault too."""
        context = self.context
        scratch = context.scratch / hashlib.sha256(self.step.id.encode()).hexdigest()[:16]
        scratch.mkdir(mode=0o700)
        check = CheckContext(
            step=self.step,
            known=with_,
            env=env,
            run=context.run,
            folder=context.folder,
            scratch=scratch,
            command=context.command,
            log=context.log,
            masker=context.masker,
            tail=context.tail,
        )
        try:
            async with asyncio.timeout(LONGEST_CHECK_SECONDS):
                return await kind().check(check)
        except TimeoutError:
            return [Problem(f"looking at it took longer than {LONGEST_CHECK_SECONDS:g} s")]
        except WfexecError as error:
            return [Problem(context.masker.mask(one_line(error)))]
        except Exception as error:  # noqa: BLE001 - a step type's own defect must not hide what the others found
            return [Problem(context.masker.mask(f"looking at it broke: {type(error).__name__}: {error}"))]


def _missing_tools(kind: type[StepType], env: Mapping[str, str]) -> list[Problem]:
    path = env.get("PATH") or os.environ.get("PATH", os.defpath)
    missing = [group for group in kind.tools if not any(shutil.which(name, path=path) for name in group)]
    return [
        Problem(f"no program {' or '.join(repr(name) for name in group)} is on PATH", f"install {group[0]}")
        for group in missing
    ]
