"""What a run that waits without a process has to do: gates that expired, requests, messages."""

from datetime import datetime

from prefect_wfexec.engine.notices.due import due_notices
from prefect_wfexec.journal.state import ExecutionState


def due(state: ExecutionState, now: datetime) -> str:
    """What a process would have to do for a run that waits; empty when there is nothing."""
    if state.closed is not None:
        return ""
    for gate in state.open_gates:
        if gate.expires is not None and gate.expires <= now:
            return f"gate '{gate.step}' has expired"
    if state.requests or state.cancel is not None:
        return "a request waits for its answer"
    unsent = due_notices(state, now)
    return f"a message about gate '{unsent[0].step}' is due" if unsent else ""
