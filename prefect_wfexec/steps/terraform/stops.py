"""How terraform is stopped, and what to say of a command that was."""

from prefect_wfexec.definition.durations import format_duration, parse_duration
from prefect_wfexec.errors import StepFailed, StepStopped, UsageError
from prefect_wfexec.runtime.command import StopPolicy
from prefect_wfexec.settings import STOP_TIMEOUT
from prefect_wfexec.steps.terraform.diagnostics import describe
from prefect_wfexec.steps.terraform.listening import Finished
from prefect_wfexec.steps.terraform.summaries import done_summary

UNKNOWN = "outcome_unknown"
KILLED_NOTE = (
    "what it was changing may exist without standing in the state, and a state lock may be left: look at both before "
    "anything runs again"
)
LOCK_NOTE = "a state lock may be left: look for one before anything runs again"


def stop_policy() -> StopPolicy:
    """One SIGINT, the time to save the state, then SIGKILL; SIGTERM would end the provider plugins first.

    Raises:
        StepFailed: the setting is no duration (`type="bad_setting"`).
    """
    try:
        return StopPolicy(interrupt_seconds=parse_duration(STOP_TIMEOUT.read()), terminate_seconds=None)
    except UsageError as error:
        raise StepFailed(
            f"{STOP_TIMEOUT.variable}: {error.message}", type="bad_setting", hint=error.hint, retryable=False
        ) from None


def was_killed(finished: Finished) -> bool:
    """Whether it got the last signal, and ended by none of its own doing."""
    return "SIGKILL" in finished.result.signals_sent and finished.exit_code is None


def killed_reading() -> StepStopped:
    """What to tell of a command that changes nothing and had to be killed."""
    return StepStopped(f"terraform {_killed()}: {LOCK_NOTE}", type="stopped")


def stopped_changing(finished: Finished, doing: str, notes: tuple[str, ...]) -> StepStopped:
    """What is known of a command that changes infrastructure and was stopped, by us or by somebody else.

    It may never simply run again.

    Args:
        finished: How it ended.
        doing: The terraform command.
        notes: What a person must know besides.
    """
    done = done_summary(finished.done)
    is_unknown = not finished.ended_in_order
    parts = [_ending(finished, doing, done if any(finished.done.values()) else "nothing was done"), *notes]
    if finished.exit_code and finished.errors:
        parts.append(describe(finished.errors))
    return StepStopped(
        "\n\n".join(parts),
        type=UNKNOWN if is_unknown else "stopped",
        # An exit code says that the command was seen to end in order.
        exit_code=None if is_unknown else finished.exit_code,
        retryable=False,
        outputs={"counts": finished.done, "summary": done},
    )


def _ending(finished: Finished, doing: str, done: str) -> str:
    if not finished.ended_in_order:
        return f"terraform {doing} {_without_order(finished)}; until then: {done}. {_sentence(KILLED_NOTE)}"
    if finished.exit_code == 0:
        return f"terraform {doing} was told to stop and came to its end all the same: {done}"
    return f"terraform {doing} was told to stop and did, in order; until then: {done}"


def _without_order(finished: Finished) -> str:
    """What ended a command that did not end by itself; the system, too, kills what takes more memory than there is."""
    if was_killed(finished):
        return _killed()
    result, told = finished.result, "was told to stop and " if finished.result.signals_sent else ""
    if result.signal is not None:
        whose = "" if result.signals_sent else ", which was not this run's"
        return f"{told}was ended by signal {result.signal}{whose}"
    if finished.exit_code is not None:
        return f"{told}broke down with exit code {finished.exit_code}"
    return f"{told}ended in a way that nobody saw"


def _killed() -> str:
    seconds = stop_policy().interrupt_seconds
    return f"was told to stop, did not within {format_duration(seconds)}, and was killed"


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:]
