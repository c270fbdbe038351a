"""Deployments of workflows, the work pools they wait in, and whether anybody works there."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prefect_wfexec.operations.diagnosis.finding import Finding
from prefect_wfexec.views.deployments import workflow_deployments

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.objects import WorkPool
    from prefect.client.schemas.responses import DeploymentResponse

PAGE = 200


@dataclass(frozen=True, slots=True)
class Pool:
    """A work pool.

    Attributes:
        pool: What Prefect knows of it.
        online: How many of its workers have been heard of lately.
    """

    pool: "WorkPool"
    online: int

    @property
    def needs_workers(self) -> bool:
        return not (self.pool.is_push_pool or self.pool.is_managed_pool)

    @property
    def trouble(self) -> tuple[str, str] | None:
        """Why nothing that waits here runs, and the mend."""
        name = self.pool.name
        if self.pool.is_paused:
            return "is paused", f"prefect work-pool resume {name}"
        if self.needs_workers and not self.online:
            return "has no worker online", f"prefect worker start --pool {name}"
        return None


async def deployment_findings(client: "PrefectClient") -> list[Finding]:
    """A finding for each work pool and for each deployment of a workflow."""
    deployments = await workflow_deployments(client)
    pools = await _pools(client)
    wanted = {deployment.work_pool_name for deployment in deployments}
    findings = [_pool(pool, is_wanted=name in wanted) for name, pool in pools.items()] or [_no_pool()]
    names = await _flow_names(client, deployments)
    return findings + ([_deployment(one, names, pools) for one in deployments] or [_no_deployment()])


async def _pools(client: "PrefectClient") -> dict[str, Pool]:
    found: dict[str, Pool] = {}
    offset = 0
    while True:
        page = await client.read_work_pools(limit=PAGE, offset=offset)
        for pool in page:
            found[pool.name] = Pool(pool, await _online(client, pool.name))
        offset += PAGE
        if len(page) < PAGE:
            return dict(sorted(found.items()))


async def _online(client: "PrefectClient", pool: str) -> int:
    from prefect.client.schemas.filters import WorkerFilter, WorkerFilterStatus
    from prefect.client.schemas.objects import WorkerStatus

    online = WorkerFilter(status=WorkerFilterStatus(any_=[WorkerStatus.ONLINE]))
    return len(await client.read_workers_for_work_pool(pool, worker_filter=online))


async def _flow_names(client: "PrefectClient", deployments: "list[DeploymentResponse]") -> dict[object, str]:
    return {flow_id: (await client.read_flow(flow_id)).name for flow_id in {one.flow_id for one in deployments}}


def _pool(pool: Pool, *, is_wanted: bool) -> Finding:
    name = f"work pool {pool.pool.name}"
    workers = (
        f"{pool.online} worker{'' if pool.online == 1 else 's'} online" if pool.needs_workers else "no workers needed"
    )
    words = f"{pool.pool.type}, {'paused, ' if pool.pool.is_paused else ''}{workers}"
    if pool.trouble is None:
        return Finding(name, "ok", words)
    return Finding(name, "warning" if is_wanted else "ok", words, pool.trouble[1] if is_wanted else "")


def _deployment(
    deployment: "DeploymentResponse", flow_names: Mapping[object, str], pools: Mapping[str, Pool]
) -> Finding:
    spelled = f"{flow_names[deployment.flow_id]}/{deployment.name}"
    name = f"deployment {spelled}"
    if deployment.paused:
        return Finding(
            name,
            "warning",
            "is paused: its schedules start nothing",
            "resume it in Prefect's pages, or deploy it again",
        )
    if deployment.work_pool_name is None:
        return _served(name, deployment)
    pool = pools.get(deployment.work_pool_name)
    if pool is None:
        mend = f"prefect work-pool create {deployment.work_pool_name} --type process"
        return Finding(name, "warning", f"its work pool '{deployment.work_pool_name}' does not exist", mend)
    words = f"waits in the work pool '{pool.pool.name}' ({pool.pool.type})"
    if pool.trouble is None:
        return Finding(name, "ok", words)
    return Finding(name, "warning", f"{words}, which {pool.trouble[0]}: its runs do not start", pool.trouble[1])


def _served(name: str, deployment: "DeploymentResponse") -> Finding:
    from prefect.client.schemas.objects import DeploymentStatus

    if deployment.status == DeploymentStatus.READY:
        return Finding(name, "ok", "served by a process of its own, without a work pool")
    words = "has no work pool and no process serves it: its runs do not start"
    return Finding(name, "warning", words, "start its `serve` again, or deploy it to a work pool")


def _no_pool() -> Finding:
    mend = "for runs on workers: prefect work-pool create workflows --type process"
    return Finding("work pools", "ok", "none; runs start with `wfexec run`", mend)


def _no_deployment() -> Finding:
    return Finding("deployments", "ok", "no workflow is deployed", "for runs on workers: prefect deploy")
