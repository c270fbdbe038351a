"""The workflows that can be started, with their triggers and secrets: what stands in Prefect's deployments.

What was read last stays in use while Prefect does not answer, so that no delivery is lost meanwhile.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

import httpx

from prefect_wfexec.definition.diagnostics import DefinitionError
from prefect_wfexec.definition.loader import load_text
from prefect_wfexec.definition.model import Trigger, Workflow
from prefect_wfexec.errors import EngineError, UsageError, WfexecError
from prefect_wfexec.gateway.deployments import Deployments
from prefect_wfexec.steps.registry import catalog as step_catalog
from prefect_wfexec.triggers.secrets import Secrets, load_secrets
from prefect_wfexec.views.deployments import definition_of

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.responses import DeploymentResponse

logger = logging.getLogger(__name__)
LONGEST_SECONDS = 5.0
"""How long a request waits for that."""
SOONEST_SECONDS = 2.0
"""A request for something unknown has Prefect asked again, no more often than this."""
SECRET_SECONDS = 0.1
"""A request that proves nothing has its secret read again, no more often than this."""


@dataclass(frozen=True, slots=True)
class Target:
    """A trigger of a deployed workflow.

    Attributes:
        deployment: The deployment's full name, `FLOW/NAME`.
        deployment_id: Its id.
        workflow: Its definition.
        trigger: The trigger.
    """

    deployment: str
    deployment_id: UUID
    workflow: Workflow
    trigger: Trigger

    @property
    def secret(self) -> str:
        """The name of the block that holds the trigger's secret."""
        return str(self.trigger.options.get("secret", ""))


class Catalog:
    """What is deployed, as it was read last.

    Attributes:
        is_loaded: Whether it was ever read.
        is_current: Whether it could be read when that was last tried.
    """

    def __init__(self, client: "PrefectClient") -> None:
        self._client = client
        self._deployments = Deployments(client)
        self._workflows: dict[str, Workflow] = {}
        self._deployed: tuple[tuple[DeploymentResponse, Workflow], ...] = ()
        self._targets: dict[tuple[str, str], tuple[Target, ...]] = {}
        self._secrets: dict[tuple[str, str], Secrets | WfexecError] = {}
        self._read_at = 0.0
        self._reading = asyncio.Lock()
        self._secrets_read_at: dict[tuple[str, str], float] = {}
        self._rereading = asyncio.Lock()
        self.is_loaded = self.is_current = False

    @property
    def deployed(self) -> "tuple[tuple[DeploymentResponse, Workflow], ...]":
        """Every deployment of a workflow, as it was read last."""
        return self._deployed

    @property
    def targets(self) -> tuple[Target, ...]:
        """Every trigger of every deployment."""
        return tuple(target for found in self._targets.values() for target in found)

    async def find(self, workflow: str, trigger: str) -> tuple[Target, ...]:
        """The triggers of this id in the deployments of this workflow; Prefect is asked again when there are none."""
        found = self._targets.get((workflow, trigger), ())
        if not found:
            await self._refresh_soon()
            found = self._targets.get((workflow, trigger), ())
        return found

    async def deployment(self, target: Target, since: datetime) -> "DeploymentResponse":
        """The deployment of a trigger as it was at a moment or later.

        Raises:
            UsageError: it is gone.
            httpx.HTTPError: Prefect does not answer.
        """
        from prefect.exceptions import ObjectNotFound

        try:
            return await self._deployments.one(target.deployment_id, since)
        except ObjectNotFound:
            raise UsageError(f"deployment '{target.deployment}' is gone") from None

    def secrets_of(self, target: Target) -> Secrets:
        """The secrets of a trigger, as they were read last.

        Raises:
            WfexecError: its block is not there, or of another kind.
        """
        found = self._secrets.get(_secret_key(target))
        if isinstance(found, Secrets):
            return found
        raise found or WfexecError(f"the secret '{target.secret}' was not read yet")

    async def secrets_again(self, target: Target) -> Secrets:
        """The same, as they stand after this was asked: they may have been changed. Who asks at once shares an answer.

        Raises:
            WfexecError: the block is not there, or of another kind.
        """
        asked = time.monotonic()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LONGEST_SECONDS), self._rereading:
                if self._secrets_read_at.get(_secret_key(target), 0.0) < asked:
                    last = max(self._secrets_read_at.values(), default=0.0)
                    await asyncio.sleep(max(0.0, last + SECRET_SECONDS - time.monotonic()))
                    await self._read_secret(target)
        return self.secrets_of(target)

    async def refresh(self) -> None:
        """Read everything again; what can't be read stays as it was."""
        async with self._reading:
            await self._read()

    async def _refresh_soon(self) -> None:
        """Read everything again unless that was done just now; whoever asks waits for that only so long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LONGEST_SECONDS):
                await self._read_unless_new()

    async def _read_unless_new(self) -> None:
        if time.monotonic() - self._read_at < SOONEST_SECONDS:
            return
        async with self._reading:
            if time.monotonic() - self._read_at >= SOONEST_SECONDS:
                await self._read()

    async def _read(self) -> None:
        self.is_current = False
        try:
            deployments = await self._deployments.workflows()
            names = {flow.id: flow.name for flow in await self._flows({one.flow_id for one in deployments})}
            self._take(deployments, names)
            await self._read_secrets()
            self.is_loaded = self.is_current = True
        except httpx.HTTPError as error:
            logger.warning("the deployments could not be read: %s", error)
        finally:
            self._read_at = time.monotonic()

    async def _flows(self, ids: set[UUID]) -> Iterator:  # type: ignore[type-arg]
        from prefect.client.schemas.filters import FlowFilter, FlowFilterId

        found = []
        wanted = sorted(ids)
        for start in range(0, len(wanted), 200):
            part = wanted[start : start + 200]
            found += await self._client.read_flows(flow_filter=FlowFilter(id=FlowFilterId(any_=part)), limit=200)
        return iter(found)

    def _take(self, deployments: "list[DeploymentResponse]", names: dict[UUID, str]) -> None:
        workflows: dict[str, Workflow] = {}
        targets: dict[tuple[str, str], list[Target]] = {}
        deployed = []
        for deployment in sorted(deployments, key=lambda one: one.name):
            flow, workflow = names.get(deployment.flow_id), self._workflow(deployment)
            if flow is None or workflow is None:
                continue
            workflows[workflow.digest] = workflow
            deployed.append((deployment, workflow))
            for trigger in workflow.triggers:
                target = Target(f"{flow}/{deployment.name}", deployment.id, workflow, trigger)
                targets.setdefault((flow, trigger.id), []).append(target)
        self._workflows, self._deployed = workflows, tuple(deployed)
        self._targets = {key: tuple(found) for key, found in targets.items()}

    def _workflow(self, deployment: "DeploymentResponse") -> Workflow | None:
        definition = definition_of(deployment.parameter_openapi_schema)
        if definition is None:
            return None
        known = self._workflows.get(definition.digest)
        if known is not None:
            return known
        try:
            return load_text(definition.text, None, step_catalog())
        except DefinitionError as error:
            logger.warning(
                "the definition in deployment '%s' does not compile: %s", deployment.name, error.diagnostics[0].message
            )
            return None

    async def _read_secrets(self) -> None:
        wanted = {_secret_key(target): target for target in self.targets if target.secret}
        for target in wanted.values():
            await self._read_secret(target)
        self._secrets = {key: found for key, found in self._secrets.items() if key in wanted}

    async def _read_secret(self, target: Target) -> None:
        """Read one secret; what was read before stays while Prefect does not answer."""
        key, began = _secret_key(target), time.monotonic()
        found: Secrets | WfexecError
        try:
            found = await load_secrets(target.secret, target.trigger.type, self._client)
        except EngineError as error:
            found = self._secrets.get(key, error)
        except WfexecError as error:
            found = error
        if began >= self._secrets_read_at.get(key, 0.0):
            self._secrets[key], self._secrets_read_at[key] = found, began


def _secret_key(target: Target) -> tuple[str, str]:
    return (target.trigger.type, target.secret)
