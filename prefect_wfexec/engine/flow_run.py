"""The flow run as Prefect shows it: state, name, tags, labels, pages. A picture of the journal, never its source."""

import logging
from collections.abc import Awaitable, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from uuid import UUID

import httpx

from prefect_wfexec.engine.approvals.forms import Form
from prefect_wfexec.journal.state import ExecutionState
from prefect_wfexec.journal.wire import Wire
from prefect_wfexec.status import RunStatus

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.actions import ArtifactUpdate
    from prefect.client.schemas.objects import FlowRun, State

logger = logging.getLogger(__name__)
TAG = "wfexec"
DURATION_LABEL = "wfexec.duration_seconds"
REPORTS_LABEL = "wfexec.reports"
TRIGGER_LABEL = "wfexec.trigger"
APPROVAL_LABEL = "wfexec.approval_seconds"
"""How long the run's gates have waited for people, all together."""
REPORTS_TAG = "wfexec-reports"
"""What a run is marked with that has ended and left reports, until they are removed."""
CLEANUP_TAG = "wfexec-cleanup"
"""What a run is marked with that takes away what another has made: lists of runs leave it out."""
_SUCCESS = range(200, 300)


def run_name(flow_run_id: UUID) -> str:
    """The `wfr_…` name of a run: the same whoever works it out."""
    digits, value = "0123456789abcdefghijklmnopqrstuvwxyz", flow_run_id.int
    name = ""
    for _ in range(10):
        value, digit = divmod(value, len(digits))
        name += digits[digit]
    return f"wfr_{name}"


def page_of(client: "PrefectClient", flow_run_id: UUID) -> str:
    """The address of a run's page in Prefect's UI."""
    from prefect.settings import get_current_settings

    base = get_current_settings().ui_url or str(client.api_url).rstrip("/").removesuffix("/api")
    return f"{base.rstrip('/')}/runs/flow-run/{flow_run_id}"


def tags_for(triggered_by: str, user: str | None) -> set[str]:
    """The tags that lists are filtered by."""
    tags = {TAG, f"trigger:{triggered_by.lower()}"}
    return tags | {f"user:{user}"} if user else tags


def labels_for(triggered_by: str, trigger: Mapping[str, Any]) -> dict[str, str]:
    """What a row of the history shows beyond the tags, from the moment a run exists."""
    return {"wfexec.triggered_by": triggered_by, TRIGGER_LABEL: str(trigger.get("text", ""))}


class FlowRunPicture:
    """Writes what Prefect shows of a run; what can't be written is logged and passed over.

    Attributes:
        is_entered_again: Whether an earlier process has worked at the run, and made pages perhaps.
    """

    def __init__(self, client: "PrefectClient", flow_run: "FlowRun", wire: Wire, engine: str) -> None:
        self._client = client
        self._wire = wire
        self._flow_run = flow_run
        self._artifacts: dict[str, tuple[UUID, str]] = {}
        self._shown = (RunStatus.RUNNING.value, "")
        self._engine = engine[:12]
        self._pauses = 0
        self.is_entered_again = False

    async def open(self, state: ExecutionState) -> None:
        """Name, tags and labels, where the creator of the run has not set them."""
        opened = state.opened
        if opened is None:
            return
        run = self._flow_run
        wanted = tags_for(opened.triggered_by, opened.user)
        name = opened.run_name if run.name != opened.run_name else None
        if name or not wanted <= set(run.tags):
            tags = sorted(set(run.tags) | wanted)
            await self._try(self._client.update_flow_run(run.id, name=name or run.name, tags=tags))
        labels = labels_for(opened.triggered_by, opened.trigger)
        if any(run.labels.get(key) != value for key, value in labels.items()):
            await self.label(labels)

    async def label(self, labels: Mapping[str, Any]) -> None:
        status = await self._wire.send("PATCH", f"/flow_runs/{self._flow_run.id}/labels", labels)
        if status is not None and status in _SUCCESS:
            return
        await self._try(self._client.update_flow_run_labels(self._flow_run.id, dict(labels)))

    async def mark(self, tag: str) -> None:
        """Give the run one more tag."""
        known = await self._try(self._client.read_flow_run(self._flow_run.id))
        if known is not None and tag not in known.tags:
            await self._try(self._client.update_flow_run(self._flow_run.id, tags=sorted({*known.tags, tag})))

    async def show_status(self, status: RunStatus, form: Form | None = None, *, suspends: bool = False) -> bool:
        """Set the state of a run that goes on: Running, Approval Pending or Terminating; whether Prefect shows it.

        Args:
            status: The status.
            form: The form of the gate the run waits at.
            suspends: Whether the process is about to leave, so that whoever fills in the form starts another.
        """
        shown = (status.value, form.base if form else "")
        if status.is_final or (shown == self._shown and not suspends):
            return True
        if form is not None and not await self._save_form(form):
            return False
        self._pauses += 1
        state = _live_state(status, form, f"{self._engine}-{self._pauses}", suspends=suspends)
        if await self._try(self._client.set_flow_run_state(self._flow_run.id, state, force=True)) is None:
            return False
        self._shown = shown
        return True

    async def end(self, state: "State[Any]") -> None:
        """Set the state the run ends in, whatever it was in; who runs the flow sees it as ended too."""
        if await self._try(self._client.set_flow_run_state(self._flow_run.id, state, force=True)) is not None:
            self._flow_run.state = state

    @property
    def shown_form(self) -> str:
        """The form for which the run was last paused here, by its base; empty while it is not paused."""
        return self._shown[1]

    def forget_status(self) -> None:
        """Somebody else has set the run's state: what is shown is to be set again."""
        self._shown = ("", "")

    async def _save_form(self, form: Form) -> bool:
        for key, value in form.inputs.items():
            body = {"key": key, "value": value, "sender": None}
            call = self._client.request(
                "POST", "/flow_runs/{id}/input", path_params={"id": self._flow_run.id}, json=body
            )
            try:
                await call
            except httpx.HTTPStatusError as error:
                # It is there from an earlier engine, or an answer of the API was lost.
                if error.response.status_code != HTTPStatus.CONFLICT:
                    logger.warning("the form of gate '%s' could not be saved: %s", form.step, error)
                    return False
            except httpx.HTTPError as error:
                logger.warning("the form of gate '%s' could not be saved: %s", form.step, error)
                return False
        return True

    async def artifact(self, key: str, markdown: str, description: str) -> bool:
        """Create or update a page keyed to the run; whether it is there as it should be."""
        from prefect.client.schemas.actions import ArtifactCreate, ArtifactUpdate

        if key not in self._artifacts and not await self._found_earlier(key):
            return False
        known = self._artifacts.get(key)
        if known is not None:
            is_same = known[1] == markdown
            if not is_same and await self._try(self._updated(known[0], ArtifactUpdate(data=markdown))) is None:
                return False
            self._artifacts[key] = (known[0], markdown)
            return True
        artifact = ArtifactCreate(
            key=self._artifact_key(key),
            type="markdown",
            description=description,
            data=markdown,
            flow_run_id=self._flow_run.id,
        )
        created = await self._try(self._client.create_artifact(artifact))
        if created is not None:
            self._artifacts[key] = (created.id, markdown)
        return created is not None

    async def _updated(self, artifact: UUID, change: "ArtifactUpdate") -> bool:
        await self._client.update_artifact(artifact, change)
        return True

    async def _found_earlier(self, key: str) -> bool:
        """Look for a page that an earlier process of the run has made: a second one of its name would stand beside it.

        Returns:
            Whether it is known by now if there is one.
        """
        if not self.is_entered_again:
            return True
        from prefect.client.schemas.filters import (
            ArtifactFilter,
            ArtifactFilterFlowRunId,
            ArtifactFilterKey,
        )

        wanted = ArtifactFilter(
            key=ArtifactFilterKey(any_=[self._artifact_key(key)]),
            flow_run_id=ArtifactFilterFlowRunId(any_=[self._flow_run.id]),
        )
        found = await self._try(self._client.read_artifacts(artifact_filter=wanted))
        if found:
            self._artifacts[key] = (found[0].id, str(found[0].data))
        return found is not None

    def _artifact_key(self, key: str) -> str:
        name = self._flow_run.name if self._flow_run.name.startswith("wfr_") else run_name(self._flow_run.id)
        return f"{name.replace('_', '-').lower()}-{key}"

    async def _try(self, call: Awaitable[Any]) -> Any:
        from prefect.exceptions import PrefectException

        try:
            return await call
        except (httpx.HTTPError, PrefectException) as error:
            logger.warning("prefect's picture of run %s could not be updated: %s", self._flow_run.id, error)
            return None


def final_state(status: RunStatus, reason: str) -> "State[Any]":
    """The state Prefect gets when the run ends."""
    from prefect.client.schemas.objects import State, StateType

    kinds = {
        RunStatus.SUCCEEDED: StateType.COMPLETED,
        RunStatus.FAILED: StateType.FAILED,
        RunStatus.APPROVAL_REJECTED: StateType.FAILED,
        RunStatus.TERMINATION_FAILED: StateType.FAILED,
        RunStatus.TERMINATED: StateType.CANCELLED,
        RunStatus.ERROR: StateType.CRASHED,
    }
    return State(type=kinds[status], name=status.value, message=reason)


def _live_state(status: RunStatus, form: Form | None, pause_key: str, *, suspends: bool) -> "State[Any]":
    from prefect.client.schemas.objects import State, StateDetails, StateType

    if status in {RunStatus.APPROVAL_PENDING, RunStatus.DEPLOYMENT_PENDING}:
        details = StateDetails(
            pause_key=pause_key, pause_reschedule=suspends, run_input_keyset=form.keyset if form else None
        )
        message = f"waits for a decision on '{form.step}'" if form else None
        return State(type=StateType.PAUSED, name=status.value, message=message, state_details=details)
    return State(type=StateType.RUNNING, name=status.value)
