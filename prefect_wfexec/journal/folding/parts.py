"""A state with one part changed, and values as facts hold them."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from prefect_wfexec.journal.state import EngineInfo, ExecutionState, Gate, StepState
from prefect_wfexec.status import StepStatus

JSON = Any


def with_step(state: ExecutionState, step: StepState) -> ExecutionState:
    failed = state.failed - {step.id}
    if step.status in {StepStatus.FAILED, StepStatus.CANCELLED}:
        failed |= {step.id}
    engines = state.engines
    if engines and engines[-1].id == step.engine and step.started and not step.status.is_final:
        engines = (*engines[:-1], replace(engines[-1], last_fact=step.started))
    return replace(state, steps={**state.steps, step.id: step}, failed=failed, engines=engines)


def with_gate(state: ExecutionState, gate: Gate) -> ExecutionState:
    gates = tuple(gate if (old.step, old.generation) == (gate.step, gate.generation) else old for old in state.gates)
    return replace(state, gates=gates)


def with_engine(state: ExecutionState, engine_id: str, change: Callable[[EngineInfo], EngineInfo]) -> ExecutionState:
    engines = tuple(change(engine) if engine.id == engine_id else engine for engine in state.engines)
    return replace(state, engines=engines)


def without_request(state: ExecutionState, request_id: JSON) -> ExecutionState:
    if request_id not in state.requests:
        return state
    return replace(state, requests={key: value for key, value in state.requests.items() if key != request_id})


def final_status(word: JSON) -> StepStatus:
    status = StepStatus(word)
    if not status.is_final:
        raise ValueError(f"a step does not end as {status}")
    return status


def moment(text: JSON) -> datetime | None:
    if not text:
        return None
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError("a time without a zone")
    return found.astimezone(UTC)
