"""What a run is, folded from its journal: plain frozen data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, get_args

from prefect_wfexec.journal.facts import Actor
from prefect_wfexec.status import RunStatus, StepStatus

JSON = Any
APPROVE_OR_REJECT = ("approve", "reject")
SkipCause = Literal["condition", "when", "optional", "manual", "upstream"]
SKIP_CAUSES: frozenset[SkipCause] = frozenset(get_args(SkipCause))


@dataclass(frozen=True, slots=True)
class StepFault:
    """Why a step failed, as the JSON contract shows it."""

    type: str
    message: str
    exit_code: int | None = None
    tail: str = ""

    def as_json(self) -> dict[str, JSON]:
        return {"type": self.type, "message": self.message, "exit_code": self.exit_code, "tail": self.tail}

    @classmethod
    def from_json(cls, value: Mapping[str, JSON]) -> "StepFault":
        return cls(
            type=str(value.get("type", "failed")),
            message=str(value.get("message", "")),
            exit_code=value.get("exit_code"),
            tail=str(value.get("tail", "")),
        )


@dataclass(frozen=True, slots=True)
class Attempt:
    """One run of a step that ended; `log` is where its whole log is kept."""

    number: int
    started: datetime
    ended: datetime
    status: StepStatus
    fault: StepFault | None = None
    log: tuple[JSON, ...] = ()


@dataclass(frozen=True, slots=True)
class StepState:
    """What a step is doing. Times are those of the step's latest attempt, `first_started` that of its first."""

    id: str
    status: StepStatus = StepStatus.PENDING
    attempt: int = 0
    engine: str = ""
    first_started: datetime | None = None
    started: datetime | None = None
    ended: datetime | None = None
    retry_at: datetime | None = None
    asks: bool = False
    """Whether it has failed, and what becomes of it is to be decided."""
    summary: str = ""
    reason: str = ""
    skip_cause: SkipCause | None = None
    fault: StepFault | None = None
    outputs: Mapping[str, JSON] = field(default_factory=dict)
    outputs_ref: JSON = None
    reports: tuple[Mapping[str, JSON], ...] = ()
    """The files that its latest attempt left to be kept: name, kind, size, and the blob that holds each."""
    local: tuple[tuple[str, ...], ...] = ()
    """Where in the outputs a path in the run's folder stands, in its portable form."""
    artifacts: Mapping[str, JSON] | None = None
    """What is kept of its files: how many, where they stand, and the blob that lists them."""
    claims: frozenset[str] = frozenset()
    attempts: tuple[Attempt, ...] = ()
    attempts_before: int = 0
    """How many attempts were made before the run was last opened again: the step's own retries count from there."""
    active_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Decision:
    """One decision on a gate that counts; `fields` is what was filled in beside it."""

    decision: str
    by: Actor
    comment: str
    at: datetime
    fields: Mapping[str, JSON] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Notice:
    """One message about a gate: whether it was sent, why not, and where it is, for one that can be changed later."""

    key: str
    at: datetime
    error: str = ""
    tries: int = 1
    place: Mapping[str, JSON] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Gate:
    """A step that waits, or waited, for a decision. `outcome` is empty while it is open.

    Attributes:
        choices: What may be decided.
        approvers: Who may decide; empty: anyone.
        is_governed: Whether who decides has to be one of them, and to prove it.
        allow_self: Whether who started the run may approve.
        fields: What the form asks beside the decision, by name.
        hold: Seconds a process waits before it leaves, None for the setting's.
        notify: Whom to tell.
        reuse: Whether this approval may cover a later plan.
        news: What is new since an earlier approval, when there was one that does not cover this.
        covered_by: The generation whose approval covers this one.
        environment: The environment that the step deploys to once this is decided; empty for a gate that is a step, or
            that asks about one that failed.
        attempt: How many attempts the step had made when the gate was opened.
        is_past: Whether the step was reset since: what was decided is not about what it does next.
        answers: How many times a form of this gate was filled in, whatever came of it.
        refusal: Why the last of them was refused, empty when it was not.
        wrong_codes: How many codes were typed that are none.
        burnt: How many of a person's codes were seen by others without being used, by person.
        notices: What was sent about the gate, by key.
    """

    step: str
    generation: int
    opened: datetime
    message: str
    subject_digest: str
    subject: JSON = None
    choices: tuple[str, ...] = APPROVE_OR_REJECT
    quorum: int = 1
    approvers: tuple[str, ...] = ()
    is_governed: bool = False
    allow_self: bool = True
    expires: datetime | None = None
    on_expire: Literal["reject", "fail", "cancel"] = "reject"
    fields: Mapping[str, Mapping[str, JSON]] = field(default_factory=dict)
    hold: float | None = None
    notify: tuple[Mapping[str, JSON], ...] = ()
    reuse: bool = True
    news: tuple[str, ...] = ()
    covered_by: int | None = None
    environment: str = ""
    attempt: int = 0
    is_past: bool = False
    decisions: tuple[Decision, ...] = ()
    outcome: str = ""
    closed: datetime | None = None
    reason: str = ""
    answers: int = 0
    refusal: str = ""
    wrong_codes: int = 0
    burnt: Mapping[str, int] = field(default_factory=dict)
    notices: Mapping[str, Notice] = field(default_factory=dict)

    @property
    def is_open(self) -> bool:
        return not self.outcome

    @property
    def only_triggers(self) -> bool:
        """Whether it waits for no more than that somebody triggers a deployment."""
        return bool(self.environment) and not self.is_governed

    @property
    def approvals(self) -> tuple[Decision, ...]:
        """Who has approved, in their order."""
        return tuple(found for found in self.decisions if found.decision == self.choices[0])


@dataclass(frozen=True, slots=True)
class Opened:
    """What the run was opened with; every engine that enters runs exactly this."""

    at: datetime
    definition: str
    digest: str
    workflow: str
    path: str
    folder: str
    inputs: Mapping[str, JSON]
    trigger: Mapping[str, JSON]
    triggered_by: str
    user: str | None
    run_name: str
    cleanup: Mapping[str, JSON] = field(default_factory=dict)
    """Whose cleanup the run is, `of`, and what that is to take away; empty for any other run."""


@dataclass(frozen=True, slots=True)
class Target:
    """An environment that a deploy step goes through, as its block was read.

    Attributes:
        environment: What expressions of the step's instance see.
        is_protected: Whether nothing changes there without an approval by named people.
        is_manual: Whether a deployment waits until somebody says that it goes on.
        policy: Who may say so, and how; None: anybody.
    """

    environment: Mapping[str, JSON]
    is_protected: bool = False
    is_manual: bool = False
    policy: Mapping[str, JSON] | None = None

    def as_json(self) -> dict[str, JSON]:
        found: dict[str, JSON] = {
            "environment": dict(self.environment),
            "is_protected": self.is_protected,
            "is_manual": self.is_manual,
        }
        return found if self.policy is None else {**found, "policy": dict(self.policy)}

    @classmethod
    def from_json(cls, value: Mapping[str, JSON]) -> "Target":
        policy = value.get("policy")
        return cls(
            environment=dict(value.get("environment") or {}),
            is_protected=bool(value.get("is_protected", True)),
            is_manual=bool(value.get("is_manual", True)),
            policy=None if policy is None else dict(policy),
        )


@dataclass(frozen=True, slots=True)
class Validation:
    """What was found before the first step, and holds for the whole run.

    Attributes:
        environment: What expressions see of the target environment.
        problems: Why the run can't go on, if it can't; each with its mend.
        is_protected: Whether nothing changes there without an approval by named people.
        policy: The environment's rules for gates, if it has some.
        policies: The rules that gates name, by name.
        lock: The key of the lock the run holds from its first step to its end; empty when it needs none.
        targets: The environments its deploy steps go through, by name.
    """

    environment: Mapping[str, JSON]
    problems: tuple[str, ...] = ()
    is_protected: bool = False
    policy: Mapping[str, JSON] | None = None
    policies: Mapping[str, Mapping[str, JSON]] = field(default_factory=dict)
    lock: str = ""
    targets: Mapping[str, Target] = field(default_factory=dict)

    @property
    def problem(self) -> str:
        """All that keeps the run from going on, in one line; empty when nothing does."""
        return "; ".join(self.problems)


@dataclass(frozen=True, slots=True)
class LockPlace:
    """How a run stands to its lock, as its own journal says it; the lock's journal decides.

    Attributes:
        key: The lock.
        status: Whether the run waits for it, has it, or had it and lost it.
        number: The fencing number it was given with, 0 while the run waits.
        holder: Who has it, while the run waits; empty when nobody has.
        since: Since when.
        ahead: How many others come first, the holder among them.
        reason: Why it was lost.
    """

    key: str
    status: Literal["waiting", "held", "lost"]
    number: int = 0
    holder: str = ""
    since: datetime | None = None
    ahead: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Cleanup:
    """The run that takes away what this one has made; `status` is None until it has ended.

    Attributes:
        run: Its id.
        name: Its name.
        plan: What it is to take away.
        started: When it was made.
        status: How it ended.
        reason: Why it did not succeed.
        left: What it saw that is still there.
    """

    run: str
    name: str
    plan: Mapping[str, JSON]
    started: datetime
    status: RunStatus | None = None
    reason: str = ""
    left: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Closed:
    """How the run ended."""

    at: datetime
    status: RunStatus
    reason: str
    outputs: JSON = None
    outputs_ref: JSON = None


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """A process that entered the run; `left` once it said that it leaves."""

    id: str
    number: int
    at: datetime
    host: str
    pid: int
    pid_started: str
    last_fact: datetime
    left: bool = False


@dataclass(frozen=True, slots=True)
class Request:
    """Something a person or system asked of the run and no engine answered yet."""

    id: str
    what: str
    data: Mapping[str, JSON]
    actor: Actor
    at: datetime


@dataclass(frozen=True, slots=True)
class ExecutionState:
    """Everything a journal says, folded."""

    opened: Opened | None = None
    validation: Validation | None = None
    lock: LockPlace | None = None
    closed: Closed | None = None
    steps: Mapping[str, StepState] = field(default_factory=dict)
    gates: tuple[Gate, ...] = ()
    engines: tuple[EngineInfo, ...] = ()
    requests: Mapping[str, Request] = field(default_factory=dict)
    cancel: Request | None = None
    cleanup: Cleanup | None = None
    segments: tuple[tuple[datetime, datetime | None], ...] = ()
    retries: frozenset[str] = frozenset()
    """What asked for the steps that were reset so far: ids of requests, and of Prefect's states."""
    failed: frozenset[str] = frozenset()
    last_fact: datetime | None = None

    @property
    def engine(self) -> EngineInfo | None:
        """The engine that runs the run now: the newest that entered."""
        return self.engines[-1] if self.engines else None

    @property
    def lacks_lock(self) -> bool:
        """Whether the run needs a lock that it has not had yet: none of its steps may start."""
        is_needed = self.validation is not None and bool(self.validation.lock)
        return is_needed and (self.lock is None or self.lock.status == "waiting")

    def step(self, step_id: str) -> StepState:
        """The state of a step, Pending when the journal does not speak of it."""
        return self.steps.get(step_id) or StepState(step_id)

    def target(self, environment: str | None) -> Target | None:
        """The environment of this name that a deploy step goes through, as it was read before the first step."""
        if environment is None or self.validation is None:
            return None
        return self.validation.targets.get(environment)

    def open_gate(self, step_id: str) -> Gate | None:
        """The open gate of a step, if there is one."""
        for gate in reversed(self.gates):
            if gate.step == step_id:
                return gate if gate.is_open else None
        return None

    @property
    def open_gates(self) -> tuple[Gate, ...]:
        return tuple(gate for gate in self.gates if gate.is_open)

    def active_seconds(self, now: datetime) -> float:
        """How long the run was active, in seconds: idle time between an end and a retry left out."""
        return sum(max(0.0, ((end or now) - start).total_seconds()) for start, end in self.segments)
