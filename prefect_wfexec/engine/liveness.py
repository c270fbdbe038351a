"""Whether the process that runs a run is gone.

After an outage of the server every run looks dead, and none is to be taken for it. An engine shows twice a minute that
it lives. One on this machine is known by its process; one elsewhere counts as gone only once this process has watched
for a while, the API answering all the time, and seen no sign of it.
"""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from prefect_wfexec.engine.fencing import DEAD_AFTER_SECONDS
from prefect_wfexec.engine.host import host_id, is_alive
from prefect_wfexec.engine.nudge import ALIVE_EVENT, ALIVE_SECONDS
from prefect_wfexec.journal.facts import utc_now
from prefect_wfexec.journal.state import EngineInfo, ExecutionState

if TYPE_CHECKING:
    from uuid import UUID

    from prefect.client.orchestration import PrefectClient

DEAD_AFTER = timedelta(seconds=DEAD_AFTER_SECONDS)
LOOK_SECONDS = 10.0
"""How long to wait before looking again at engines that have to be watched before one can tell."""
LONGEST_GAP = timedelta(seconds=80)
"""Who looked away for longer has to begin to watch anew: what was not seen says nothing."""
SUSPECT_AFTER = timedelta(seconds=1.5 * ALIVE_SECONDS)


class Watch:
    """Watches engines from one look to the next."""

    def __init__(self) -> None:
        self._since: dict[str, datetime] = {}
        self._looked: dict[str, datetime] = {}
        self._suspects: set[str] = set()

    def look_again(self) -> None:
        """Begin another look at every run: one that was silent before may have ended meanwhile."""
        self._suspects.clear()

    def since(self, engine: str) -> datetime | None:
        """Since when an engine on another machine is watched; None when it is not."""
        return self._since.get(engine)

    def forget(self) -> None:
        """The API could not be asked: what was not seen since says nothing."""
        self._since.clear()

    @property
    def is_waiting(self) -> bool:
        """Whether some engine has been silent, and was not watched for long enough to tell."""
        return bool(self._suspects)

    async def is_gone(self, client: "PrefectClient", run_id: "UUID", state: ExecutionState) -> bool:
        """Whether the run has an engine that did not leave, and its process is gone."""
        engine = state.engine
        if engine is None or engine.left:
            return False
        if engine.host == host_id():
            return not is_alive(engine.pid, engine.pid_started)
        sign, now = await _last_sign(client, run_id, engine), utc_now()
        is_gone = now - max(self._watched_since(engine.id, now), sign) >= DEAD_AFTER
        if now - sign < SUSPECT_AFTER or is_gone:
            self._suspects.discard(engine.id)
        else:
            self._suspects.add(engine.id)
        return is_gone

    def _watched_since(self, engine: str, now: datetime) -> datetime:
        if now - self._looked.get(engine, now) > LONGEST_GAP:
            self._since.pop(engine, None)
        self._looked[engine] = now
        return self._since.setdefault(engine, now)


async def _last_sign(client: "PrefectClient", run_id: "UUID", engine: EngineInfo) -> datetime:
    """When the engine was heard of last."""
    wanted: dict[str, Any] = {
        "event": {"name": [ALIVE_EVENT]},
        "any_resource": {"id": [f"prefect.flow-run.{run_id}"]},
        "occurred": {"since": (utc_now() - timedelta(hours=1)).isoformat()},
    }
    answer = await client._client.post("/events/filter", json={"filter": wanted, "limit": 20})
    answer.raise_for_status()
    signs = [
        datetime.fromisoformat(event["received"]).astimezone(UTC)
        for event in answer.json()["events"]
        if event["payload"].get("engine") == engine.id
    ]
    return max([engine.at, engine.last_fact, *signs])
