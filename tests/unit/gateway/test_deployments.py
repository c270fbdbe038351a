"""Deployments that are read again and again, and what is done with them."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from prefect.exceptions import ObjectNotFound

from prefect_wfexec.gateway import app
from prefect_wfexec.gateway import deployments as deployments_module
from prefect_wfexec.gateway.deployments import Deployments
from prefect_wfexec.journal.facts import utc_now

SCHEDULE = {"schedule": {"cron": "0 2 * * *", "timezone": "UTC"}, "active": True, "slug": "wfexec-nightly"}
SCHEMA = {"properties": {"wfexec": {"x-wfexec": {"definition": "a definition", "digest": "d1"}}}}


class Api:
    """Prefect's API, as far as it has deployments."""

    def __init__(self, count: int = 1) -> None:
        self.rows = [
            {
                "id": str(uuid4()),
                "name": f"release-{number}",
                "flow_id": str(uuid4()),
                "schedules": [SCHEDULE] if count == 1 else [],
                "parameter_openapi_schema": SCHEMA,
                "last_polled": None,
                "paused": False,
            }
            for number in range(count)
        ]

    async def request(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        request = httpx.Request(method, f"http://prefect/api{path}")
        if path == "/deployments/filter":
            begin = arguments["json"]["offset"]
            return httpx.Response(200, json=self.rows[begin : begin + arguments["json"]["limit"]], request=request)
        wanted = str(arguments["path_params"]["id"])
        found = [row for row in self.rows if row["id"] == wanted]
        response = httpx.Response(200 if found else 404, json=found[0] if found else {}, request=request)
        response.raise_for_status()
        return response


async def test_what_has_not_changed_is_not_made_again() -> None:
    api: Any = Api()
    deployments = Deployments(api)
    [first] = await deployments.workflows()
    api.rows[0] = api.rows[0] | {"last_polled": "2026-01-01T00:00:00Z", "status": "READY"}
    assert (await deployments.workflows())[0] is first
    assert await deployments.one(first.id, utc_now()) is first
    api.rows[0] = api.rows[0] | {"paused": True}
    changed = await deployments.one(first.id, utc_now())
    assert (first.paused, changed.paused) == (False, True)
    assert (await deployments.workflows())[0] is changed


async def test_every_page_is_read_and_others_are_passed_over() -> None:
    api: Any = Api(401)
    api.rows[7]["parameter_openapi_schema"] = {"properties": {}}
    assert len(await Deployments(api).workflows()) == 400


async def test_what_came_before_it_was_read_shares_it_and_what_came_after_does_not() -> None:
    api: Any = Api()
    deployments = Deployments(api)
    [first] = await deployments.workflows()
    before = utc_now()
    assert not (await deployments.one(first.id, before)).paused
    api.rows[0] = api.rows[0] | {"paused": True}
    assert not (await deployments.one(first.id, before)).paused
    assert (await deployments.one(first.id, utc_now())).paused


async def test_what_was_read_some_time_ago_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deployments_module, "SHARED", timedelta(0))
    api: Any = Api()
    deployments = Deployments(api)
    [first] = await deployments.workflows()
    before = utc_now()
    await deployments.one(first.id, before)
    api.rows[0] = api.rows[0] | {"paused": True}
    assert (await deployments.one(first.id, before)).paused


async def test_one_that_is_gone() -> None:
    api: Any = Api()
    with pytest.raises(ObjectNotFound):
        await Deployments(api).one(UUID(int=0), utc_now())


async def test_schedules_are_looked_at_where_something_has_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    api: Any = Api()
    deployments = Deployments(api)
    looks: list[str] = []
    made = ["nightly"]

    class Deployed:
        deployed: tuple[Any, ...] = ()

        async def refresh(self) -> None:
            self.deployed = tuple((one, None) for one in await deployments.workflows())

    async def sync(_client: object, deployment: Any, _workflow: object) -> list[str]:
        looks.append(deployment.name)
        return [made.pop()] if made else []

    monkeypatch.setattr(app, "sync_schedules", sync)
    catalog: Any = Deployed()
    synced: dict[UUID, Any] = {}
    for _ in range(4):
        await app._read_again(api, catalog, synced)
    assert len(looks) == 2  # what was made is looked at once more
    api.rows[0] = api.rows[0] | {"schedules": []}
    await app._read_again(api, catalog, synced)
    assert len(looks) == 3
