"""The frozen Workflow: what the program trusts after every diagnostic is settled.

Nothing here is user input as typed: ids are unique, `needs` is resolved, durations are seconds, expressions compile.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

JSON = Any
"""A JSON value: None, bool, int, float, str, list or dict with str keys."""

When = Literal["success", "failure", "always", "cancelled"]
OnFailure = Literal["fail", "continue", "ask"]
InputType = Literal["string", "integer", "number", "boolean", "array", "object"]


@dataclass(frozen=True, slots=True)
class Input:
    """A parameter of the workflow; without `default` it is required."""

    name: str
    type: InputType
    description: str = ""
    enum: tuple[JSON, ...] = ()
    default: JSON = None
    required: bool = True
    pattern: str | None = None


@dataclass(frozen=True, slots=True)
class Retry:
    """How a failed step is tried again.

    `attempts` counts every run of the step, the first included. The delay before attempt n+1 is
    `delay_seconds * backoff ** (n - 1)`. An empty `on` means every failure that may be retried.
    """

    attempts: int = 1
    delay_seconds: float = 0.0
    backoff: float = 1.0
    on: tuple[str, ...] = ()
    takes_any: bool = False
    """Whether also a failure is tried again that otherwise would not be: a cleanup takes away what is left."""


@dataclass(frozen=True, slots=True)
class Cleanup:
    """What undoes a step: a step type and its `with` (None: taken from the step's plan)."""

    uses: str
    with_: Mapping[str, JSON] | None = None
    needs_approval: bool = False


@dataclass(frozen=True, slots=True)
class CleanupRules:
    """How what a cancelled run has made is taken away; None: as the policy, or else the default, says."""

    policy: str | None = None
    needs_approval: bool | None = None
    attempts: int | None = None
    delay_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One step. `needs` is resolved: the step above it unless the definition says otherwise."""

    id: str
    name: str
    uses: str
    with_: Mapping[str, JSON] = field(default_factory=dict)
    run: str | None = None
    env: Mapping[str, JSON] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    if_: str | None = None
    when: When = "success"
    timeout_seconds: float | None = None
    retry: Retry = Retry()
    allow_skip: bool = False
    on_failure: OnFailure = "fail"
    cleanup: Cleanup | None = None
    outputs: Mapping[str, JSON] | None = None
    artifacts: tuple[str, ...] = ()
    """Patterns of the files that are kept when it succeeds, for later steps on any machine."""
    matrix: Mapping[str, JSON] | None = None
    environments: tuple[str, ...] = ()
    phase: str | None = None
    line: int = 0


@dataclass(frozen=True, slots=True)
class Concurrency:
    """A lock held from the first step to the end."""

    key: str
    on_conflict: Literal["queue", "cancel_new", "cancel_running"] = "queue"


@dataclass(frozen=True, slots=True)
class Trigger:
    """Something that starts the workflow; `options` are the keys of its type."""

    id: str
    type: str
    options: Mapping[str, JSON] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Workflow:
    """A definition that compiled."""

    name: str
    steps: tuple[Step, ...]
    version: int = 1
    description: str = ""
    inputs: tuple[Input, ...] = ()
    environment: str | None = None
    concurrency: Concurrency | None = None
    on_cancel: Literal["stop", "cleanup"] | None = None
    cleanup: CleanupRules = CleanupRules()
    is_cleanup: bool = False
    """Whether it takes away what another run has made: made of that run's definition, never read."""
    triggers: tuple[Trigger, ...] = ()
    outputs: Mapping[str, JSON] = field(default_factory=dict)
    text: str = ""
    """The definition as it was read: what `opened` pins."""
    digest: str = ""
    """sha256 of `text`, hexadecimal."""
    path: Path | None = None
    """The file it was read from; its folder is where relative paths start."""

    def step(self, step_id: str) -> Step:
        """The step with this id.

        Raises:
            KeyError: there is none.
        """
        for step in self.steps:
            if step.id == step_id:
                return step
        raise KeyError(step_id)
