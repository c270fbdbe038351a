"""Runs as the routes need them."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from prefect_wfexec.gateway.services import Services
from prefect_wfexec.journal.journal import Journal
from prefect_wfexec.views.execution import Execution
from prefect_wfexec.views.failures import shown_json
from prefect_wfexec.views.find import find_run, read_journal
from prefect_wfexec.views.load import load_execution

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun


@dataclass(frozen=True, slots=True)
class Loaded:
    """A run, its journal, and what both say."""

    flow_run: "FlowRun"
    journal: Journal
    execution: Execution


async def load_run(services: Services, run: str) -> Loaded:
    """A run by its id or name.

    Raises:
        UsageError: there is none, or more than one.
    """
    flow_run = await find_run(services.client, run)
    journal = await read_journal(services.client, flow_run)
    return Loaded(flow_run, journal, await load_execution(services.client, flow_run, journal))


async def shown(services: Services, flow_run: "FlowRun") -> dict[str, Any]:
    """A run as it is now, in JSON."""
    loaded = await load_run(services, str(flow_run.id))
    return shown_json(loaded.execution)
