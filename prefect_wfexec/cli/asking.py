"""Asking on a terminal for a decision, while the run, and decisions from elsewhere, go on."""

import asyncio
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from prefect_wfexec.cli.output import note
from prefect_wfexec.definition.model import Workflow
from prefect_wfexec.engine.approvals.forms import plan_of
from prefect_wfexec.journal.state import ExecutionState, Gate
from prefect_wfexec.operations.decide import Decision

LONGEST_PLAN_LINES = 120
_ANSWERS: dict[str, Decision] = {"a": "approve", "approve": "approve", "r": "reject", "reject": "reject"}
_RETRIES: dict[str, Decision] = {"r": "approve", "retry": "approve", "a": "reject", "abort": "reject"}


@dataclass(frozen=True, slots=True)
class Answer:
    """What somebody typed: the decision, and what goes with it."""

    decision: Decision
    comment: str
    code: str | None = None
    fields: Mapping[str, str] = field(default_factory=dict)


async def confirm(question: str) -> bool:
    """Whether somebody says yes; where nobody can be asked, what was ordered goes ahead."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return True
    note(f"{question} [y/N]")
    return (await _line() or "").strip().lower() in {"y", "yes"}


async def ask(
    gate: Gate, workflow: Workflow | None, state: ExecutionState, write: Callable[[str], None]
) -> Answer | None:
    """The decision typed in, with what goes with it; None when nobody is there any more. May be cancelled."""
    for line in _request(gate, workflow, state):
        write(line)
    is_failure = "approve" not in gate.choices
    words = "retry or abort? [r/a]" if is_failure else "approve or reject? [a/r]"
    while True:
        write(f"{words}, or leave it open and decide elsewhere")
        answer = await _line()
        if answer is None:
            return None
        decision = (_RETRIES if is_failure else _ANSWERS).get(answer.strip().lower())
        if decision is not None:
            return await _rest(gate, decision, write)


async def _rest(gate: Gate, decision: Decision, write: Callable[[str], None]) -> Answer:
    fields = {}
    for name, spec in gate.fields.items() if decision == "approve" else ():
        words = spec.get("title") or name
        choices = f" [{'/'.join(map(str, spec['enum']))}]" if spec.get("enum") else ""
        write(f"{words}{choices}?")
        typed = (await _line() or "").strip()
        if typed:
            fields[name] = typed
    write("why? (optional)")
    comment = (await _line() or "").strip()
    code = None
    if gate.is_governed:
        write("your personal code?")
        code = (await _line() or "").strip() or None
    return Answer(decision, comment, code, fields)


def _request(gate: Gate, workflow: Workflow | None, state: ExecutionState) -> Iterator[str]:
    yield f"── approval: {gate.step} " + "─" * 20
    if gate.message:
        yield gate.message
    planned = plan_of(gate, workflow, state)
    text = str(planned["text"]) if planned else ""
    lines = text.splitlines()
    yield from lines[:LONGEST_PLAN_LINES]
    if len(lines) > LONGEST_PLAN_LINES:
        yield f"… {len(lines) - LONGEST_PLAN_LINES} more lines: see `wfexec show`"
    yield f"subject {gate.subject_digest[:16]}"


async def _line() -> str | None:
    """A line of standard input, without blocking the loop; None at its end."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[str | None] = loop.create_future()

    def read() -> None:
        line = sys.stdin.readline()
        if not answer.done():
            answer.set_result(line or None)

    loop.add_reader(sys.stdin.fileno(), read)
    try:
        return await answer
    finally:
        loop.remove_reader(sys.stdin.fileno())
