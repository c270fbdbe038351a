"""Pages of the history far from its beginning: each row once, in order, whatever cleanups stand among them."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_wfexec.engine.flow_run import CLEANUP_TAG
from prefect_wfexec.views import history
from prefect_wfexec.views.history import Flows, load_history
from prefect_wfexec.views.history_filter import SORTS, HistoryFilter
from tests.unit.views.runs_in_memory import FLOW, Prefect


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    async def flows(_client: object) -> Flows:
        return Flows({FLOW: "shop"}, frozenset())

    monkeypatch.setattr(history, "workflow_flows", flows)
    monkeypatch.setattr(history, "PAGE", 8)
    monkeypatch.setattr(history, "MARGIN", 3)


def page(prefect: Prefect, **wanted: Any) -> history.History:
    return asyncio.run(load_history(prefect, HistoryFilter(**wanted)))  # type: ignore[arg-type]


@given(st.lists(st.booleans(), max_size=60), st.sampled_from(SORTS), st.integers(1, 12))
def test_pages_hold_every_row_once_in_order(are_cleanups: list[bool], sort: Any, limit: int) -> None:
    prefect = Prefect(are_cleanups)
    total = are_cleanups.count(False)
    rows: list[str] = []
    while True:
        found = page(prefect, sort=sort, limit=limit, offset=len(rows))
        assert found.total == total
        rows += [row["name"] for row in found.rows]
        if not found.has_more:
            break
        assert len(found.rows) == limit
    key = {"newest": "expected_start_time", "oldest": "expected_start_time", "started": "start_time"}.get(sort, "name")
    wanted = sorted(
        (run for run in prefect.runs if CLEANUP_TAG not in run["tags"]),
        key=lambda run: run[key],
        reverse=sort in {"newest", "started"},
    )
    assert rows == [run["name"] for run in wanted]


def test_a_page_far_back_is_found_by_a_few_questions() -> None:
    prefect = Prefect([number % 10 == 0 for number in range(3000)])
    prefect.asked = 0
    found = page(prefect, limit=4, offset=2000)
    assert (len(found.rows), found.has_more) == (4, True)
    assert prefect.asked <= 8
