"""Deployments as Prefect has them, read again and again; what has not changed is not made an object again.

That takes Prefect's client some 15 ms of this process for each schedule of a deployment, during which nothing else is
answered.
"""

import asyncio
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from uuid import UUID

from prefect_wfexec.journal.facts import utc_now
from prefect_wfexec.views.deployments import PAGE, is_workflow

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.responses import DeploymentResponse

SHARED = timedelta(seconds=5)
"""For how long what was read of one deployment answers for it."""
_PASSING = frozenset({"last_polled", "status"})
"""What workers change all the time, and nobody here looks at."""


class Deployments:
    """The deployments of Prefect's API.

    Args:
        client: A client of it.
    """

    def __init__(self, client: "PrefectClient") -> None:
        self._client = client
        self._known: dict[str, tuple[dict[str, Any], DeploymentResponse]] = {}
        self._read: dict[UUID, tuple[datetime, DeploymentResponse]] = {}

    async def workflows(self) -> "list[DeploymentResponse]":
        """Every deployment whose flow was compiled from a definition, as `workflow_deployments` reads them.

        Raises:
            httpx.HTTPError: Prefect does not answer.
        """
        rows: list[dict[str, Any]] = []
        while True:
            asked = {"limit": PAGE, "offset": len(rows)}
            page = (await self._client.request("POST", "/deployments/filter", json=asked)).json()
            rows += page
            if len(page) < PAGE:
                break
        found = []
        for row in rows:
            if is_workflow(row.get("parameter_openapi_schema")):
                found.append(self._object(row))
                await asyncio.sleep(0)
        names = {str(row["id"]) for row in rows}
        self._known = {name: known for name, known in self._known.items() if name in names}
        self._read.clear()
        return found

    async def one(self, deployment_id: UUID, since: datetime) -> "DeploymentResponse":
        """A deployment as it was at a moment or later: what waits in a crowd shares what was read a moment ago.

        Args:
            deployment_id: Its id.
            since: The moment.

        Raises:
            ObjectNotFound: it is gone.
            httpx.HTTPError: Prefect does not answer.
        """
        from httpx import HTTPStatusError
        from prefect.exceptions import ObjectNotFound

        began = utc_now()
        read = self._read.get(deployment_id)
        if read is not None and read[0] >= max(since, began - SHARED):
            return read[1]
        try:
            path = {"id": deployment_id}
            found = self._object((await self._client.request("GET", "/deployments/{id}", path_params=path)).json())
            self._read[deployment_id] = (began, found)
            return found
        except HTTPStatusError as error:
            if error.response.status_code == HTTPStatus.NOT_FOUND:
                raise ObjectNotFound(http_exc=error) from error
            raise

    def _object(self, row: dict[str, Any]) -> "DeploymentResponse":
        from prefect.client.schemas.responses import DeploymentResponse

        name, lasting = str(row["id"]), {key: value for key, value in row.items() if key not in _PASSING}
        known = self._known.get(name)
        if known is None or known[0] != lasting:
            known = self._known[name] = (lasting, DeploymentResponse.model_validate(row))
        return known[1]
