"""The page of a run for Prefect's UI: how far it is, and what went wrong."""

from prefect_wfexec.definition.model import Workflow
from prefect_wfexec.engine.failure_text import failure_lines
from prefect_wfexec.engine.failures import actions_for, failure_cards
from prefect_wfexec.engine.progress import RULE, lock_words, progress_lines, run_status
from prefect_wfexec.journal.facts import utc_now
from prefect_wfexec.journal.state import ExecutionState
from prefect_wfexec.runtime.ansi import strip_ansi


def progress_markdown(workflow: Workflow, state: ExecutionState, console: str = "") -> str:
    """The page; a step that failed is on it with what can be done about it.

    Args:
        workflow: The workflow with the steps of the run.
        state: The run as it is.
        console: The run's page in the console; empty when nobody says where that is.
    """
    lines = ["Step Progress", RULE, *progress_lines(workflow, state)]
    reason = state.closed.reason if state.closed is not None else lock_words(state)
    if reason:
        lines += ["", " ".join(strip_ansi(reason).split())]
    lines += _failures(workflow, state)
    # A reason may hold what somebody typed: it stands inside the block, where no markup counts.
    text = "\n".join(lines).replace("```", "` ` `")
    return f"**{workflow.name}**: {run_status(state).value}\n\n```text\n{text}\n```\n" + (
        f"\n[Open in the console]({console})\n" if console else ""
    )


def _failures(workflow: Workflow, state: ExecutionState) -> list[str]:
    cards = failure_cards(workflow, state, state.closed.at if state.closed else utc_now())
    if not cards or state.opened is None:
        return []
    run = state.opened.run_name
    actions = actions_for(workflow, state, run, is_over=state.closed is not None)
    return ["", *"\n".join(failure_lines(cards, actions, run)).rstrip("\n").splitlines()]
