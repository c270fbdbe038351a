"""Pipelines of any shape, with anything that may happen to them, in any order."""

from dataclasses import replace
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from prefect_wfexec.definition.expansion import expand
from prefect_wfexec.definition.model import Retry, Step, Workflow
from prefect_wfexec.definition.raw import PHASES
from prefect_wfexec.journal.facts import Kind
from prefect_wfexec.journal.fold import fold
from prefect_wfexec.status import RunStatus
from tests.unit.engine.oracle import check_end
from tests.unit.engine.simulation import Simulation
from tests.unit.engine.support import workflow
from tests.unit.engine.test_run_loop import Play
from tests.unit.journal.support import entry

TARGETS: dict[str, Any] = {
    "test": {"environment": {"name": "test"}, "is_protected": False, "is_manual": False},
    "staging": {"environment": {"name": "staging"}, "is_protected": False, "is_manual": True},
    "production": {"environment": {"name": "production"}, "is_protected": False, "is_manual": True},
}


def random_pipeline(random: Random) -> Workflow:
    """Steps in some of the phases, each needing the phase before; some in several instances."""
    steps: list[Step] = []
    before: tuple[str, ...] = ()
    for phase in random.sample(PHASES, random.randint(1, 4)):
        own = [_step(random, f"{phase}_{number}", phase, before) for number in range(random.randint(1, 2))]
        steps += own
        before = tuple(step.id for step in own)
    return expand(workflow(*steps), {"regions": ["eu", "us"][: random.randint(1, 2)]})


def _step(random: Random, step_id: str, phase: str, needs: tuple[str, ...]) -> Step:
    step = Step(
        id=step_id,
        name=step_id,
        uses="shell",
        needs=needs,
        phase=phase,
        when=random.choice(["success", "success", "success", "always", "failure"]),
        on_failure=random.choice(["fail", "fail", "continue", "ask"]),
        retry=Retry(random.choice([1, 1, 2])),
    )
    several: list[dict[str, Any]] = [
        {},
        {"matrix": {"region": "${{ inputs.regions }}", "size": [1, 2]}},
        {"environments": tuple(random.sample(sorted(TARGETS), random.randint(1, 3)))},
    ]
    made = replace(step, **random.choice(several))
    if made.environments:
        return replace(made, if_=random.choice([None, None, "environment.name != 'staging'"]))
    return made


def played(seed: int, *, is_cancelled: bool) -> Simulation:
    random = Random(seed)
    sim = Simulation(random_pipeline(random), {"targets": TARGETS})
    Play(sim, random, is_cancelled=is_cancelled).run()
    return sim


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2**64), st.booleans())
def test_every_pipeline_ends_as_the_language_says(seed: int, is_cancelled: bool) -> None:
    sim = played(seed, is_cancelled=is_cancelled)
    _check_conditions_apart(sim)
    again = fold(entry([fact], keyed=fact.kind is not Kind.REQUESTED) for fact in sim.facts)
    assert replace(again, engines=()) == replace(sim.state, engines=())


def _check_conditions_apart(sim: Simulation) -> None:
    """The oracle knows few conditions: those of environments are looked at here."""
    unconditional = replace(sim.workflow, steps=tuple(_without_condition(sim, step) for step in sim.workflow.steps))
    check_end(unconditional, sim.state)


def _without_condition(sim: Simulation, step: Step) -> Step:
    if step.if_ is None:
        return step
    return replace(step, if_="false" if step.environment == "staging" else None)


def test_the_interesting_ends_are_among_them() -> None:
    ends = [played(seed, is_cancelled=False).state for seed in range(120)]
    statuses = [state.closed.status for state in ends if state.closed is not None]
    assert len(statuses) == len(ends)
    assert {RunStatus.SUCCEEDED, RunStatus.FAILED, RunStatus.APPROVAL_REJECTED} <= set(statuses)
    outcomes = [gate.outcome for state in ends for gate in state.gates if gate.environment]
    assert outcomes.count("approved") > 10 < len(outcomes)
    assert outcomes.count("rejected") > 3
