"""The journals of the runs that people look at: read once, and then only what is new in them."""

from collections import OrderedDict
from typing import TYPE_CHECKING
from uuid import UUID

from prefect_wfexec.journal.journal import Journal
from prefect_wfexec.views.find import caught_up, read_journal

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.objects import FlowRun

MOST = 16


class Journals:
    """Those that were asked for last; a page, what follows it live and its log share one."""

    def __init__(self) -> None:
        self._known: OrderedDict[UUID, Journal] = OrderedDict()

    async def of(self, client: "PrefectClient", flow_run: "FlowRun") -> Journal:
        """A run's journal as it is now.

        Raises:
            JournalError: it can't be trusted.
            Unreachable: Prefect's API did not answer.
        """
        known = self._known.get(flow_run.id)
        found = await (read_journal(client, flow_run) if known is None else caught_up(client, flow_run, known))
        self._known[flow_run.id] = found
        self._known.move_to_end(flow_run.id)
        while len(self._known) > MOST:
            self._known.popitem(last=False)
        return found
