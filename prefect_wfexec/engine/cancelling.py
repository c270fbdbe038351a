"""Asking a run to stop, whoever asks: a request in its journal, on which its engine stops what it runs."""

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

import httpx

from prefect_wfexec.definition.model import JSON
from prefect_wfexec.journal.facts import Actor, Fact, Kind
from prefect_wfexec.journal.state import ExecutionState
from prefect_wfexec.status import RunStatus

if TYPE_CHECKING:
    from uuid import UUID

    from prefect.client.orchestration import PrefectClient

logger = logging.getLogger(__name__)


def cancel_request(
    actor: Actor, *, reason: str = "", cleans_up: bool = False
) -> Callable[[ExecutionState], list[Fact]]:
    """The append that asks a run to stop; nothing when it was asked for as much already.

    A run that has ended can still be asked to have what it made taken away, unless it has succeeded: whoever was told
    so counts on it, and it may have come to that while the request was on its way.

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
        may_be_cleaned = cleans_up and state.cleanup is None
        has_succeeded = state.closed is not None and state.closed.status is RunStatus.SUCCEEDED
        is_over = state.closed is not None and (has_succeeded or not may_be_cleaned)
        return [] if is_over or (is_asked and state.closed is None) else [Fact(Kind.REQUESTED, data, actor)]

    return decide


async def is_cancelled_in_prefect(client: "PrefectClient", run_id: "UUID", *, within: float = 20.0) -> bool:
    """Whether somebody has cancelled the run with Prefect's own means; not, as long as Prefect does not answer.

    Args:
        client: A client that stays open.
        run_id: The run.
        within: How many seconds an answer may take.
    """
    from prefect.exceptions import PrefectException

    try:
        async with asyncio.timeout(within):
            state = (await client.read_flow_run(run_id)).state
    except (httpx.HTTPError, PrefectException, TimeoutError) as error:
        logger.debug("whether run %s was cancelled could not be seen: %r", run_id, error)
        return False
    return state is not None and (state.is_cancelling() or state.is_cancelled())
