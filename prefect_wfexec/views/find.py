"""The run a person means: by id or by its `wfr_…` name."""

from typing import TYPE_CHECKING
from uuid import UUID

from prefect_wfexec.errors import UsageError
from prefect_wfexec.journal.journal import Journal
from prefect_wfexec.journal.keys import find_keys, foreign_journal, keys_from_environment

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.objects import FlowRun


async def find_run(client: "PrefectClient", name_or_id: str) -> "FlowRun":
    """The flow run.

    Raises:
        UsageError: there is none, or more than one.
    """
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterName
    from prefect.exceptions import ObjectNotFound

    try:
        return await client.read_flow_run(UUID(name_or_id))
    except ObjectNotFound:
        found = []
    except ValueError:
        found = await client.read_flow_runs(
            flow_run_filter=FlowRunFilter(name=FlowRunFilterName(any_=[name_or_id])), limit=2
        )
    if len(found) == 1:
        return found[0]
    if found:
        raise UsageError(f"more than one run is named '{name_or_id}'", hint="give the run's id", code="ambiguous-run")
    raise UsageError(f"there is no run '{name_or_id}'", hint="see `wfexec history`", code="unknown-run")


async def read_journal(client: "PrefectClient", flow_run: "FlowRun") -> Journal:
    """The run's journal, read and folded; checked with the key when this process has it.

    Raises:
        JournalError: it can't be trusted.
    """
    journal = Journal(client, flow_run.id, await find_keys(client))
    await journal.catch_up()
    if not journal.is_foreign:
        return journal
    if keys_from_environment() is not None:
        raise foreign_journal(flow_run.id)
    # The engine has a key of its own, and this process only the one in Prefect's database.
    unchecked = Journal(client, flow_run.id, None)
    await unchecked.catch_up()
    return unchecked


async def caught_up(client: "PrefectClient", flow_run: "FlowRun", journal: Journal) -> Journal:
    """The journal with what is new in it.

    One that was read before the run began is read again once an engine signs it with another key than was found then.

    Raises:
        JournalError: it can't be trusted.
    """
    was_signed = _is_signed(journal)
    await journal.catch_up()
    if was_signed or not (journal.is_foreign or journal.is_unchecked):
        return journal
    return await read_journal(client, flow_run)


def _is_signed(journal: Journal) -> bool:
    return any(entry.signed for entry in journal.entries)
