"""Looks whether somebody filled in the form of a gate, or set the run's state without doing so."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

import httpx

from prefect_wfexec.engine.approvals.forms import Answer, Form, read_answer

if TYPE_CHECKING:
    from uuid import UUID

    from prefect.client.orchestration import PrefectClient


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen.

    Attributes:
        answer: What was filled in, if anything.
        is_bypassed: Prefect shows the run going on though nobody filled in the form.
        is_dispatched: Prefect has the run scheduled: a worker is about to start another process for it.
    """

    answer: Answer | None = None
    is_bypassed: bool = False
    is_dispatched: bool = False


async def look_at_form(client: "PrefectClient", run_id: "UUID", form: Form, *, is_unanswered: bool) -> Look | None:
    """What became of a form; None when Prefect can't be asked, which is tried again soon.

    Args:
        client: A client that stays open.
        run_id: The run.
        form: The form.
        is_unanswered: Whether it was seen without an answer since this process has paused the run for it: while the
            run is paused, nobody has given one.
    """
    from prefect.exceptions import PrefectException

    try:
        run = await client.read_flow_run(run_id)
        state = run.state
        if is_unanswered and (state is None or state.is_paused()):
            return Look()
        answer = await _answer(client, run_id, form)
    except (httpx.HTTPError, PrefectException):
        return None
    if state is None or state.is_cancelling() or (state.is_final() and not state.is_crashed()):
        return Look(answer)
    is_dispatched = state.is_scheduled() or state.is_pending()
    return Look(answer, is_bypassed=answer is None and not state.is_paused(), is_dispatched=is_dispatched)


async def is_shown_crashed(client: "PrefectClient", run_id: "UUID") -> bool:
    """Whether Prefect shows a run as crashed; no, when it can't be asked."""
    from prefect.exceptions import PrefectException

    try:
        state = (await client.read_flow_run(run_id)).state
    except (httpx.HTTPError, PrefectException):
        return False
    return state is not None and state.is_crashed()


async def _answer(client: "PrefectClient", run_id: "UUID", form: Form) -> Answer | None:
    path = {"id": run_id, "key": form.keyset["response"]}
    try:
        response = await client.request("GET", "/flow_runs/{id}/input/{key}", path_params=path)
    except httpx.HTTPStatusError as error:
        if error.response.status_code == HTTPStatus.NOT_FOUND:
            return None
        raise
    return read_answer(form, response.text)
