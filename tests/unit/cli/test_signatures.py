"""What is said of a journal whose signatures could not be checked."""

from typing import Any, cast
from uuid import UUID

import pytest

from prefect_wfexec.cli.signatures import UNCHECKED, note_if_unchecked
from prefect_wfexec.journal.entries import read_entry
from prefect_wfexec.journal.journal import Journal
from prefect_wfexec.journal.keys import Keys
from tests.unit.journal.support import KEYS, RUN, chain, opened, requested


def journal(keys: Keys | None, *, signed_with: Keys | None = KEYS) -> Journal:
    found = Journal(cast("Any", None), UUID(RUN), keys)
    fact = opened() if signed_with else requested("cancel")
    found.entries += [read_entry(RUN, 1, text, keys) for text in chain([[fact]], signed_with)]
    return found


def test_what_was_taken_on_trust_is_told_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert note_if_unchecked(journal(None))
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", f"{UNCHECKED}\n")


def test_nothing_is_told_of_what_was_checked_or_needs_no_check(capsys: pytest.CaptureFixture[str]) -> None:
    assert not note_if_unchecked(journal(KEYS))
    assert not note_if_unchecked(journal(None, signed_with=None))
    assert capsys.readouterr().err == ""
