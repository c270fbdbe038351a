"""What a person typed: the shapes of the YAML file, used to check it and to print its JSON Schema.

Everything is optional here; what is required is checked apart, so that one fault does not hide another.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from prefect_wfexec.definition.durations import Duration

NAME_PATTERN = r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$"
ID_PATTERN = r"^[a-z][a-z0-9_]*$"
TRIGGER_ID_PATTERN = r"^[a-z][a-z0-9]*([_-][a-z0-9]+)*$"
INPUT_PATTERN = r"^[A-Za-z][A-Za-z0-9_]*$"
VARIABLE_PATTERN = r"^[A-Za-z_][A-Za-z0-9_]*$"
ERROR_TYPE_PATTERN = r"^[a-z][a-z0-9_]*$"

PHASES = ("source", "pre_build", "build", "post_build", "push", "post_push", "deploy", "post_deploy")
DEPLOY_PHASE = "deploy"
VALIDATION = "validation"
"""The phase before the first, its only step, and that step's type: every pipeline begins with it."""

InputTypeWord = Literal["string", "integer", "number", "boolean", "array", "object"]
WhenWord = Literal["success", "failure", "always", "cancelled"]
OnFailureWord = Literal["fail", "continue", "ask"]
ApprovalWord = Literal["required", "automatic"]
CancelWord = Literal["stop", "cleanup"]
ConflictWord = Literal["queue", "cancel_new", "cancel_running"]

Text = str
Id = Annotated[str, Field(min_length=1)]
JsonValue = Any


class Raw(BaseModel):
    """Base of every shape: no unknown keys, no conversions."""

    model_config = ConfigDict(extra="forbid", strict=True)


class RawInput(Raw):
    """A parameter of the workflow; without a default it is required."""

    type: InputTypeWord = Field("string", description="What kind of value it takes.")
    description: Text = Field("", description="What it is for; shown in the run form.")
    enum: list[JsonValue] = Field(default_factory=list, description="The values it may have.")
    default: JsonValue = Field(None, description="Its value when none is given; without one the input is required.")
    pattern: Text = Field("", description="A regular expression that the whole text must match.")


class RawRetry(Raw):
    """How a failed step is tried again."""

    attempts: Annotated[int, Field(ge=1, le=50)] = Field(
        1, description="How often the step runs at most, the first included."
    )
    delay: Annotated[Duration, Field(le=86400)] = Field(0.0, description="How long to wait before the second attempt.")
    backoff: Annotated[float, Field(ge=1, le=10)] = Field(1.0, description="What each further delay is multiplied by.")
    on: list[Annotated[str, Field(pattern=ERROR_TYPE_PATTERN)]] = Field(
        default_factory=list, description="The kinds of failure to try again after; all that may be, when empty."
    )


class RawCleanup(Raw):
    """What undoes a step."""

    uses: Text = Field("", description="The step type that undoes it, e.g. terraform.destroy.")
    with_: dict[str, JsonValue] | None = Field(
        None, alias="with", description="Its values; taken from the step when left out."
    )
    approval: ApprovalWord = Field("automatic", description="Whether somebody approves before it runs.")


class RawCleanupRules(Raw):
    """How what a cancelled run has made is taken away; what is left out stands in the policy."""

    policy: Text = Field("", min_length=1, description="The Cleanup Policy block that holds the rest.")
    approval: ApprovalWord = Field("automatic", description="Whether somebody approves before anything is taken away.")
    attempts: int = Field(3, ge=1, le=20, description="How often each cleanup is tried.")
    delay: Duration = Field(10.0, description="How long to wait before it is tried again; doubled each time.")


class RawConcurrency(Raw):
    """A lock held from the first step to the end, through approvals."""

    key: Text = Field("", min_length=1, description="Runs with the same key wait for each other.")
    on_conflict: ConflictWord = Field("queue", description="What a run does that finds the lock held.")


Env = dict[Annotated[str, Field(pattern=VARIABLE_PATTERN)], str | int | float | bool]


class RawDefaults(Raw):
    """Values for every step that does not set its own."""

    timeout: Duration = Field(0.0, description="How long a step may take; gates have no default timeout.")
    retry: RawRetry = Field(
        default_factory=RawRetry, description="For steps that change no infrastructure and are no gates."
    )
    env: Env = Field(default_factory=dict, description="Environment variables of every step.")
    allow_skip: bool = Field(default=False, description="Whether a person may skip a step.")
    on_failure: OnFailureWord = Field("fail", description="What a failed step means for the run.")


class RawStep(Raw):
    """One step."""

    id: Text = Field("", description="Its name in expressions.", json_schema_extra={"pattern": ID_PATTERN})
    name: Text = Field(
        "", min_length=1, max_length=200, description="Its name in lists; made from the id when left out."
    )
    uses: Text = Field("", description="The step type.")
    with_: dict[str, JsonValue] = Field(default_factory=dict, alias="with", description="The step type's values.")
    run: Text = Field("", description="A shell script; values reach it through env.")
    env: Env = Field(default_factory=dict, description="Environment variables of this step.")
    needs: list[Text] | Text = Field(
        default_factory=list, description="The steps that end before this one starts; the step above when left out."
    )
    if_: Text | bool = Field(
        default=True, alias="if", description="An expression; when it is false the step is skipped."
    )
    when: WhenWord = Field("success", description="After which outcome of the steps above it runs.")
    timeout: Duration = Field(0.0, description="How long it may take.")
    retry: RawRetry = Field(default_factory=RawRetry, description="How it is tried again.")
    allow_skip: bool = Field(default=False, description="Whether a person may skip it when it failed.")
    on_failure: OnFailureWord = Field("fail", description="What its failure means for the run.")
    cleanup: RawCleanup = Field(default_factory=RawCleanup, description="What undoes it.")
    outputs: dict[str, JsonValue] = Field(default_factory=dict, description="Its outputs when it is skipped by hand.")
    artifacts: list[Annotated[str, Field(min_length=1, max_length=200)]] = Field(
        default_factory=list,
        max_length=50,
        description="Files, as paths or patterns, that are kept when it succeeds and are there for later steps on any "
        "machine; they start where the step runs, or with $WFEXEC_WORKSPACE/ in the run's folder.",
    )
    matrix: dict[Annotated[str, Field(pattern=ID_PATTERN)], list[JsonValue] | Text] = Field(
        default_factory=dict, description="Run the step once for each combination of these values."
    )
    environments: list[Annotated[str, Field(min_length=1)]] = Field(
        default_factory=list, description="Deploy to each of these in turn."
    )


class RawWorkflow(Raw):
    """A workflow."""

    version: Literal[1] = Field(1, description="The version of the language.")
    name: Text = Field(
        "", description="The workflow's name.", json_schema_extra={"pattern": NAME_PATTERN, "maxLength": 100}
    )
    description: Text = Field("", description="What it does.")
    inputs: dict[str, JsonValue] = Field(default_factory=dict, description="Its parameters.")
    environment: Text = Field("", min_length=1, description="The Target Environment block whose protection rules hold.")
    concurrency: JsonValue = Field(None, description="A lock for the whole run.")
    on_cancel: CancelWord = Field("stop", description="What cancelling a run in Prefect's UI does.")
    cleanup: JsonValue = Field(None, description="How what a cancelled run has made is taken away.")
    triggers: list[JsonValue] = Field(default_factory=list, description="What starts it.")
    defaults: JsonValue = Field(None, description="Values for every step.")
    steps: list[JsonValue] = Field(default_factory=list, description="Its steps, in order.")
    phases: dict[str, JsonValue] = Field(default_factory=dict, description="Its steps by phase, instead of 'steps'.")
    outputs: dict[str, JsonValue] = Field(default_factory=dict, description="What a run gives.")
