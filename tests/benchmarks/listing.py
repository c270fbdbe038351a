"""The history of many runs on PostgreSQL: how long a page of it takes.

The runs are put into the database by its own means: making a hundred thousand over the API would take an hour.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC
from pathlib import Path
from uuid import UUID

import asyncpg

from tests.benchmarks.measuring import Measure, own_peak_mib
from tests.support.postgres import postgres
from tests.support.server import prefect_server

RUNS = 100_000
FLOWS = 20
TIMES = 10
_MORE = """
INSERT INTO flow_run (flow_id, name, state_type, state_name, run_count, expected_start_time, start_time, end_time,
                      total_run_time, tags, parameters, labels, auto_scheduled, empirical_policy, created_by)
SELECT ($1::uuid[])[1 + n % $2], 'wfr_' || lpad(to_hex(n), 10, '0'),
       (CASE WHEN n % 7 = 0 THEN 'FAILED' ELSE 'COMPLETED' END)::state_type,
       CASE WHEN n % 7 = 0 THEN 'Failed' ELSE 'Succeeded' END, 1,
       at, at, at, make_interval(secs => 12),
       CASE WHEN n % 50 = 0 THEN '["wfexec", "wfexec-cleanup"]'::jsonb
            WHEN n % 3 = 0 THEN '["trigger:git", "user:jane", "wfexec"]'::jsonb
            ELSE '["trigger:manual", "user:jim", "wfexec"]'::jsonb END,
       '{}', '{"wfexec.duration_seconds": 12.5, "wfexec.reports": 0, "wfexec.trigger": ""}', false, '{}', NULL
FROM generate_series(1, $3) AS n, LATERAL (SELECT now() - make_interval(mins => $3 - n) AS at) AS moment
"""


def history(_environment: Mapping[str, str], _folder: Path) -> Measure:
    """Seconds for each of several pages of fifty, as the API and the console ask for them, counts included."""
    with postgres() as database:
        with prefect_server({"PREFECT_SERVER_DATABASE_CONNECTION_URL": database}) as server:
            return asyncio.run(_listed(server.url, database.replace("+asyncpg", "")))


async def _listed(url: str, database: str) -> Measure:
    from prefect.client.orchestration import PrefectClient

    from prefect_wfexec.journal.facts import utc_now
    from prefect_wfexec.status import RunStatus, TriggerKind
    from prefect_wfexec.views.analytics import days_until, load_analytics, months_until
    from prefect_wfexec.views.history import load_history
    from prefect_wfexec.views.history_filter import HistoryFilter

    async with PrefectClient(url) as client:
        flows = [await client.create_flow_from_name(f"bench-{number}") for number in range(FLOWS)]
        await _seed(database, flows)
        page = HistoryFilter()
        pages = {
            "newest": page,
            "deep": replace(page, offset=50_000),
            "failed": replace(page, status=RunStatus.FAILED),
            "workflow": replace(page, workflow="bench-3"),
            "git_by_jane": replace(page, triggered_by=TriggerKind.GIT, user="jane"),
        }
        values: list[float] = []
        notes: dict[str, float] = {}
        for name, wanted in pages.items():
            mine: list[float] = []
            for _ in range(TIMES):
                began = time.perf_counter()
                found = await load_history(client, wanted)
                mine.append(time.perf_counter() - began)
                if len(found.rows) != wanted.limit or not found.total:
                    raise RuntimeError(f"{name}: {len(found.rows)} rows of {found.total}")
            values += mine
            notes[f"{name}_p95"] = round(sorted(mine)[int(len(mine) * 0.95)], 3)
        for period, name in (
            (days_until(utc_now(), 30, UTC), "30_days"),
            (months_until(utc_now(), 12, UTC), "12_months"),
        ):
            began = time.perf_counter()
            await load_analytics(client, period)
            notes[f"analytics_{name}"] = round(time.perf_counter() - began, 2)
        return Measure(tuple(values), own_peak_mib(), notes)


async def _seed(database: str, flows: list[UUID]) -> None:
    connection = await asyncpg.connect(database)
    try:
        await connection.execute(_MORE, flows, len(flows), RUNS)
        await connection.execute("ANALYZE")
    finally:
        await connection.close()
