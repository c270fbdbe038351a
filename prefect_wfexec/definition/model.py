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
class Instance:
    """Which one this is of the steps that a `matrix` or `environments` makes of one.

    Attributes:
        of: The id of the step in the definition.
        key: What tells it from the others: `eu`, `eu,1`, or the environment's name. Its id is `of[key]`.
        matrix: Its values.
        environment: The environment it deploys to.
    """

    of: str
    key: str
    matrix: Mapping[str, JSON] = field(default_factory=dict)
    environment: str | None = None

    @property
    def id(self) -> str:
        """Its id among the steps of a run."""
        return f"{self.of}[{self.key}]"


@dataclass(frozen=True, slots=True)
class Step:
    """One step. `needs` is resolved: the step above it unless the definition says otherwise.

    A step with a `matrix` or `environments` is as many steps in a run, each with its `instance`.
    """

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
    instance: Instance | None = None

    @property
    def environment(self) -> str | None:
        """The environment this instance deploys to; None for any other step."""
        return self.instance.environment if self.instance is not None else None


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
    instances: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The ids of what a run makes of its steps with a `matrix` or `environments`, by the id in the definition."""
    matrix_inputs: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """The inputs that say how many instances a step has, by the id in the definition."""

    def step(self, step_id: str) -> Step:
        """The step with this id.

        Raises:
            KeyError: there is none.
        """
        for step in self.steps:
            if step.id == step_id:
                return step
        raise KeyError(step_id)

    def steps_named(self, name: str) -> tuple[str, ...]:
        """The ids of the steps that a name means: the step itself, or all its instances; none when there is none."""
        if name in self.instances:
            return self.instances[name]
        return (name,) if any(step.id == name for step in self.steps) else ()
