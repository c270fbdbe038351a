"""Showing a run as it goes on, and answering its gates."""

import asyncio
import shlex
import sys
from collections.abc import Sequence
from types import TracebackType
from typing import TextIO

from prefect_wfexec.cli.asking import Answer, ask
from prefect_wfexec.cli.live import LiveSteps
from prefect_wfexec.definition.model import Workflow
from prefect_wfexec.engine.progress import duration_text, lock_words, result_line, shown_status, step_seconds
from prefect_wfexec.engine.session import Session
from prefect_wfexec.errors import UsageError
from prefect_wfexec.journal.facts import Actor, Fact, Kind, utc_now
from prefect_wfexec.journal.state import ExecutionState, Gate
from prefect_wfexec.operations.decide import append_decision, decision_request
from prefect_wfexec.runtime.ansi import strip_ansi
from prefect_wfexec.runtime.spool import split_lines
from prefect_wfexec.status import StepStatus
from prefect_wfexec.steps.registry import find_step_type

_SHOWN = {Kind.STEP_STARTED, Kind.STEP_FINISHED, Kind.STEP_SKIPPED, Kind.APPROVAL_OPENED}


class Watcher:
    """Plain lines: one when a step starts and ends, and every line of its log.

    Args:
        user: Who decides here.
        yes: Whether gates are approved at once.
        file: Where to write.
        can_ask: Whether someone is there to answer.
    """

    def __init__(self, *, user: str, yes: bool, file: TextIO, can_ask: bool) -> None:
        self.user = user
        self.session = Session(on_facts=self._on_facts, on_log=self._on_log)
        self._yes = yes
        self._file = file
        self._can_ask = can_ask
        self._is_read = True
        self._lock_words = ""
        self._one_question = asyncio.Lock()
        self._state = ExecutionState()
        self._workflow: Workflow | None = None
        self._asking: dict[tuple[str, int, int], asyncio.Task[None]] = {}

    def __enter__(self) -> "Watcher":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._asking.values():
            task.cancel()

    def write(self, line: str) -> None:
        """Show one line. When nobody reads any more, the run goes on all the same."""
        if self._is_read:
            try:
                self._write(line)
            except OSError:
                self._is_read = False

    def _write(self, line: str) -> None:
        self._file.write(line + "\n")
        self._file.flush()

    def pause(self) -> None:
        """Someone is about to be asked."""

    def resume(self) -> None:
        """They have answered."""

    def changed(self, workflow: Workflow, state: ExecutionState) -> None:
        """The run moved on."""

    def _on_facts(self, workflow: Workflow, state: ExecutionState, facts: Sequence[Fact]) -> None:
        self._workflow, self._state = workflow, state
        for fact in facts:
            if fact.kind in _SHOWN:
                self._say(workflow, state, fact)
            elif fact.kind is Kind.REFUSED:
                self.write(f"not counted, from {fact.data.get('by') or 'unknown'}: {fact.data.get('reason')}")
        self._say_lock(state)
        self.changed(workflow, state)
        self._answer_gates(state)

    def _say(self, workflow: Workflow, state: ExecutionState, fact: Fact) -> None:
        step, current = workflow.step(str(fact.data["step"])), state.step(str(fact.data["step"]))
        if fact.kind is Kind.STEP_STARTED:
            if find_step_type(step.uses).spec.is_gate:
                return  # it is about to say that it waits
            again = f" (attempt {fact.data['attempt']})" if fact.data.get("attempt", 1) != 1 else ""
            self.write(f"{StepStatus.RUNNING.icon} {step.name} {StepStatus.RUNNING.value}{again}")
            return
        if fact.data.get("retry_at"):
            words = (fact.data.get("error") or {}).get("message") or "failed"
            self.write(f"{StepStatus.FAILED.icon} {step.name} attempt {fact.data['attempt']}: {_first_line(words)}")
            return
        status = shown_status(step, state)
        seconds = duration_text(step_seconds(current, utc_now())) if current.started and current.ended else ""
        words = " ".join(part for part in (status.icon, step.name, status.value, seconds) if part)
        line = _first_line(result_line(current, status))
        self.write(f"{words}: {line}" if line else words)
        gate = state.open_gate(step.id) if fact.kind is Kind.APPROVAL_OPENED else None
        if gate is not None and not (self._says_yes_to(gate) or self._can_ask) and state.opened is not None:
            self.write(_how_to_decide(gate, state.opened.run_name))

    def _say_lock(self, state: ExecutionState) -> None:
        words = lock_words(state)
        if words and words != self._lock_words:
            self.write(f"{StepStatus.WAITING.icon} {words}")
        self._lock_words = words

    def _on_log(self, step: str, _stream: str, text: str) -> None:
        for line in split_lines(strip_ansi(text)):
            self.write(f"{step} | {line}")

    def _answer_gates(self, state: ExecutionState) -> None:
        open_now = {
            (gate.step, gate.generation, gate.wrong_codes): gate for gate in state.open_gates if gate.covered_by is None
        }
        for key in [key for key in self._asking if key not in open_now]:
            self._asking.pop(key).cancel()
        for key, gate in open_now.items():
            if key not in self._asking and (self._says_yes_to(gate) or self._can_ask):
                self._asking[key] = asyncio.get_running_loop().create_task(self._answer(gate))

    def _says_yes_to(self, gate: Gate) -> bool:
        """Whether a gate is approved at once; what becomes of a step that failed is never decided in advance."""
        return self._yes and "approve" in gate.choices

    async def _answer(self, gate: Gate) -> None:
        if self._says_yes_to(gate):
            await self._decide(gate, Answer("approve", ""))
            return
        async with self._one_question:
            self.pause()
            try:
                answer = await ask(gate, self._workflow, self._state, self.write)
            finally:
                self.resume()
        if answer is not None:
            await self._decide(gate, answer)
        else:
            self.write(_elsewhere(self._state))

    async def _decide(self, gate: Gate, answer: Answer) -> None:
        journal = self.session.journal
        if journal is None:
            return
        try:
            request = decision_request(
                gate,
                answer.decision,
                Actor(self.user),
                answer.comment,
                run_id=str(journal.run_id),
                code=answer.code,
                fields=answer.fields,
            )
            await append_decision(journal, gate, request)
        except UsageError as error:
            self.write(error.message)
        self.session.wake()


def _how_to_decide(gate: Gate, run: str) -> str:
    if "approve" in gate.choices:
        return f"decide with `wfexec approve {run}` or `wfexec reject {run}`"
    skip = f", `wfexec skip {run} --step {shlex.quote(gate.step)} --reason …`" if "skip" in gate.choices else ""
    return f"decide with `wfexec approve {run}` to retry{skip}, or `wfexec reject {run}` to abort"


class LiveWatcher(Watcher):
    """The same with the step list kept in view below the log."""

    def __init__(self, *, user: str, yes: bool, file: TextIO, can_ask: bool) -> None:
        super().__init__(user=user, yes=yes, file=file, can_ask=can_ask)
        self._live = LiveSteps(file)

    def __enter__(self) -> "LiveWatcher":
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        self._live.stop()

    def _write(self, line: str) -> None:
        self._live.print(line)

    def pause(self) -> None:
        self._live.stop()

    def resume(self) -> None:
        self._live.start()

    def changed(self, workflow: Workflow, state: ExecutionState) -> None:
        self._live.show(workflow, state)


def _elsewhere(state: ExecutionState) -> str:
    run = state.opened.run_name if state.opened else "RUN"
    return f"decide with `wfexec approve {run}` or `wfexec reject {run}`"


def _first_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[0].rstrip(":") if lines else ""


def make_watcher(*, user: str, yes: bool, to_standard_error: bool, may_ask: bool = True) -> Watcher:
    """The watcher that suits where the output goes."""
    file = sys.stderr if to_standard_error else sys.stdout
    can_ask = may_ask and sys.stdin.isatty() and file.isatty()
    kind = LiveWatcher if file.isatty() else Watcher
    return kind(user=user, yes=yes, file=file, can_ask=can_ask)
