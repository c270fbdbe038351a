"""The journal as it stands, and what checking it says."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from prefect_wfexec.journal.entries import read_entry
from prefect_wfexec.journal.journal import KEY_PREFIX, Journal
from prefect_wfexec.journal.keys import Keys, find_keys, keys_from_environment

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.objects import FlowRun

MOST_ENTRIES = 1_000_000


async def read_unchecked(client: "PrefectClient", flow_run: "FlowRun") -> Journal:
    """The run's journal as it stands, also when it was changed so that nobody may act on it; not folded."""
    rows = await client.filter_flow_run_input(flow_run.id, KEY_PREFIX, limit=MOST_ENTRIES, exclude_keys=set())
    texts = sorted((row.key, row.value) for row in rows)
    journal = _read(client, flow_run, texts, await find_keys(client))
    if journal.is_foreign and keys_from_environment() is None:
        return _read(client, flow_run, texts, None)
    return journal


def _read(client: "PrefectClient", flow_run: "FlowRun", texts: Sequence[tuple[str, str]], keys: Keys | None) -> Journal:
    journal = Journal(client, flow_run.id, keys)
    for key, text in texts:
        digits = key.removeprefix(KEY_PREFIX)
        number = int(digits) if digits.isdecimal() else 0
        journal.entries.append(read_entry(str(flow_run.id), number, text, keys))
    return journal


def audit(journal: Journal) -> dict[str, Any]:
    """Every entry, and whether the chain holds."""
    verification = journal.verify()
    return {
        "entries": [
            {
                "number": entry.number,
                "id": entry.id,
                "digest": entry.digest,
                "prev": entry.prev,
                "keyed": entry.keyed,
                "facts": [fact.as_json() for fact in entry.facts],
            }
            for entry in journal.entries
        ],
        "verified": verification.verified,
        "keyed": verification.keyed,
        "head": verification.head,
        "faults": list(verification.faults),
    }
