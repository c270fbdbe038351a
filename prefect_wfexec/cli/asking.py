"""Asking on a terminal for a decision, while the run, and decisions from elsewhere, go on."""

import asyncio
import sys
from collections.abc import Callable, Iterator

from prefect_wfexec.definition.model import Workflow
from prefect_wfexec.engine.approvals.forms import plan_of
from prefect_wfexec.journal.state import ExecutionState, Gate
from prefect_wfexec.operations.decide import Decision

LONGEST_PLAN_LINES = 120
_ANSWERS: dict[str, Decision] = {"a": "approve", "approve": "approve", "r": "reject", "reject": "reject"}


async def ask(
    gate: Gate, workflow: Workflow | None, state: ExecutionState, write: Callable[[str], None]
) -> tuple[Decision, str] | None:
    """The decision typed in, with its comment; None when nobody is there any more. May be cancelled."""
    for line in _request(gate, workflow, state):
        write(line)
    while True:
        write("approve or reject? [a/r], or leave it open and decide elsewhere")
        answer = await _line()
        if answer is None:
            return None
        decision = _ANSWERS.get(answer.strip().lower())
        if decision is not None:
            write("why? (optional)")
            return decision, (await _line() or "").strip()


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
