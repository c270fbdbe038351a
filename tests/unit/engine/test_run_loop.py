"""Runs of any shape, with anything that may happen to them, in any order."""

from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from prefect_wfexec.definition.model import Retry, Step, When, Workflow
from prefect_wfexec.engine.progress import progress_lines, run_status
from prefect_wfexec.journal.facts import Kind
from prefect_wfexec.journal.fold import fold
from tests.unit.engine.oracle import check_end, steps_above
from tests.unit.engine.simulation import Simulation
from tests.unit.engine.support import workflow
from tests.unit.journal.support import entry

WHEN: list[When] = ["success", "success", "success", "success", "failure", "always", "cancelled"]
OUTCOMES = [
    *[("Success", "")] * 5,
    *[("Failed", "failed")] * 4,
    ("Failed", "internal"),
    ("Skipped", ""),
    ("Cancelled", ""),
]
NONSENSE: list[dict[str, Any]] = [
    {"what": "retry"},
    {"what": ""},
    {"what": "decision"},
    {"what": "decision", "step": [], "decision": []},
    {"what": "decision", "step": "s0", "decision": {"a": 1}},
    {"what": "decision", "step": "nowhere", "decision": "approve"},
]
NO_DECISION: list[dict[str, Any]] = [{"subject_digest": "other"}, {"generation": 7}, {"comment": "x" * 5000}]


def random_workflow(random: Random) -> Workflow:
    """A graph of two to eight steps, written in any order."""
    steps: list[Step] = []
    for number in range(random.randint(2, 8)):
        names = [step.id for step in steps]
        needs = random.sample(names, min(len(names), random.choice([0, 1, 1, 1, 2, 3])))
        step = Step(
            id=f"s{number}",
            name=f"s{number}",
            uses="shell",
            needs=tuple(needs),
            when=random.choice(WHEN),
            on_failure=random.choice(["fail", "fail", "continue", "ask"]),
            retry=Retry(random.choice([1, 1, 1, 2, 3]), random.choice([0.0, 5.0]), 2.0),
        )
        if random.random() < 0.2:
            expiry = random.choice([{}, {"expires": 30}, {"expires": 30, "on_expire": "fail"}])
            gate = {"quorum": random.choice([1, 1, 2]), **expiry}
            step = replace(step, uses="approval", with_=gate, retry=Retry())
        steps.append(step)
    known = workflow(*steps)
    written = [replace(step, if_=_condition(random, known, step)) for step in steps]
    random.shuffle(written)
    return workflow(*written)


def _condition(random: Random, known: Workflow, step: Step) -> str | None:
    choices = [None, None, None, None, "true", "false"]
    above = sorted(name for name in steps_above(known, step.id) if known.step(name).when != "cancelled")
    for name in above[:2]:
        choices += [f"steps.{name}.status == '{word}'" for word in ("Success", "Failed", "Skipped")]
        choices += [f"steps.{name}.outputs.missing == 1"]
    return random.choice(choices)


class Play:
    """What happens to a run, at random: every move that is possible at a moment may be the next."""

    def __init__(self, sim: Simulation, random: Random, is_cancelled: bool) -> None:
        self.sim = sim
        self.random = random
        moves: list[tuple[int, Callable[[], object]]] = [
            (10, sim.advance),
            (8, self.end_a_step),
            (3, sim.open_gates),
            (3, self.decide),
            (1, self.ask_for_nonsense),
            (1, self.another_engine_enters),
            (1, lambda: sim.sleep(random.choice([1, 5, 60]))),
            (1 if is_cancelled else 0, lambda: sim.request("joe", what="cancel")),
        ]
        self.moves = [move for weight, move in moves for _ in range(weight)]

    def run(self) -> None:
        for _ in range(60):
            self.random.choice(self.moves)()
            self.check_pages()
        self.sim.finish()
        self.check_pages()

    def check_pages(self) -> None:
        state = self.sim.state
        assert run_status(state).is_final is (state.closed is not None)
        assert len(list(progress_lines(self.sim.workflow, state, self.sim.now))) >= len(self.sim.workflow.steps)

    def end_a_step(self) -> None:
        if self.sim.running:
            self.sim.end(*self.random.choice(self.sim.running), *self.random.choice(OUTCOMES))

    def decide(self) -> None:
        if self.sim.state.open_gates:
            gate = self.random.choice(self.sim.state.open_gates)
            decision = self.random.choice([*gate.choices, gate.choices[0], gate.choices[-1]])
            more = self.random.choice([{}, {}, {}, *NO_DECISION])
            self.sim.request(
                self.random.choice(["ann", "bob"]), what="decision", step=gate.step, decision=decision, **more
            )

    def ask_for_nonsense(self) -> None:
        self.sim.request("mallory", **self.random.choice(NONSENSE))

    def another_engine_enters(self) -> None:
        if self.sim.state.closed is None:
            self.sim.hand_over(is_dead=self.random.random() < 0.5)


@settings(max_examples=500, deadline=None)
@given(st.integers(0, 2**64))
def test_every_run_ends_as_the_language_says(seed: int) -> None:
    random = Random(seed)
    sim = Simulation(random_workflow(random))
    Play(sim, random, is_cancelled=random.random() < 0.4).run()
    check_end(sim.workflow, sim.state)
    ended = sim.state
    for _ in range(3):
        sim.request("late", what="decision", step="s0", decision="approve")
        assert not sim.advance()
    assert (sim.state.closed, sim.state.steps, sim.state.gates) == (ended.closed, ended.steps, ended.gates)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**64))
def test_the_journal_tells_the_run_again(seed: int) -> None:
    random = Random(seed)
    sim = Simulation(random_workflow(random))
    Play(sim, random, is_cancelled=True).run()
    again = fold(entry([fact], keyed=fact.kind is not Kind.REQUESTED) for fact in sim.facts)
    assert replace(again, engines=()) == replace(sim.state, engines=())


def test_what_was_decided_about_a_failure_is_never_parted_from_what_comes_of_it() -> None:
    retried = skipped = 0
    for seed in range(200):
        random = Random(seed)
        sim = Simulation(random_workflow(random))
        Play(sim, random, is_cancelled=False).run()
        outcomes = [gate.outcome for gate in sim.state.gates if gate.choices[0] == "retry"]
        resets = sum(fact.kind is Kind.RESET for fact in sim.facts)
        assert resets == outcomes.count("retried")
        retried += resets
        skipped += outcomes.count("skipped")
    assert retried > 5
    assert skipped > 2
