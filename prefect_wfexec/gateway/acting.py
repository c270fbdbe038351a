"""What a person at the gateway asks of a run: the same for the API and the console."""

import asyncio
import logging
from collections.abc import Coroutine, Mapping
from typing import TYPE_CHECKING, Any

from prefect_wfexec.definition.model import JSON
from prefect_wfexec.engine.reset import Wanted
from prefect_wfexec.errors import UsageError
from prefect_wfexec.gateway.services import Services
from prefect_wfexec.gateway.signin.faults import NotAllowed
from prefect_wfexec.gateway.signin.identity import Identity, Role
from prefect_wfexec.operations.cancel import Cancelled, cancel
from prefect_wfexec.operations.inputs import changed_inputs
from prefect_wfexec.operations.retry import Prepared, dispatch, prepare, request_retry
from prefect_wfexec.views.find import find_run

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun

logger = logging.getLogger(__name__)
ANSWER_SECONDS = 20.0
_going: set[asyncio.Task[Cancelled]] = set()


async def prepare_retry(
    given: Services, run: str, wanted: Wanted, inputs: Mapping[str, JSON], *, is_latest: bool = False
) -> Prepared:
    """What would run again, with inputs changed where any are given.

    Raises:
        UsageError: it can't be done, or an input is none of its workflow's.
    """
    prepared = await prepare(given.client, run, wanted, is_latest=is_latest)
    changes = changed_inputs(prepared.workflow, inputs)
    if not changes:
        return prepared
    changed = Wanted(wanted.kind, wanted.step, changes)
    return await prepare(given.client, run, changed, is_latest=is_latest)


async def take_up(given: Services, prepared: Prepared, person: Identity, reason: str) -> "FlowRun":
    """Put it on record and have a worker take the run up.

    Raises:
        UsageError: the run went on meanwhile, or no worker can.
    """
    require_deployment(prepared.flow_run)
    await request_retry(prepared, person.actor, reason)
    return await dispatch(given.client, prepared.flow_run)


async def stop(given: Services, flow_run: "FlowRun", person: Identity, reason: str, *, cleans_up: bool) -> str:
    """Stop a run, in whatever state it is: `ended`, or `requested` when that takes longer than a moment."""
    work = cancel(
        given.client, str(flow_run.id), by=person.actor, reason=reason, cleans_up=cleans_up, executes_here=False
    )
    done = await _within(ANSWER_SECONDS, work)
    return done.outcome if done else "requested"


def require_deployment(flow_run: "FlowRun") -> None:
    """That a worker can take a run up; nothing of the machine it was started on is read here.

    Raises:
        UsageError: none can.
    """
    if flow_run.deployment_id is None:
        words = f"run {flow_run.name} was started without a deployment: no worker can take it up"
        raise UsageError(words, hint=f"retry it where it ran: wfexec retry {flow_run.name}", code="not-deployed")


async def require_deployed_run(given: Services, run: str) -> None:
    """The same, for a run by its id or name."""
    require_deployment(await find_run(given.client, run))


def require_approver(person: Identity) -> None:
    """That a person may decide what becomes of a step.

    Raises:
        NotAllowed: they may not.
    """
    if not person.may(Role.APPROVER):
        words = f"{person.name} is no approver, and a gate asks what becomes of this step"
        raise NotAllowed(words, hint=f"this needs the role '{Role.APPROVER.value}'")


async def _within(seconds: float, work: Coroutine[Any, Any, Cancelled]) -> Cancelled | None:
    """What comes of it; None when that takes longer: it goes on meanwhile."""
    task = asyncio.create_task(work)
    _going.add(task)
    task.add_done_callback(_ended)
    done, _ = await asyncio.wait({task}, timeout=seconds)
    return task.result() if done else None


def _ended(task: "asyncio.Task[Cancelled]") -> None:
    _going.discard(task)
    if not task.cancelled() and task.exception() is not None:
        logger.warning("a cancel was not carried out: %s", task.exception())
