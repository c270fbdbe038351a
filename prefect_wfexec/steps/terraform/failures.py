"""Turns a failed terraform command into the step's error."""

from pathlib import Path

from prefect_wfexec.errors import StepFailed
from prefect_wfexec.steps.base import StepContext
from prefect_wfexec.steps.terraform.diagnostics import Diagnostic, LockHolder, describe, is_stale_plan, lock_holder
from prefect_wfexec.steps.terraform.listening import Finished

CANNOT_LOAD = "the bundled terraform can't be loaded"
INSTALL_HINT = "install terraform: the library of the extra [terraform] needs Linux with glibc 2.35 or newer"
STALE_HINT = "plan again: what was approved no longer fits the state"
EPHEMERAL_HINT = "ephemeral variables are not kept in a plan: give them to the apply step as `env: {TF_VAR_<name>: …}`"


def failure(
    context: StepContext, finished: Finished, doing: str, *, retryable: bool = True, notes: tuple[str, ...] = ()
) -> StepFailed:
    """The error for a command that did not succeed.

    Args:
        context: The step's context.
        finished: How it ended.
        doing: The terraform command, for the message.
        retryable: Whether the step may run again as it is.
        notes: What a person must know besides terraform's own words.
    """
    errors = finished.errors
    for error in errors:
        holder = lock_holder(error)
        if holder is not None:
            return _locked(context, finished, holder, retryable=retryable)
        if is_stale_plan(error):
            return _made(context, finished, [error.block(), *notes], "stale_plan", hint=STALE_HINT, retryable=False)
        if error.summary.startswith(CANNOT_LOAD):
            return _made(context, finished, [error.block()], "missing_tool", hint=INSTALL_HINT, retryable=retryable)
    parts = [describe(errors) if errors else _ending(finished, doing), *notes]
    return _made(context, finished, parts, "terraform_error", hint=_hint(errors), retryable=retryable)


def _ending(finished: Finished, doing: str) -> str:
    if finished.exit_code is None and finished.result.signal is not None:
        return f"terraform {doing} was ended by signal {finished.result.signal}"
    if finished.exit_code is None:
        return f"terraform {doing} ended in an unknown way"
    return f"terraform {doing} ended with exit code {finished.exit_code} and said no reason"


def _locked(context: StepContext, finished: Finished, holder: LockHolder, *, retryable: bool) -> StepFailed:
    by = f" by {holder.who}" if holder.who else ""
    since = f" since {holder.created} UTC" if holder.created else ""
    parts = [("operation", holder.operation), ("path", holder.path), ("lock", holder.id)]
    known = ", ".join(f"{name} {value}" for name, value in parts if value)
    unknown = "" if holder.who else "; its backend does not tell who holds the lock"
    return _made(
        context,
        finished,
        [f"the terraform state is locked{by}{since}" + (f" ({known})" if known else "") + unknown],
        "state_locked",
        hint="wait for that operation to end and try again, or set `lock_timeout` and a workflow `concurrency` key; "
        "only when its process is gone for certain, release the lock by hand with `terraform force-unlock`",
        retryable=retryable,
    )


def _hint(errors: list[Diagnostic]) -> str | None:
    if any("ephemeral input variable" in error.detail for error in errors):
        return EPHEMERAL_HINT
    if any(error.summary == "No value for required variable" for error in errors):
        return "give it in `vars`, in a file of `var_files`, or as TF_VAR_<name> in `env`"
    return None


def _made(
    context: StepContext, finished: Finished, parts: list[str], kind: str, *, hint: str | None, retryable: bool
) -> StepFailed:
    return StepFailed(
        context.masker.mask("\n\n".join(parts)),
        type=kind,
        exit_code=finished.exit_code,
        tail=context.tail(),
        hint=hint,
        retryable=retryable,
    )


def unsaved_state_notes(folder: Path, before: float | None, blob: str | None) -> tuple[str, ...]:
    """What to say when terraform could not save the state.

    Args:
        folder: The folder it ran in.
        before: `state_file_time` from before it ran.
        blob: Where the state that terraform printed is kept, if it printed one.
    """
    notes = []
    path = folder / "errored.tfstate"
    if state_file_time(folder) not in {None, before}:
        size = path.stat().st_size
        notes.append(
            f"terraform could not save the state and left it in '{path}': before anything else, store it with "
            "`terraform state push errored.tfstate`"
            if size
            else f"terraform could not save the state, and '{path}' is empty: the log holds the last copy"
        )
    if blob is not None:
        notes.append(f"terraform printed the state as its last copy: it is kept, encrypted, as blob {blob}")
    return tuple(notes)


def state_file_time(folder: Path) -> float | None:
    """When `errored.tfstate` was last written there, None when there is none."""
    try:
        return (folder / "errored.tfstate").stat().st_mtime_ns
    except OSError:
        return None
