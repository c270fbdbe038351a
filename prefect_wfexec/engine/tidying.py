"""What is left of a run's files on this machine once it has ended."""

from prefect_wfexec.definition.durations import parse_duration
from prefect_wfexec.errors import UsageError
from prefect_wfexec.runtime.workspace import Workspace, sweep
from prefect_wfexec.settings import KEEP_WORKSPACES

DEFAULT_SECONDS = 86400.0


def put_away(workspace: Workspace, *, is_done: bool) -> None:
    """Remove the files of a run that succeeded; those of another wait for a retry. Older ones go with them.

    Args:
        workspace: The run's.
        is_done: Whether the run succeeded.
    """
    if not workspace.root.parent.exists():
        return
    if is_done:
        workspace.remove()
    else:
        workspace.note_ended()
    sweep(workspace.root.parent.parent, kept_seconds())


def kept_seconds() -> float:
    """How long files of a run that did not succeed are kept; a setting that is no duration changes nothing."""
    try:
        return parse_duration(KEEP_WORKSPACES.read())
    except UsageError:
        return DEFAULT_SECONDS
