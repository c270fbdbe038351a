"""Prefect's lists of runs in memory: filters by time, tag and state, orders, pages and counts."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx

from prefect_wfexec.engine.flow_run import CLEANUP_TAG, TAG

FLOW = str(uuid4())
START = datetime(2026, 1, 1, tzinfo=UTC)


class Prefect:
    """Prefect's client and its API, for runs in memory: filters by time and tag, orders, pages."""

    def __init__(self, are_cleanups: list[bool], apart: timedelta = timedelta(seconds=1)) -> None:
        self.api_url = f"http://prefect/{id(self)}"
        self._client = self
        self.asked = 0
        self.runs = [_run(number, apart, is_cleanup=is_cleanup) for number, is_cleanup in enumerate(are_cleanups)]

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
    names = wanted.get("state", {}).get("name", {}).get("any_")
    if names is not None and run["state"]["name"] not in names:
        return False
    return set(wanted.get("tags", {}).get("all_", [])) <= set(run["tags"])


def _run(number: int, apart: timedelta, *, is_cleanup: bool) -> dict[str, Any]:
    moment = (START + number * apart).isoformat()
    return {
        "id": str(uuid4()),
        "name": f"wfr_{number * 7919 % 10007:05}",
        "flow_id": FLOW,
        "deployment_id": None,
        "tags": [TAG, CLEANUP_TAG] if is_cleanup else [TAG],
        "labels": {},
        "state": {"type": "COMPLETED", "name": "Succeeded" if number % 3 else "Failed"},
        "expected_start_time": moment,
        "start_time": moment,
        "created": moment,
        "created_by": None,
    }
