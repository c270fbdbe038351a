"""What a step leaves to be kept: masked, named safely, bounded."""

import pytest

from prefect_wfexec.engine import reports
from prefect_wfexec.engine.reports import blob_of, reports_of, store_reports
from prefect_wfexec.errors import EngineError
from prefect_wfexec.journal.facts import Kind
from prefect_wfexec.journal.fold import fold_facts
from prefect_wfexec.journal.state import ExecutionState
from prefect_wfexec.runtime.masking import MASK, Masker
from prefect_wfexec.steps.base import Report
from prefect_wfexec.testing import MemoryBlobs
from tests.unit.journal.support import closed, entered, fact, finished, opened, started

SECRET = "hunter2hunter2"


async def stored(*files: Report) -> tuple[list[dict[str, object]], MemoryBlobs]:
    blobs = MemoryBlobs()
    return [dict(one) for one in await store_reports(files, Masker([SECRET]), blobs)], blobs


async def test_it_is_masked_and_its_size_is_that_of_what_is_kept() -> None:
    [one], blobs = await stored(Report("a.json", "json", f'{{"found": "{SECRET}"}}'.encode()))
    data = await blobs.get(blob_of(one))
    assert data == f'{{"found": "{MASK}"}}'.encode()
    assert (one["name"], one["kind"], one["size"]) == ("a.json", "json", len(data))


async def test_bytes_that_are_no_text_stay_as_they_are() -> None:
    [one], blobs = await stored(Report("a.bin", "text", b"\xff\x00\xfe"))
    assert await blobs.get(blob_of(one)) == b"\xff\x00\xfe"


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("../../etc/passwd", "etc-passwd"),
        ("/etc/passwd", "etc-passwd"),
        (".hidden", "hidden"),
        ("-rf", "rf"),
        ("a\nb\x1b[31m.sarif", "a-b-31m.sarif"),
        ("..", "report"),
        ("x" * 300 + ".sarif", "x" * 94 + ".sarif"),
    ],
)
async def test_its_name_is_one_file_in_any_folder(name: str, kept: str) -> None:
    [one], _ = await stored(Report(name, "sarif", b"{}"))
    assert one["name"] == kept


async def test_two_of_one_name_are_told_apart_whatever_the_case() -> None:
    found, _ = await stored(Report("a.json", "json", b"1"), Report("A.json", "json", b"2"), Report("a.json", "x", b"3"))
    assert [one["name"] for one in found] == ["a.json", "2-A.json", "3-a.json"]
    assert found[-1]["kind"] == "text"


async def test_what_is_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "LARGEST_REPORT_BYTES", 10)
    with pytest.raises(EngineError, match="more reports than can be kept"):
        await stored(Report("a", "text", b"x" * 11))
    with pytest.raises(EngineError, match="more reports than can be kept"):
        await stored(*[Report("a", "text", b"x")] * 21)


KEPT = {"name": "a.sarif", "kind": "sarif", "size": 2, "blob": "b1", "sha256": "s"}
OTHER = {**KEPT, "blob": "b2"}


def state_after(*facts: object) -> ExecutionState:
    return fold_facts([opened(), entered(), *facts], ExecutionState(), 1)  # type: ignore[list-item]


def test_the_latest_attempt_s_reports_are_the_step_s() -> None:
    first = (started("a"), finished("a", "Failed", reports=[KEPT], retry_at="2030-01-01T12:00:00+00:00"))
    assert reports_of(state_after(*first)) == [("a", KEPT)]
    assert reports_of(state_after(*first, started("a", 2))) == []
    again = state_after(*first, started("a", 2), finished("a", attempt=2, reports=[OTHER]))
    assert reports_of(again) == [("a", OTHER)]


def test_those_that_were_removed_are_not_listed_any_more() -> None:
    ended = (started("a"), finished("a", reports=[KEPT, OTHER]), closed())
    removed = fact(Kind.RECONCILED, 9, act="removed reports", reports_removed=["b1"])
    assert reports_of(state_after(*ended, removed)) == [("a", OTHER)]
