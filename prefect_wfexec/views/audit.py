"""The journal as it stands, and what checking it says."""

from typing import Any

from prefect_wfexec.journal.journal import Journal


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
