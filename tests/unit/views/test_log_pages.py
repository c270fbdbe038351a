"""Logs page by page: together the pages are the log, wherever they are cut and however it grows meanwhile."""

import base64
import gzip
import json
import zlib
from typing import Any, cast
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prefect.client.orchestration import PrefectClient

from prefect_wfexec.errors import UsageError
from prefect_wfexec.journal.facts import Fact
from prefect_wfexec.journal.journal import Journal
from prefect_wfexec.views.log_pages import LogQuery, read_page
from prefect_wfexec.views.logs import Stream
from tests.unit.engine.support import step, workflow
from tests.unit.journal.support import RUN, at, closed, entered, finished, opened, started, unhurried
from tests.unit.views.support import execution

NOBODY = cast("PrefectClient", None)
"""Logs that stand in the journal need no server."""
WORKFLOW = workflow(step("one"), step("two"), step("three"))


def log(step_id: str, attempt: int, count: int) -> list[dict[str, Any]]:
    """A stored log of so many lines, on both streams in turn."""
    rows = [
        {"t": number, "s": ("stdout", "stderr")[number % 2], "m": f"{step_id}.{attempt} line {number}\n"}
        for number in range(count)
    ]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    return [{"inline": base64.b64encode(gzip.compress(text.encode())).decode()}]


def ran(step_id: str, *counts: int) -> list[Fact]:
    """A step whose attempts wrote so many lines each."""
    facts: list[Fact] = []
    for attempt, count in enumerate(counts, 1):
        again = {} if attempt == len(counts) else {"retry_at": at(0).isoformat()}
        ended = finished(step_id, "Failed", attempt, log=log(step_id, attempt, count), **again)
        facts += [started(step_id, attempt), ended]
    return facts


def journal() -> Journal:
    return Journal(NOBODY, UUID(RUN), None)


async def pages(facts: list[Fact], query: LogQuery, cursor: str, limit: int) -> tuple[list[str], str, bool]:
    """The messages of all pages from a cursor on."""
    view, messages = execution(WORKFLOW, opened(), entered(), *facts), []
    while True:
        page = await read_page(NOBODY, journal(), view, query, cursor, limit)
        assert len(page.lines) <= limit
        messages += [line.message for line in page.lines]
        cursor = page.cursor
        if len(page.lines) < limit:
            return messages, cursor, page.is_complete


FACTS = [*ran("one", 5, 0, 3), *ran("two", 4), *ran("three", 1, 6)]
ALL = LogQuery()


@unhurried
@given(limit=st.integers(1, 25), stream=st.sampled_from(["all", "output", "errors"]))
async def test_the_pages_are_the_log(limit: int, stream: Stream) -> None:
    query = LogQuery(stream=stream)
    whole, _, is_complete = await pages([*FACTS, closed("Failed")], query, "", 1000)
    assert len(whole) == {"all": 19, "output": 11, "errors": 8}[stream]
    assert is_complete
    assert (await pages([*FACTS, closed("Failed")], query, "", limit))[0] == whole


@unhurried
@given(cut=st.integers(0, len(FACTS)), limit=st.integers(1, 6))
async def test_what_comes_later_follows_and_nothing_comes_twice(cut: int, limit: int) -> None:
    first, cursor, is_complete = await pages(FACTS[: cut // 2 * 2], ALL, "", limit)
    assert not is_complete
    rest, _, _ = await pages(FACTS, ALL, cursor, limit)
    assert sorted(first + rest) == sorted((await pages(FACTS, ALL, "", 1000))[0])
    assert len({*first, *rest}) == 19


async def test_a_cursor_is_of_the_lines_that_were_asked_for() -> None:
    _, cursor, _ = await pages(FACTS, ALL, "", 7)
    view = execution(WORKFLOW, opened(), entered(), *FACTS)
    for query in (LogQuery(step="one"), LogQuery(stream="errors"), LogQuery(search="x")):
        with pytest.raises(UsageError, match="none of this log") as caught:
            await read_page(NOBODY, journal(), view, query, cursor, 7)
        assert caught.value.code == "bad-cursor"


@unhurried
@given(st.text() | st.binary().map(lambda data: base64.urlsafe_b64encode(data).decode()))
async def test_any_text_that_is_no_cursor_is_refused(text: str) -> None:
    view = execution(WORKFLOW, opened(), entered(), *FACTS)
    if text:
        with pytest.raises(UsageError, match="none of this log"):
            await read_page(NOBODY, journal(), view, ALL, text, 7)


async def test_a_cursor_that_unpacks_to_too_much_is_refused() -> None:
    bomb = base64.urlsafe_b64encode(zlib.compress(b"[" * 50_000_000, 9)).decode()
    view = execution(WORKFLOW, opened(), entered(), *FACTS)
    with pytest.raises(UsageError, match="none of this log"):
        await read_page(NOBODY, journal(), view, ALL, bomb, 7)


async def test_before_a_run_has_begun_there_is_no_log() -> None:
    page = await read_page(NOBODY, journal(), execution(None), ALL, "", 7)
    assert (page.lines, page.is_complete) == ((), False)
