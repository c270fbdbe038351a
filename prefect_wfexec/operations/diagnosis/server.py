"""How Prefect's server is set up, as far as its API tells."""

from typing import TYPE_CHECKING, Any, Literal

from prefect_wfexec.engine.flow_run import TAG
from prefect_wfexec.journal.journal import KEY_PREFIX
from prefect_wfexec.operations.diagnosis.finding import Finding

if TYPE_CHECKING:
    from uuid import UUID

    from prefect.client.orchestration import PrefectClient

Database = Literal["SQLite", "PostgreSQL"]

DATABASE_VARIABLE = "PREFECT_SERVER_DATABASE_CONNECTION_URL"
STREAMING = {
    "stream_out_enabled": "PREFECT_SERVER_LOGS_STREAM_OUT_ENABLED",
    "stream_publishing_enabled": "PREFECT_SERVER_LOGS_STREAM_PUBLISHING_ENABLED",
}
_RUNS_LOOKED_AT = 5


async def database_findings(client: "PrefectClient", *, is_embedded: bool, is_local: bool) -> list[Finding]:
    """Which database the server keeps everything in; SQLite is no problem as long as one person uses it."""
    database = _database_of_embedded() if is_embedded else await _database_of_server(client)
    mend = f"for a team, set {DATABASE_VARIABLE} on the server to a PostgreSQL database"
    if database is None:
        words = f"the API does not say which before the first run; it is SQLite unless {DATABASE_VARIABLE} is set"
        return [Finding("database", "ok", words, mend)]
    if database == "PostgreSQL":
        return [Finding("database", "ok", database)]
    return [Finding("database", "ok" if is_local else "warning", "SQLite: for one person and a few runs at once", mend)]


async def streaming_findings(client: "PrefectClient") -> list[Finding]:
    """Whether logs can be followed through the server's websocket."""
    response = await client.request("GET", "/admin/settings")
    settings: Any = response.json()
    logs = (settings.get("server") or {}).get("logs") or {}
    missing = [variable for field, variable in STREAMING.items() if not logs.get(field)]
    if not missing:
        return [Finding("log streaming", "ok", "on")]
    mend = f"set {' and '.join(f'{variable}=true' for variable in missing)} on the server"
    if len(missing) == len(STREAMING):
        return [Finding("log streaming", "ok", "off; logs are read again and again by those who follow them", mend)]
    return [Finding("log streaming", "warning", "half on, so that nothing arrives", mend)]


def _database_of_embedded() -> Database:
    from prefect.settings import get_current_settings

    url = get_current_settings().server.database.connection_url
    return "PostgreSQL" if url is not None and url.get_secret_value().startswith("postgres") else "SQLite"


async def _database_of_server(client: "PrefectClient") -> Database | None:
    # The settings hide the address of the database, of SQLite too. What differs is that SQLite's LIKE, by which a
    # journal is read, ignores case.
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterTags
    from prefect.client.schemas.sorting import FlowRunSort

    ours = FlowRunFilter(tags=FlowRunFilterTags(all_=[TAG]))
    runs = await client.read_flow_runs(
        flow_run_filter=ours, sort=FlowRunSort.EXPECTED_START_TIME_DESC, limit=_RUNS_LOOKED_AT
    )
    for run in runs:
        if await _has_inputs(client, run.id, KEY_PREFIX):
            return "SQLite" if await _has_inputs(client, run.id, KEY_PREFIX.upper()) else "PostgreSQL"
    return None


async def _has_inputs(client: "PrefectClient", run_id: "UUID", prefix: str) -> bool:
    return bool(await client.filter_flow_run_input(run_id, key_prefix=prefix, limit=1, exclude_keys=set()))
