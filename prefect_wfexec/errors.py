"""The errors this package raises.

    WfexecError                       anything a person is told in one line, with the mend
    ├── UsageError                    wrong use or a refused request (exit 2)
    │   ├── DefinitionError           a definition that does not compile, with every diagnostic (definition.diagnostics)
    │   ├── DurationError             a text that is no length of time (definition.durations)
    │   ├── CannotReset               what was asked of a run that has ended can't be done (engine.reset)
    │   ├── TokensFileError           the file of who may use the gateway can't be used (gateway.signin.people)
    │   └── EnvironmentVariableError  a variable that no process can be given (runtime.environment)
    ├── Unreachable                   Prefect's API does not answer (exit 5)
    ├── EngineError                   a fault of ours, of Prefect or of the machine: the run ends in Error
    │   ├── JournalError              the journal can't be read, written or trusted
    │   ├── SupervisorError           the process supervisor is gone or does not answer
    │   ├── NotDeployable             the target environment is not there or not active (engine.environment)
    │   ├── RulesError                nobody could open a gate by its rules (engine.approvals.rules)
    │   ├── Superseded                a newer engine runs the run (engine.fencing)
    │   ├── HandedOver                another run takes away what it made, and ends it (engine.fencing)
    │   └── Suspended                 the run waits, and its process leaves (engine.fencing)
    ├── StepError                     what a step says of itself
    │   ├── StepFailed                the step failed: Failed
    │   │   ├── StepStopped           it was stopped, and says how far it was: Failed or Cancelled
    │   │   ├── ClusterRefusal        an API server says no (steps.kubernetes.faults)
    │   │   └── WithError             its `with`, rendered, does not fit its step type (definition.withs)
    │   └── StepSkipped               the step has nothing to do: Skipped, with the reason
    ├── ExpressionError               an expression that can't be read or evaluated (definition.templates)
    ├── CommandNotStarted             a command that the system refuses to run (runtime.command)
    │   └── MissingProgram            its program is not there (runtime.command)
    ├── AddressRefused                an address that HTTP steps may not reach (runtime.http.addresses)
    ├── HttpFault                     an HTTP exchange that came to no answer (runtime.http)
    ├── Unverified                    a delivery that nobody has proven to be its sender's (triggers.schemes)
    ├── Unreadable                    a delivery whose content can't be used (triggers.event)
    ├── NoSecrets                     a trigger's block that is not there, or can't prove anything (triggers.secrets)
    ├── NoInputs                      a trigger whose inputs fit no run (triggers.inputs)
    ├── MissingBlock                  a block document that nobody saved (runtime.saved_blocks)
    ├── NotFound                      a file that is wanted and can't be had (runtime.finding)
    ├── NotSent                       a message about a gate that could not be sent (engine.notices.senders)
    ├── NoLink                        a link or button about a gate that opens nothing (engine.approvals.links)
    ├── NotServed                     a request that fits no route, or that none could read (gateway.answers)
    ├── RequestNotValid               a request whose parts do not fit its route (gateway.answers)
    └── Refused                       a request to the gateway that is not let in (gateway.signin.faults)
        ├── NotSignedIn               nobody is signed in, or not as the request says
        ├── NotAllowed                who is signed in may not do this
        ├── Forged                    another page may have asked
        └── TooManyTries              too many wrong tokens came from one address

In brackets: the module where one stands that does not stand here.
"""

from collections.abc import Sequence
from typing import Any, Protocol


class WfexecError(Exception):
    """A fault a person can act on.

    Args:
        message: What is wrong and where: lower case, one line.
        hint: What to do next, or None when the message says it.
        code: A short kebab-case name for the fault, stable across versions.
    """

    code = "error"

    def __init__(self, message: str, *, hint: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        if code is not None:
            self.code = code


class UsageError(WfexecError):
    """Wrong use, or a request that is refused; the command line ends with 2."""

    code = "usage"


class Unreachable(WfexecError):
    """Prefect's API does not answer; the command line ends with 5."""

    code = "unreachable"


class EngineError(WfexecError):
    """A fault of ours, of Prefect or of the machine, never of the step: the run ends in Error."""

    code = "engine"


class JournalError(EngineError):
    """The journal can't be read, written or trusted."""

    code = "journal"


class SupervisorError(EngineError):
    """The process supervisor is gone or does not answer."""

    code = "supervisor"


class StepError(WfexecError):
    """What a step says of itself, as opposed to a fault of the engine."""

    code = "step"


class ReportFile(Protocol):
    """A file that is kept with the run; see `steps.base.Report`."""

    @property
    def name(self) -> str: ...

    @property
    def kind(self) -> str: ...

    @property
    def data(self) -> bytes: ...


class Page(Protocol):
    """A page for Prefect's UI; see `steps.base.Artifact`."""

    @property
    def key(self) -> str: ...

    @property
    def markdown(self) -> str: ...

    @property
    def description(self) -> str: ...


class StepFailed(StepError):
    """The step did not do its work.

    Args:
        message: The error block a person needs: may have several lines, masked.
        type: A short snake_case word for the kind of failure, e.g. `exit_code`, `timeout`, `stale_plan`; `retry.on`
            matches it.
        exit_code: The process's exit code, when there was a process and it ended by itself.
        tail: The last lines of output, masked.
        retryable: Whether `retry` may run the step again; False when a second run could do harm.
        outputs: What the step had produced when it failed.
        reports: Files that are kept with the run all the same.
        artifacts: Pages for Prefect's UI.
    """

    code = "step-failed"

    def __init__(
        self,
        message: str,
        *,
        type: str = "failed",  # noqa: A002 - the word of the JSON contract
        exit_code: int | None = None,
        tail: str = "",
        hint: str | None = None,
        retryable: bool = True,
        outputs: dict[str, object] | None = None,
        reports: Sequence[ReportFile] = (),
        artifacts: Sequence[Page] = (),
    ) -> None:
        super().__init__(message, hint=hint)
        self.type = type
        self.exit_code = exit_code
        self.tail = tail
        self.retryable = retryable
        self.outputs = outputs or {}
        self.reports = tuple(reports)
        self.artifacts = tuple(artifacts)


class StepStopped(StepFailed):
    """The step was stopped, by its timeout or a cancel, and says how far it was.

    A step may raise it in place of the cancellation that reached it, once its work has stopped. Whether it has failed
    or was cancelled is the engine's to say; `type="outcome_unknown"` when nobody can tell what it left behind.
    """

    code = "step-stopped"


class StepSkipped(StepError):
    """The step has nothing to do and says why; dependants go on as after a step skipped by its own `if`."""

    code = "step-skipped"


def one_line(error: WfexecError) -> str:
    """The error as the command line prints it: the message, then the mend."""
    return f"{error.message}; {error.hint}" if error.hint else error.message


def error_json(error: WfexecError) -> dict[str, Any]:
    """The error as `--json` and the API tell it."""
    return {
        "code": error.code,
        "message": error.message,
        "hint": error.hint,
        "diagnostics": [diagnostic.as_json() for diagnostic in getattr(error, "diagnostics", ())],
    }


def join_names(names: Sequence[str], last: str = "and") -> str:
    """Names in quotes, for a message: `'a', 'b' and 'c'`."""
    quoted = [f"'{name}'" for name in names]
    if len(quoted) < 2:
        return "".join(quoted)
    return f"{', '.join(quoted[:-1])} {last} {quoted[-1]}"
