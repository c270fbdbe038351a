"""Saying that what is shown of a run was not checked."""

from prefect_wfexec.cli.output import note
from prefect_wfexec.journal.journal import Journal

UNCHECKED = "signatures were not checked: this process does not have the key of the run's engine"


def note_if_unchecked(journal: Journal) -> bool:
    """Say on standard error that the journal was taken on trust, if it was; whether that was said."""
    if journal.is_unchecked:
        note(UNCHECKED)
    return journal.is_unchecked
