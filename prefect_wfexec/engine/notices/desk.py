"""Sends what is due about the gates of a run, in the background, and puts on record what came of it."""

import asyncio
import contextlib
import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from prefect_wfexec.definition.model import Workflow
from prefect_wfexec.engine.approvals.codes import CodeBook
from prefect_wfexec.engine.approvals.links import LinkBook
from prefect_wfexec.engine.fencing import is_current
from prefect_wfexec.engine.notices.about import About, about_gate
from prefect_wfexec.engine.notices.due import Due, due_notices
from prefect_wfexec.engine.notices.senders import NotSent, change_slack, post_slack, send_mail, slack_access
from prefect_wfexec.engine.notices.texts import mail_message, slack_message
from prefect_wfexec.journal.facts import Fact, Kind, utc_now
from prefect_wfexec.journal.journal import Journal
from prefect_wfexec.journal.state import ExecutionState, Gate
from prefect_wfexec.steps.base import RunInfo

if TYPE_CHECKING:
    from collections.abc import Callable

    from prefect_wfexec.runtime.masking import Masker

logger = logging.getLogger(__name__)
TRIES = 3
PAUSE_SECONDS = 2.0
LONGEST_GOODBYE_SECONDS = 30.0


class NoticeDesk:
    """One per engine. A message that can't be sent is shown on its gate, and keeps nothing from going on.

    Args:
        engine: The engine's id.
        run: The run.
        journal: Its journal.
        codes: The codes of its gates.
        links: The links about them.
        masker: Knows the run's secrets.
        wake: Called when a message was sent, or given up.
    """

    def __init__(
        self,
        engine: str,
        run: RunInfo,
        journal: Journal,
        codes: CodeBook,
        links: LinkBook,
        masker: "Masker",
        wake: "Callable[[], None]",
    ) -> None:
        self._engine = engine
        self._run = run
        self._journal = journal
        self._codes = codes
        self._links = links
        self._masker = masker
        self._wake = wake
        self._task: asyncio.Task[None] | None = None

    @property
    def is_busy(self) -> bool:
        """Whether a message is on its way."""
        return self._task is not None and not self._task.done()

    def look(self, workflow: Workflow) -> None:
        """Send what is due by now."""
        if not self._journal.state.gates:
            return
        if not self.is_busy and due_notices(self._journal.state, utc_now()):
            self._task = asyncio.create_task(self._send_all(workflow), name="wfexec-notices")

    async def finish(self, workflow: Workflow | None) -> None:
        """Send what is still due, within a bound: a message never keeps a run from ending."""
        if workflow is not None and is_current(self._journal.state, self._engine):
            self.look(workflow)
        if self._task is not None:
            with contextlib.suppress(TimeoutError, asyncio.CancelledError):
                await asyncio.wait_for(self._task, LONGEST_GOODBYE_SECONDS)

    async def _send_all(self, workflow: Workflow) -> None:
        tried: set[str] = set()
        while is_current(self._journal.state, self._engine):
            due = [one for one in due_notices(self._journal.state, utc_now()) if _name(one) not in tried]
            if not due:
                break
            tried.add(_name(due[0]))
            await self._send(due[0], workflow)
        self._wake()

    async def _send(self, due: Due, workflow: Workflow) -> None:
        gate = _gate(due, self._journal.state)
        about = self._about(due, gate, workflow)
        place: dict[str, str] = {}
        error = ""
        for attempt in range(1, TRIES + 1):
            try:
                place = await self._sent(due, about)
                error = ""
                break
            except NotSent as fault:
                error = self._masker.mask(f"{fault.message}; {fault.hint}" if fault.hint else fault.message)
                if not fault.may_pass or attempt == TRIES:
                    break
                await asyncio.sleep(PAUSE_SECONDS * attempt)
            except Exception as fault:  # noqa: BLE001 - a message must not take the run down
                error = f"{type(fault).__name__}"
                break
        if error:
            logger.warning("the message to %s about gate '%s' was not sent: %s", due.to, due.step, error)
        data = {
            "engine": self._engine,
            "step": due.step,
            "generation": due.generation,
            "key": due.key,
            **({"error": error} if error else {}),
            **({"place": place} if place else {}),
        }

        def decide(state: ExecutionState) -> list[Fact]:
            return [Fact(Kind.NOTIFIED, data)] if is_current(state, self._engine) else []

        await self._journal.append(decide)

    async def _sent(self, due: Due, about: About) -> dict[str, str]:
        """Send a message; where it is, for one that can be changed later."""
        if due.channel == "mail":
            await send_mail(due.block, due.to, *mail_message(due.kind, about))
            return {}
        access = await slack_access(due.block)
        button = self._links.button(about.gate, due.block) if access.signing_secret else ""
        text, blocks = slack_message(due.kind, replace(about, button=button))
        if due.kind == "changed":
            await change_slack(access, dict(due.place), text, blocks)
            return {}
        return await post_slack(access, due.to, text, blocks)

    def _about(self, due: Due, gate: Gate, workflow: Workflow) -> About:
        about = about_gate(gate, workflow, self._journal.state, self._run.name, self._run.ui_url)
        if due.channel != "mail":
            return about
        # Where anybody may decide, whoever reads the mailbox does so in its name.
        person = due.person if gate.is_governed else due.to
        codes = {decision: self._codes.code(gate, due.person, decision) for decision in gate.choices}
        return replace(
            about,
            codes=codes if due.person and gate.is_governed else None,
            link=self._links.link(gate, person) if person else "",
        )


def _name(due: Due) -> str:
    return f"{due.step}:{due.generation}:{due.key}"


def _gate(due: Due, state: ExecutionState) -> Gate:
    return next(gate for gate in state.gates if (gate.step, gate.generation) == (due.step, due.generation))
