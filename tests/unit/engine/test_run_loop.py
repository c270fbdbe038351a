"""Runs of any shape, with anything that may happen to them, in any order."""

from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from prefect_wfexec.definition.model import Retry, Step, Workflow
from prefect_wfexec.engine.progress import progress_lines, run_status
from prefect_wfexec.status import StepStatus
from tests.unit.engine.oracle import check_end, steps_above
from tests.unit.engine.simulation import Simulation
from tests.unit.engine.support import workflow

WHEN = st.sampled_from(["success"] * 5 + ["failure", "always", "always", "cancelled"])
OUTCOMES = st.sampled_from(
    [("Success", "")] * 4 + [("Failed", "failed")] * 4 + [("Failed", "internal"), ("Skipped", ""), ("Cancelled", "")]
)


@st.composite
def workflows(draw: st.DrawFn) -> Workflow:
    """A graph of one to eight steps, written in any order."""
    steps: list[Step] = []
    for number in range(draw(st.integers(1, 8))):
        names = [step.id for step in steps]
        needs = draw(st.lists(st.sampled_from(names), max_size=2, unique=True)) if names else []
        is_gate = draw(st.integers(0, 4)) == 0
        gate: dict[str, Any] = {"quorum": draw(st.sampled_from([1, 1, 2]))}
        gate |= draw(st.sampled_from([{}, {"expires": 30}, {"expires": 30, "on_expire": "fail"}]))
        retry = Retry(draw(st.sampled_from([1, 1, 2, 3])), draw(st.sampled_from([0.0, 5.0])), 2.0)
        steps.append(
            Step(
                id=f"s{number}",
                name=f"s{number}",
                uses="approval" if is_gate else "shell",
                with_=gate if is_gate else {},
                needs=tuple(needs),
                when=draw(WHEN),
                on_failure=draw(st.sampled_from(["fail", "fail", "continue"])),
                retry=Retry() if is_gate else retry,
            )
        )
    drawn = workflow(*[_with_condition(draw, workflow(*steps), step) for step in steps])
    return workflow(*draw(st.permutations(drawn.steps)))


def _with_condition(draw: st.DrawFn, known: Workflow, step: Step) -> Step:
    from dataclasses import replace

    above = sorted(name for name in steps_above(known, step.id) if known.step(name).when != "cancelled")
    choices = [None, None, None, "true", "false"]
    if above:
        name = draw(st.sampled_from(above))
        choices += [f"steps.{name}.status == '{word}'" for word in ("Success", "Failed", "Skipped")]
        choices += [f"steps.{name}.outputs.missing == 1"]
    return replace(step, if_=draw(st.sampled_from(choices)))


class RunLoop(RuleBasedStateMachine):
    """One run; people, machines and steps do as they like."""

    sim: Simulation

    @initialize(drawn=workflows())
    def open(self, drawn: Workflow) -> None:
        self.sim = Simulation(drawn)

    @rule()
    def turn(self) -> None:
        self.sim.sleep(1)
        self.sim.advance()

    @rule()
    def turn_again_and_again(self) -> None:
        for _ in range(20):
            if not self.sim.advance():
                break

    @rule()
    def open_gates(self) -> None:
        self.sim.open_gates()

    @precondition(lambda self: self.sim.running)
    @rule(data=st.data(), outcome=OUTCOMES)
    def end_a_step(self, data: st.DataObject, outcome: tuple[str, str]) -> None:
        process, step_id = data.draw(st.sampled_from([(one, step) for one, step in self.sim.running]), "ends")
        self.sim.end(process, step_id, *outcome)

    @precondition(lambda self: self.sim.state.open_gates)
    @rule(
        data=st.data(),
        decision=st.sampled_from(["approve", "approve", "reject"]),
        by=st.sampled_from(["ann", "bob"]),
        more=st.sampled_from([{}, {}, {"subject_digest": "other"}, {"generation": 7}, {"comment": "x" * 5000}]),
    )
    def decide(self, data: st.DataObject, decision: str, by: str, more: dict[str, object]) -> None:
        gate = data.draw(st.sampled_from([gate.step for gate in self.sim.state.open_gates]), "gate")
        self.sim.request(by, what="decision", step=gate, decision=decision, **more)

    @rule(
        data=st.sampled_from(
            [
                {"what": "retry"},
                {"what": ""},
                {"what": "decision"},
                {"what": "decision", "step": [], "decision": []},
                {"what": "decision", "step": "s0", "decision": {"a": 1}},
                {"what": "decision", "step": "nowhere", "decision": "approve"},
            ]
        )
    )
    def ask_for_nonsense(self, data: dict[str, object]) -> None:
        self.sim.request("mallory", **data)

    @rule(luck=st.integers(0, 5))
    def cancel(self, luck: int) -> None:
        if luck == 0:
            self.sim.request("joe", what="cancel")

    @precondition(lambda self: self.sim.state.closed is None)
    @rule(is_dead=st.booleans())
    def another_engine_enters(self, is_dead: bool) -> None:
        self.sim.hand_over(is_dead=is_dead)

    @rule(seconds=st.sampled_from([5, 60]))
    def time_passes(self, seconds: int) -> None:
        self.sim.sleep(seconds)

    @invariant()
    def shown_as_it_is(self) -> None:
        if not hasattr(self, "sim"):
            return
        state = self.sim.state
        assert run_status(state).is_final is (state.closed is not None)
        assert len(list(progress_lines(self.sim.workflow, state, self.sim.now))) >= len(self.sim.workflow.steps)
        starts = [step.attempt for step in state.steps.values() if step.status is not StepStatus.PENDING]
        assert all(attempt >= 0 for attempt in starts)

    def teardown(self) -> None:
        if hasattr(self, "sim"):
            self.sim.finish()
            check_end(self.sim.workflow, self.sim.state)


TestRunLoop = RunLoop.TestCase
TestRunLoop.settings = settings(
    max_examples=120,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
