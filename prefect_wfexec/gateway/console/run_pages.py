"""The page of one execution: its head, what went wrong, its graph and steps, its log, and tabs with the rest."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from prefect_wfexec.engine.flow_run import page_of
from prefect_wfexec.gateway.api.routing import RunName
from prefect_wfexec.gateway.console.live import Look, parts_stream
from prefect_wfexec.gateway.console.pages import page
from prefect_wfexec.gateway.console.run_view import Drawn, RunView, tab_of
from prefect_wfexec.gateway.services import Services, services
from prefect_wfexec.gateway.signin.identity import Identity
from prefect_wfexec.gateway.signin.requiring import Viewer
from prefect_wfexec.views.audit import audit as audit_view
from prefect_wfexec.views.audit import read_unchecked
from prefect_wfexec.views.find import find_run
from prefect_wfexec.views.load import load_execution

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun

    from prefect_wfexec.journal.journal import Journal

router = APIRouter(include_in_schema=False)
Tab = Literal["outputs", "approvals", "reports", "audit", "attempts"]
TABS: dict[Tab, str] = {
    "outputs": "Outputs",
    "approvals": "Approvals",
    "reports": "Reports",
    "audit": "Audit",
    "attempts": "Attempts",
}


@dataclass
class Watched:
    """A run that is looked at again and again."""

    given: Services
    person: Identity
    flow_run: "FlowRun"
    _journal: "Journal | None" = field(default=None, init=False)
    _drawn: Drawn = field(default_factory=Drawn, init=False)

    @property
    def journal(self) -> "Journal":
        """Its journal as it was read last."""
        assert self._journal is not None, "it is looked at first"
        return self._journal

    async def view(self) -> RunView:
        """The run as it is now."""
        client, run_id = self.given.client, self.flow_run.id
        if self._journal is not None:
            self.flow_run = await client.read_flow_run(run_id)
        self._journal = await self.given.journals.of(client, self.flow_run)
        execution = await load_execution(client, self.flow_run, self._journal)
        has_deployment = self.flow_run.deployment_id is not None
        return RunView(execution, self.person, page_of(client, run_id), has_deployment, self._drawn)


async def watched(request: Request, person: Identity, run: str) -> Watched:
    """A run by its id or name.

    Raises:
        UsageError: there is none.
    """
    given = services(request)
    return Watched(given, person, await find_run(given.client, run))


@router.get("/console/executions/{run}")
async def show(
    request: Request,
    person: Viewer,
    run: RunName,
    tab: Tab = "outputs",
    step: Annotated[str, Query(max_length=200, pattern=r"^[^\x00]*$")] = "",
) -> Response:
    """The page."""
    found = await watched(request, person, run)
    view = await found.view()
    parts, client = view.parts(), found.given.client
    audit = audit_view(await read_unchecked(client, found.flow_run)) if tab == "audit" else None
    return page(
        request,
        person,
        "run.html",
        live=f"{view.address}/live?tab={tab}{'' if view.steps else '&bare=yes'}",
        view=view,
        name=found.flow_run.name,
        parts=parts,
        structure=view.structure(parts),
        step_options=view.step_options(step),
        tab=tab,
        run_tabs=TABS,
        tab_html=tab_of(view, tab, audit),
    )


@router.get("/console/executions/{run}/live")
async def live(
    request: Request, person: Viewer, run: RunName, tab: Tab = "outputs", bare: Literal["yes", "no"] = "no"
) -> Response:
    """What changes on it, until nothing does any more; `bare`: it was shown before anybody knew its steps."""
    found = await watched(request, person, run)

    async def look() -> Look:
        view = await found.view()
        tabs = {} if tab == "audit" else {"tab": tab_of(view, tab, None)}
        # First what the other parts are put into.
        structure = {"structure": view.structure({}), "log-step": view.step_options()} if bare == "yes" else {}
        # Somebody may have it retried with Prefect's means: its journal is closed still, and Prefect shows it at work.
        is_over = view.is_over and view.execution.header.status.is_final
        return Look(structure | view.parts() | tabs, is_over=is_over)

    return parts_stream(request, look)
