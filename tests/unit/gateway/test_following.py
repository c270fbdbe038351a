"""Which ends of runs are delivered to workflows that start after others."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa

from prefect_wfexec.definition.loader import load_text
from prefect_wfexec.gateway import following
from prefect_wfexec.gateway.catalog import Target
from prefect_wfexec.gateway.deliveries.store import Store
from prefect_wfexec.gateway.following import Follower
from prefect_wfexec.steps.registry import catalog as step_catalog

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)


class World:
    """Prefect's runs, what waits for them, and the clock."""

    def __init__(self, store: Store) -> None:
        self.runs: list[Any] = []
        self.now = BEGIN
        self.store = store
        self.catalog = SimpleNamespace(is_loaded=True, targets=())

    def wait_with(self, *workflows: str) -> None:
        self.catalog.targets = tuple(_target(workflow) for workflow in workflows)

    def pass_time(self, **time: float) -> None:
        self.now += timedelta(**time)

    def end_a_run(self) -> str:
        run = SimpleNamespace(
            id=uuid4(),
            name=f"wfr_{len(self.runs)}",
            tags=[],
            parameters={},
            end_time=self.now,
            state=SimpleNamespace(id=uuid4(), type=SimpleNamespace(value="COMPLETED"), name="Succeeded"),
        )
        self.runs.append(run)
        return str(run.name)

    async def read_flow_runs(self, **filters: Any) -> list[Any]:
        after = filters["flow_run_filter"].end_time.after_
        return [run for run in self.runs if run.end_time >= after]

    def wake(self) -> None:
        """Nothing is started here."""

    async def look(self) -> list[str]:
        """What was delivered, `WORKFLOW RUN`, in the order it came."""
        self.pass_time(seconds=5)
        whole: Any = self
        await Follower(whole, self.store, whole.catalog, whole).look()
        found = await self.store.newest(100)
        return sorted(f"{one.workflow} {one.text.partition('(')[2].rstrip(')')}" for one in found)


def _target(name: str) -> Target:
    text = f"""
version: 1
name: {name}
triggers: [{{id: after, type: workflow, workflow: network}}]
steps: [{{id: tell, run: echo}}]
"""
    workflow = load_text(text, None, step_catalog())
    return Target(f"{name}/main", uuid4(), workflow, workflow.triggers[0])


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    async with Store.opened(sa.URL.create("sqlite+aiosqlite", database=str(tmp_path / "deliveries.db"))) as store:
        world = World(store)
        monkeypatch.setattr(following, "utc_now", lambda: world.now)
        yield world


async def test_each_end_from_the_first_look_on_is_delivered_once(world: World) -> None:
    world.wait_with("apply")
    world.end_a_run()
    assert await world.look() == []
    run = world.end_a_run()
    for _ in range(3):
        assert await world.look() == [f"apply {run}"]


async def test_what_ended_while_no_gateway_was_there_is_found(world: World) -> None:
    world.wait_with("apply")
    await world.look()
    world.pass_time(days=3)
    run = world.end_a_run()
    world.pass_time(days=3)
    world.catalog.is_loaded = False
    assert await world.look() == []
    world.catalog.is_loaded = True
    assert await world.look() == [f"apply {run}"]


async def test_who_waits_again_after_a_time_does_not_get_what_ended_meanwhile(world: World) -> None:
    world.wait_with("apply")
    await world.look()
    world.wait_with()
    await world.look()
    world.pass_time(days=3)
    world.end_a_run()
    world.pass_time(days=3)
    world.wait_with("apply")
    assert await world.look() == []
    run = world.end_a_run()
    assert await world.look() == [f"apply {run}"]


async def test_who_comes_later_gets_what_ends_from_then_on(world: World) -> None:
    world.wait_with("apply")
    await world.look()
    first = world.end_a_run()
    world.pass_time(seconds=60)
    assert await world.look() == [f"apply {first}"]
    second = world.end_a_run()
    world.wait_with("apply", "report")
    assert await world.look() == [f"apply {first}", f"apply {second}", f"report {second}"]
