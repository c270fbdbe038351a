"""Pages of the history far from its beginning: each row once, in order, whatever cleanups stand among them."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_wfexec.engine.flow_run import CLEANUP_TAG, TAG
from prefect_wfexec.views import history
from prefect_wfexec.views.history import Flows, load_history
from prefect_wfexec.views.history_filter import SORTS, HistoryFilter

FLOW = str(uuid4())
START = datetime(2026, 1, 1, tzinfo=UTC)


class Prefect:
    """Prefect's client and its API, for runs in memory: filters by time and tag, orders, pages."""

    def __init__(self, are_cleanups: list[bool]) -> None:
        self.api_url = f"http://prefect/{id(self)}"
        self._client = self
        self.asked = 0
        self.runs = [_run(number, is_cleanup=is_cleanup) for number, is_cleanup in enumerate(are_cleanups)]

    async def post(self, path: str, json: dict[str, Any]) -> httpx.Response:
        self.asked += 1
        found = [run for run in self.runs if _matches(run, json["flow_runs"])]
        if path == "/flow_runs/count":
            return _answer(len(found))
        key, is_reversed = {
            "EXPECTED_START_TIME_DESC": ("expected_start_time", True),
            "EXPECTED_START_TIME_ASC": ("expected_start_time", False),
            "START_TIME_DESC": ("start_time", True),
            "NAME_ASC": ("name", False),
        }[json["sort"]]
        found.sort(key=lambda run: run[key], reverse=is_reversed)
        return _answer(found[json["offset"] : json["offset"] + json["limit"]])


def _answer(value: Any) -> httpx.Response:
    return httpx.Response(200, json=value, request=httpx.Request("POST", "http://prefect"))


def _matches(run: dict[str, Any], wanted: dict[str, Any]) -> bool:
    for key in ("expected_start_time", "start_time"):
        moment, bounds = datetime.fromisoformat(run[key]), wanted.get(key, {})
        if "after_" in bounds and moment < datetime.fromisoformat(bounds["after_"]):
            return False
        if "before_" in bounds and moment > datetime.fromisoformat(bounds["before_"]):
            return False
    return set(wanted.get("tags", {}).get("all_", [])) <= set(run["tags"])


def _run(number: int, *, is_cleanup: bool) -> dict[str, Any]:
    moment = (START + timedelta(seconds=number)).isoformat()
    return {
        "id": str(uuid4()),
        "name": f"wfr_{number * 7919 % 10007:05}",
        "flow_id": FLOW,
        "deployment_id": None,
        "tags": [TAG, CLEANUP_TAG] if is_cleanup else [TAG],
        "labels": {},
        "state": {"type": "COMPLETED", "name": "Succeeded"},
        "expected_start_time": moment,
        "start_time": moment,
        "created": moment,
        "created_by": None,
    }


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
