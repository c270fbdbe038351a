"""What a dead engine had started: nobody knows how it went, so it never counts as success. What it said is kept."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from prefect_wfexec.definition.model import JSON
from prefect_wfexec.engine.commands import Commands, Trace
from prefect_wfexec.engine.fencing import foreign_claims, is_current
from prefect_wfexec.engine.lending import Lending
from prefect_wfexec.engine.outcome import OUTCOME_UNKNOWN
from prefect_wfexec.engine.outline import Outline
from prefect_wfexec.engine.steplog import store_spool
from prefect_wfexec.journal.facts import Fact, Kind, utc_now
from prefect_wfexec.journal.state import ExecutionState, StepState
from prefect_wfexec.runtime.outcome import Outcome
from prefect_wfexec.runtime.spool import Spool, copy_spool
from prefect_wfexec.status import StepStatus

TAIL_LINES = 20


async def settle_dead_claims(engine: str, lent: Lending, outline: Outline) -> None:
    """End every attempt of a dead engine, but for gates, which any engine carries on; a wait begins again."""
    claims = [claim for claim in foreign_claims(lent.journal.state, engine) if claim.id not in outline.resumable]
    logs = {claim.id: await _salvaged(lent.commands.trace(claim.id, claim.attempt), lent) for claim in claims}

    def decide(state: ExecutionState) -> list[Fact]:
        if not is_current(state, engine):
            return []
        left = [claim for claim in foreign_claims(state, engine) if claim.id in logs]
        facts = [_unknown(claim, lent.commands, logs[claim.id], again=claim.id in outline.repeatable) for claim in left]
        return [_asking(fact, outline, state) for fact in facts]

    await lent.journal.append(decide)
    for claim in claims:
        lent.commands.trace(claim.id, claim.attempt).forget()


def _asking(fact: Fact, outline: Outline, state: ExecutionState) -> Fact:
    """The same, to be decided on by somebody where the step says so."""
    step = outline.steps[str(fact.data["step"])]
    if step.on_failure != "ask" or fact.data.get("retry_at") or state.cancel is not None:
        return fact
    return replace(fact, data={**fact.data, "asks": True})


def _unknown(claim: StepState, commands: Commands, log: tuple[JSON, ...], *, again: bool) -> Fact:
    left = commands.trace(claim.id, claim.attempt).read_outcome()
    words = "the process that ran this step died before it could say how the step went"
    if left is not None:
        result = left.result
        how = f"exit code {result.exit_code}" if result.exit_code is not None else f"signal {result.signal}"
        words += "; its command was stopped and ended" if result.stopped else "; the last command it ran ended"
        words += f" with {how}"
    fault = {
        "type": OUTCOME_UNKNOWN,
        "message": f"{words}\nlook at what it changed before running it again",
        "exit_code": left.result.exit_code if left is not None else None,
        "tail": "\n".join(_lines(left)[-TAIL_LINES:]),
    }
    data = {
        "step": claim.id,
        "attempt": claim.attempt,
        "engine": claim.engine,
        "status": StepStatus.FAILED.value,
        "error": fault,
        "log": list(log),
    }
    if again:
        data["retry_at"] = utc_now().isoformat()
    return Fact(Kind.STEP_FINISHED, data)


async def _salvaged(trace: Trace, lent: Lending) -> tuple[JSON, ...]:
    """The log the dead engine left on this machine, and what its command said after that."""
    if not trace.log.exists() and not trace.outcome.exists():
        return ()
    with TemporaryDirectory(prefix="wfexec-") as folder:
        spool = Spool(Path(folder) / "log")
        await asyncio.to_thread(copy_spool, trace.log, spool)
        left = trace.read_outcome()
        for line in _lines(left):
            spool.append(left.ended.timestamp() if left else 0.0, "stdout", line + "\n")
        spool.finish()
        return await store_spool(spool, lent.blobs)


def _lines(left: Outcome | None) -> list[str]:
    """The end of what the command still said, terraform's JSON lines as their messages."""
    return [_readable(line) for line in (left.tail if left else "").splitlines() if line.strip()]


def _readable(line: str) -> str:
    try:
        message = json.loads(line)["@message"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return line
    return str(message)
