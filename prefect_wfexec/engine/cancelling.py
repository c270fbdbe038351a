"""Asking a run to stop, whoever asks: a request in its journal, on which its engine stops what it runs."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from prefect_wfexec.definition.model import JSON
from prefect_wfexec.journal.facts import Actor, Fact, Kind
from prefect_wfexec.journal.state import ExecutionState

if TYPE_CHECKING:
    from uuid import UUID

    from prefect.client.orchestration import PrefectClient


def cancel_request(
    actor: Actor, *, reason: str = "", cleans_up: bool = False
) -> Callable[[ExecutionState], list[Fact]]:
    """The append that asks a run to stop; nothing when it was asked for as much already.

    A run that has ended can still be asked to have what it made taken away.

    Args:
        actor: Who asks.
        reason: Why, in their words.
        cleans_up: Whether what its steps have made is to be taken away after that.
    """
    data: dict[str, JSON] = {"what": "cancel"}
    data |= {"reason": reason} if reason else {}
    data |= {"cleanup": True} if cleans_up else {}

    def decide(state: ExecutionState) -> list[Fact]:
        is_asked = state.cancel is not None and (not cleans_up or state.cancel.data.get("cleanup") is True)
        is_over = state.closed is not None and not (cleans_up and state.cleanup is None)
        return [] if is_over or (is_asked and state.closed is None) else [Fact(Kind.REQUESTED, data, actor)]

    return decide


async def is_cancelled_in_prefect(client: "PrefectClient", run_id: "UUID") -> bool:
    """Whether somebody has cancelled the run with Prefect's own means."""
    state = (await client.read_flow_run(run_id)).state
    return state is not None and (state.is_cancelling() or state.is_cancelled())
