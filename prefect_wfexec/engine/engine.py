"""The run loop: fold, decide what is ready, start it, wait for the first thing that happens, and again."""

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prefect_wfexec.definition.expressions import ExpressionError, render
from prefect_wfexec.definition.loader import load_text
from prefect_wfexec.definition.model import JSON, Step, Workflow
from prefect_wfexec.engine import fencing, gates
from prefect_wfexec.engine.attempt import Attempt, Finish
from prefect_wfexec.engine.commands import Commands
from prefect_wfexec.engine.context import RunContext
from prefect_wfexec.engine.decide import Decider
from prefect_wfexec.engine.flow_run import FlowRunPicture, final_state, run_name
from prefect_wfexec.engine.gate_opening import render_gate
from prefect_wfexec.engine.outcome import outcome
from prefect_wfexec.engine.outline import Outline
from prefect_wfexec.engine.outputs import load_outputs, store_outputs, value_at
from prefect_wfexec.engine.painter import Painter
from prefect_wfexec.engine.scope import Scopes
from prefect_wfexec.engine.secret_values import load_secrets, strings_in
from prefect_wfexec.engine.session import Session
from prefect_wfexec.engine.task_runs import run_as_task, write_task_run
from prefect_wfexec.errors import StepFailed
from prefect_wfexec.journal.blobs import Blobs
from prefect_wfexec.journal.facts import Fact, Kind, utc_now
from prefect_wfexec.journal.fold import fold_facts
from prefect_wfexec.journal.journal import Journal
from prefect_wfexec.journal.keys import Keys
from prefect_wfexec.journal.state import ExecutionState
from prefect_wfexec.runtime.masking import Masker
from prefect_wfexec.runtime.supervisor import Supervisor
from prefect_wfexec.status import StepStatus
from prefect_wfexec.steps.base import Artifact, RunInfo
from prefect_wfexec.steps.registry import catalog, find_step_type

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.objects import FlowRun, State

FACTS_AN_ENTRY = 100
POLL_SECONDS = 1.0


class Engine:
    """One process executing one run.

    Args:
        workflow: The definition this process was given; a run that is open already keeps the one it was opened with.
        client: A Prefect client that stays open.
        flow_run: The run.
        inputs: Its inputs, validated.
        context: Who or what started it.
        keys: The key of its journal and blobs.
        home: Prefect's home, where traces of commands are left.
        session: Who watches.
    """

    def __init__(
        self,
        workflow: Workflow,
        client: "PrefectClient",
        flow_run: "FlowRun",
        inputs: dict[str, JSON],
        context: RunContext,
        keys: Keys,
        home: Path,
        session: Session,
    ) -> None:
        self.id = fencing.new_engine_id()
        self.workflow = workflow
        self.masker = Masker()
        self.journal = Journal(client, flow_run.id, keys)
        self.blobs = Blobs(client, flow_run.id, keys)
        self.digest_key = keys.digests
        self.run = RunInfo(
            id=str(flow_run.id),
            name=flow_run.name if flow_run.name.startswith("wfr_") else run_name(flow_run.id),
            workflow=workflow.name,
            api_url=str(client.api_url).rstrip("/"),
        )
        self._supervisor = Supervisor()
        traces = home / "wfexec" / "runs" / str(flow_run.id)
        self.commands = Commands(self._supervisor, traces, lambda: tuple(self.masker.secrets))
        self.folder = Path()
        self._client = client
        self._flow_run = flow_run
        self._inputs = inputs
        self._context = context
        self._session = session
        self._painter = Painter(FlowRunPicture(client, flow_run))
        self._picture = self._painter._picture
        self._wake = asyncio.Event()
        self._attempts: dict[str, tuple[Attempt, asyncio.Task[None]]] = {}
        self._finished: dict[str, tuple[int, Finish, asyncio.Future[None]]] = {}
        self._background: set[asyncio.Task[None]] = set()
        self._changed: set[str] | None = None
        self._last_contact = 0.0
        self._last_sign = utc_now()
        self._is_cancelling = False
        self._scopes: Scopes
        self._decider: Decider

    # -- entering ------------------------------------------------------------------------------------------------

    async def execute(self) -> "State[Any]":
        """Run the run to its end; the state Prefect gets.

        Raises:
            Superseded: a newer engine took over.
            EngineError: a fault of ours, of Prefect or of the machine.
        """
        await self.journal.catch_up()
        if self.journal.state.closed is None:
            await self._enter()
        if self.journal.state.closed is None:
            try:
                await self._loop()
            finally:
                await self._leave()
        closed = self.journal.state.closed
        if closed is None:
            raise fencing.Superseded("a newer engine runs this run")
        return final_state(closed.status, f"{closed.reason} (journal {self.journal.head[:16]})".strip())

    async def _enter(self) -> None:
        loop = asyncio.get_running_loop()
        self._session.journal = self.journal
        self._session.wake = lambda: loop.call_soon_threadsafe(self._wake.set)
        await self.journal.append(self._open)
        await self.journal.append(fencing.enter(self.id))
        await self._take_over()
        self._painter.start()
        state = self.journal.state
        self._painter.job(lambda: self._picture.open(state))
        self._tell(())

    def _open(self, state: ExecutionState) -> list[Fact]:
        if state.opened is not None or state.closed is not None:
            return []
        path = self.workflow.path.resolve() if self.workflow.path else None
        data = {
            "definition": self.workflow.text,
            "digest": self.workflow.digest,
            "workflow": self.workflow.name,
            "path": str(path or ""),
            "folder": str(path.parent if path else Path.cwd()),
            "inputs": self._inputs,
            "trigger": self._context.trigger,
            "triggered_by": self._context.triggered_by.value,
            "user": self._context.user,
            "run_name": self.run.name,
        }
        return [Fact(Kind.OPENED, data)]

    async def _take_over(self) -> None:
        """Go on from what the journal says: the pinned definition, outputs in clear, and claims of dead engines."""
        opened = self.journal.state.opened
        if opened is None:
            raise fencing.Superseded("the run was closed before it was opened")
        path = Path(opened.path) if opened.path else None
        if opened.digest != self.workflow.digest:
            self.workflow = load_text(opened.definition, path or self.workflow.path, catalog())
        has_deployment = self._flow_run.deployment_id is not None
        loaded_from = self.workflow.path.resolve().parent if self.workflow.path else Path.cwd()
        self.folder = loaded_from if has_deployment else Path(opened.folder)
        outline = Outline(self.workflow)
        self._scopes = Scopes(self.workflow, outline, self.run)
        self._decider = Decider(outline, self._scopes, self.id)
        await fencing.wait_for_older_engines(self.journal, self.id, self.commands)
        await self.journal.append(
            lambda state: (
                fencing.unknown_outcomes(state, self.id, self.commands)
                if fencing.is_current(state, self.id)
                else []
            )
        )
        for step in self.journal.state.steps.values():
            if step.outputs_ref:
                values, secret = await load_outputs(step.outputs_ref, self.blobs)
                self._scopes.values[step.id] = values
                self.masker.add(*(text for path in secret for text in strings_in(value_at(values, path))))

    async def _leave(self) -> None:
        """Stop what still runs, whatever the reason for leaving, and record how it ended."""
        for attempt, _task in self._attempts.values():
            attempt.stop("cancelled")
        tasks = [task for _attempt, task in self._attempts.values()]
        while tasks and not all(task.done() or task_is_recorded for task, task_is_recorded in self._recorded(tasks)):
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait({*tasks}, timeout=0.2)
        with contextlib.suppress(Exception):
            await self.journal.append(self._own_finishes)
        for _number, _finish, recorded in self._finished.values():
            if not recorded.done():
                recorded.set_result(None)
        if tasks:
            await asyncio.wait(tasks, timeout=10)
        await self._painter.finish()
        await self._supervisor.close()

    def _recorded(self, tasks: list["asyncio.Task[None]"]) -> list[tuple["asyncio.Task[None]", bool]]:
        by_task = {task: step_id for step_id, (_attempt, task) in self._attempts.items()}
        return [(task, by_task.get(task) in self._finished) for task in tasks]

    # -- the loop ------------------------------------------------------------------------------------------------

    async def _loop(self) -> None:
        while True:
            await self._advance()
            state = self.journal.state
            if not fencing.is_current(state, self.id):
                await self._give_way()
            elif self._decider.is_over(state):
                await self._close()
                return
            await self._wait()

    async def _advance(self) -> None:
        """Append what follows from what happened, until nothing follows any more."""
        while True:
            changed = self._changed
            facts = await self.journal.append(self._decide)
            self._last_contact = asyncio.get_running_loop().time()
            self._stop_if_cancelled()
            if not facts:
                self._changed = set() if changed is None else self._changed
                return
            self._changed = None if len(facts) >= FACTS_AN_ENTRY else set()
            await self._act_on(facts)
            self._tell(facts)
            if self._changed is not None:
                return

    def _decide(self, state: ExecutionState) -> list[Fact]:
        own = self._own_finishes(state)
        if not fencing.is_current(state, self.id) or state.closed is not None:
            return own
        now = utc_now()
        after = fold_facts(own, state, 0)
        found = gates.gate_facts(after, now)
        after = fold_facts(found, after, 0)
        ended = {str(fact.data["step"]) for fact in (*own, *found) if fact.kind is Kind.STEP_FINISHED}
        changed = None if self._changed is None else self._changed | ended
        return [*own, *found, *self._decider.next_facts(after, now, changed)][:FACTS_AN_ENTRY]

    def _own_finishes(self, state: ExecutionState) -> list[Fact]:
        facts = []
        for step_id, (number, finish, _recorded) in self._finished.items():
            step = state.step(step_id)
            if step.engine == self.id and step.attempt == number and step.status is StepStatus.RUNNING:
                facts.append(self._finish_fact(self._decider.outline.steps[step_id], number, finish, state))
        return facts

    def _finish_fact(self, step: Step, number: int, finish: Finish, state: ExecutionState) -> Fact:
        now = utc_now()
        retry_at = _retry_at(step, number, finish, now) if state.cancel is None else None
        data = {
            "step": step.id,
            "attempt": number,
            "engine": self.id,
            "status": finish.status.value,
            "summary": finish.summary,
            "reason": finish.reason,
            "error": finish.fault,
            "outputs": finish.outputs.shown,
            "outputs_ref": finish.outputs.ref,
            "log": list(finish.log),
            "retry_at": retry_at.isoformat() if retry_at else None,
        }
        return Fact(Kind.STEP_FINISHED, {key: value for key, value in data.items() if value}, time=now)

    async def _wait(self) -> None:
        """Until an attempt ended, the journal may have grown, or something is due."""
        due = self._seconds_until_due()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), min(POLL_SECONDS, due))
        woken = self._wake.is_set()
        self._wake.clear()
        silent = asyncio.get_running_loop().time() - self._last_contact
        if (woken and not self._finished) or silent >= POLL_SECONDS:
            known = len(self.journal.entries)
            await self.journal.catch_up()
            self._last_contact = asyncio.get_running_loop().time()
            new = self.journal.entries[known:]
            if new:
                self._tell([fact for entry in new for fact in entry.trusted_facts])

    def _seconds_until_due(self) -> float:
        state = self.journal.state
        moments = [step.retry_at for step in state.steps.values() if step.retry_at]
        expiry = gates.next_expiry(state)
        if expiry:
            moments.append(expiry)
        if not moments:
            return POLL_SECONDS
        return max(0.0, (min(moments) - utc_now()).total_seconds())

    async def _give_way(self) -> None:
        """A newer engine entered: finish what runs here, show a sign of life meanwhile, then say so and leave."""
        if not self._attempts:
            await self.journal.append(lambda _state: [Fact(Kind.SUPERSEDED, {"engine": self.id})])
            raise fencing.Superseded("a newer engine runs this run")
        if (utc_now() - self._last_sign).total_seconds() >= fencing.SIGN_OF_LIFE_SECONDS:
            self._last_sign = utc_now()
            note = {"engine": self.id, "text": f"finishing {', '.join(sorted(self._attempts))}"}
            await self.journal.append(lambda _state: [Fact(Kind.NOTED, note)])

    def _stop_if_cancelled(self) -> None:
        if self.journal.state.cancel is None or self._is_cancelling:
            return
        self._is_cancelling = True
        for attempt, _task in self._attempts.values():
            attempt.stop("cancelled")

    # -- acting --------------------------------------------------------------------------------------------------

    async def _act_on(self, facts: Sequence[Fact]) -> None:
        ended = {str(fact.data["step"]) for fact in facts if fact.kind is Kind.STEP_FINISHED}
        for step_id in [step_id for step_id in self._finished if step_id in ended]:
            self._settle(step_id)
        for fact in facts:
            if fact.kind is Kind.STEP_STARTED and fact.data["step"] not in ended:
                self._start(self._decider.outline.steps[str(fact.data["step"])])
            elif fact.kind in {Kind.STEP_SKIPPED, Kind.STEP_FINISHED}:
                self._picture_of(str(fact.data["step"]), facts)

    def _settle(self, step_id: str) -> None:
        """The end of an attempt stands in the journal: Prefect may know."""
        _number, finish, recorded = self._finished.pop(step_id)
        self._attempts.pop(step_id, None)
        if finish.values:
            self._scopes.values[step_id] = finish.values
        if not recorded.done():
            recorded.set_result(None)
        for page in finish.artifacts:
            self._painter.page(page)

    def _picture_of(self, step_id: str, facts: Sequence[Fact]) -> None:
        """Show steps that had no task run of their own making: skipped, cancelled, gates, failed conditions."""
        step, current = self._decider.outline.steps[step_id], self.journal.state.step(step_id)
        started_here = any(fact.kind is Kind.STEP_STARTED and fact.data["step"] == step_id for fact in facts)
        is_gate = find_step_type(step.uses).spec.is_gate
        if current.status.is_final and (is_gate or started_here or not current.attempt):
            message = current.fault.message if current.fault else current.reason or current.summary
            write_task_run(step, self._flow_run.id, current.status, message)

    def _start(self, step: Step) -> None:
        if find_step_type(step.uses).spec.is_gate:
            self._spawn(step, self._run_gate(step))
            return
        state = self.journal.state
        number = state.step(step.id).attempt
        scope = self._scopes.scope(state, {"with": dict(step.with_), "env": dict(step.env)})
        holder: list[Attempt] = []

        async def work(to_prefect: Any) -> tuple[StepStatus, str]:
            def sink(stream: str, text: str) -> None:
                to_prefect(stream, text)
                self._session.on_log(step.id, stream, text)

            holder[0].sink = sink
            finish = await holder[0].run()
            await self._record(step.id, number, finish)
            message = finish.fault["message"] if finish.fault else finish.summary or finish.reason
            return finish.status, str(message)

        attempt = Attempt(step, number, find_step_type(step.uses), scope, self)
        holder.append(attempt)
        self._spawn(step, run_as_task(step, self._flow_run.id, number, work), attempt)

    def _spawn(self, step: Step, coroutine: Any, attempt: Attempt | None = None) -> None:
        task = asyncio.create_task(coroutine, name=f"wfexec-{step.id}")
        if attempt is not None:
            self._attempts[step.id] = (attempt, task)
        else:
            self._background.add(task)
            task.add_done_callback(self._background.discard)
        task.add_done_callback(lambda done: self._task_ended(step, done))

    def _task_ended(self, step: Step, task: "asyncio.Task[None]") -> None:
        """Prefect's task engine let a fault through: the step must not stay Running for ever."""
        fault = None if task.cancelled() else task.exception()
        if fault is None or step.id in self._finished:
            return
        number = self.journal.state.step(step.id).attempt
        message = self.masker.mask(f"{type(fault).__name__}: {fault}")
        finish = Finish(
            StepStatus.FAILED, fault={"type": "internal", "message": message, "exit_code": None, "tail": ""}
        )
        self._finished[step.id] = (number, finish, asyncio.get_running_loop().create_future())
        self._wake.set()

    async def _record(self, step_id: str, number: int, finish: Finish) -> None:
        """Hand the end of an attempt to the loop, and wait until it stands in the journal."""
        recorded: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._finished[step_id] = (number, finish, recorded)
        self._wake.set()
        await recorded

    async def _run_gate(self, step: Step) -> None:
        """Open a gate; the loop closes it."""
        state = self.journal.state
        generation = 1 + sum(1 for gate in state.gates if gate.step == step.id)
        scope = self._scopes.scope(state, {"with": dict(step.with_)})
        try:
            inputs, shown = await render_gate(step, scope, self)
        except (StepFailed, ExpressionError) as error:
            message = self.masker.mask(f"{error.message}\n{error.hint}" if error.hint else error.message)
            kind = error.type if isinstance(error, StepFailed) else "expression"
            fault = {"type": kind, "message": message, "exit_code": None, "tail": ""}
            recorded: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            number = state.step(step.id).attempt
            self._finished[step.id] = (number, Finish(StepStatus.FAILED, fault=fault), recorded)
            self._wake.set()
            return

        def decide(now_state: ExecutionState) -> list[Fact]:
            is_ready = now_state.step(step.id).status is StepStatus.RUNNING
            if not is_ready or not fencing.is_current(now_state, self.id) or now_state.cancel:
                return []
            return [gates.opening(step.id, generation, inputs, shown, utc_now())]

        facts = await self.journal.append(decide)
        write_task_run(step, self._flow_run.id, StepStatus.WAITING, str(shown.get("message") or ""))
        self._tell(facts)
        self._wake.set()

    # -- what an attempt is lent ------------------------------------------------------------------------------------

    async def secrets(self, names: frozenset[str]) -> dict[str, JSON]:
        return await load_secrets(self._client, names) if names else {}

    async def claim(self, step_id: str, claim: str) -> None:
        """Put a claim on record before a deed that must not be done twice.

        Raises:
            StepFailed: it was done, or begun, before.
            Superseded: a newer engine runs this run.
        """

        def decide(state: ExecutionState) -> list[Fact]:
            if not fencing.is_current(state, self.id):
                raise fencing.Superseded("a newer engine runs this run")
            taken = [step.id for step in state.steps.values() if claim in step.claims]
            if taken:
                raise StepFailed(
                    f"this saved plan was used by step '{taken[0]}' already and is never applied twice",
                    type="plan_used",
                    hint="plan again, and have the new plan approved",
                    retryable=False,
                )
            return [Fact(Kind.STEP_CLAIMED, {"step": step_id, "claim": claim, "engine": self.id})]

        await self.journal.append(decide)

    # -- ending ----------------------------------------------------------------------------------------------------

    async def _close(self) -> None:
        shown, ref = await self._outputs()

        def decide(state: ExecutionState) -> list[Fact]:
            if not fencing.is_current(state, self.id) or state.closed is not None:
                return []
            status, reason = outcome(self._decider.outline, state)
            data = {
                "engine": self.id,
                "status": status.value,
                "reason": reason,
                "outputs": shown,
                "outputs_ref": ref,
            }
            return [Fact(Kind.CLOSED, data)]

        facts = await self.journal.append(decide)
        self._tell(facts)
        state = self.journal.state
        labels = {"wfexec.duration_seconds": round(state.active_seconds(utc_now()), 3), "wfexec.reports": 0}
        self._painter.job(lambda: self._picture.label(labels))
        if shown:
            from prefect_wfexec.journal.facts import canonical_json

            text = canonical_json(shown).replace("```", "ʼʼʼ")
            self._painter.page(Artifact("outputs", f"```json\n{text}\n```\n", "What the run gave"))

    async def _outputs(self) -> tuple[dict[str, JSON], dict[str, JSON] | None]:
        """The workflow's outputs; one that can't be worked out is null."""
        values: dict[str, JSON] = {}
        for name, template in self.workflow.outputs.items():
            try:
                values[name] = render(template, self._scopes.scope(self.journal.state, template))
            except ExpressionError:
                values[name] = None
        stored = await store_outputs(values, (), self.masker, self.blobs)
        return stored.shown, stored.ref

    def _tell(self, facts: Sequence[Fact]) -> None:
        self._session.on_facts(self.workflow, self.journal.state, facts)
        self._painter.changed(self.workflow, self.journal.state)


def _retry_at(step: Step, number: int, finish: Finish, now: datetime) -> datetime | None:
    """When the step is tried again; None when it is not."""
    if finish.status is not StepStatus.FAILED or not finish.retryable or number >= step.retry.attempts:
        return None
    if step.retry.on and (finish.fault or {}).get("type") not in step.retry.on:
        return None
    return now + timedelta(seconds=step.retry.delay_seconds * step.retry.backoff ** (number - 1))
