"""A run without Prefect: real decisions, gates and fold; attempts and people are played by the test."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from prefect_wfexec.definition.model import Workflow
from prefect_wfexec.engine.approvals import gates
from prefect_wfexec.engine.approvals.codes import CodeBook
from prefect_wfexec.engine.approvals.failing import failing_facts, opening_after_failure
from prefect_wfexec.engine.approvals.rules import Rules, rules_of
from prefect_wfexec.engine.closing import closing_fact
from prefect_wfexec.engine.decide import Decider, whole_steps
from prefect_wfexec.engine.fencing import foreign_claims
from prefect_wfexec.engine.outline import Outline
from prefect_wfexec.engine.scope import Scopes
from prefect_wfexec.journal.facts import Actor, Fact, Kind
from prefect_wfexec.journal.fold import fold, fold_facts
from prefect_wfexec.journal.state import ExecutionState
from prefect_wfexec.status import StepStatus
from tests.unit.engine.oracle import check_start
from tests.unit.engine.support import RUN_INFO
from tests.unit.journal.support import START, entry

CODES = CodeBook(b"a key", "a run")
FACTS_AN_ENTRY = 3
"""Small, so that what follows from one moment is cut in the most awkward places."""


@dataclass
class Process:
    """One engine: what it decides with, and what it runs."""

    id: str
    decider: Decider
    at_work: dict[str, int] = field(default_factory=dict)
    changed: set[str] | None = None


class Simulation:
    """One run. `append` is the journal; every fact is checked on its way in."""

    def __init__(self, workflow: Workflow, validated: Mapping[str, object] | None = None) -> None:
        self.workflow = workflow
        self.outline = Outline(workflow)
        self.state = ExecutionState()
        self.now: datetime = START
        self.facts: list[Fact] = []
        self.entries = 0
        self.older: list[Process] = []
        self.current = self._enter()
        if validated is not None:
            self.append([self.fact(Kind.VALIDATED, engine=self.current.id, **validated)])

    # -- the journal ---------------------------------------------------------------------------------------------

    def append(self, facts: Sequence[Fact], *, keyed: bool = True) -> None:
        self.entries += 1
        for fact in facts:
            before = self.state
            self.state = fold([entry([fact], self.entries, keyed)], before)
            self._check(fact, before)
        self.facts += facts

    def _check(self, fact: Fact, before: ExecutionState) -> None:
        if fact.kind is Kind.STEP_STARTED:
            check_start(self.workflow, before, str(fact.data["step"]), int(fact.data["attempt"]))
            assert self.state.step(str(fact.data["step"])).status is StepStatus.RUNNING
        if fact.kind is Kind.STEP_SKIPPED:
            assert fact.data["reason"]
            assert self.state.step(str(fact.data["step"])).status.is_final
        if fact.kind is Kind.STEP_FINISHED:
            assert self.state != before

    def fact(self, kind: Kind, **data: object) -> Fact:
        return Fact(kind, data, time=self.now)

    # -- engines -------------------------------------------------------------------------------------------------

    def _enter(self) -> Process:
        number = 1 + len(self.state.engines)
        self.append([self.fact(Kind.ENTERED, engine=f"e{number}")])
        scopes = Scopes(self.workflow, self.outline, RUN_INFO)
        return Process(f"e{number}", Decider(self.outline, scopes, f"e{number}"))

    def hand_over(self, *, is_dead: bool) -> None:
        """A newer engine enters; the older one is dead, or goes on with what it runs."""
        if not is_dead:
            self.older.append(self.current)
        else:
            self.older = []
        self.current = self._enter()
        self._settle_dead_claims()

    def _settle_dead_claims(self) -> None:
        alive = {step for process in self.older for step in process.at_work}
        for claim in foreign_claims(self.state, self.current.id):
            if claim.id not in alive and claim.id not in self.outline.resumable:
                error = {"type": "outcome_unknown", "message": "nobody knows"}
                self.append([self._finish(claim.id, claim.attempt, claim.engine, "Failed", error=error)])

    def is_waiting_for_older(self) -> bool:
        alive = {step for process in self.older for step in process.at_work}
        return any(claim.id in alive for claim in foreign_claims(self.state, self.current.id))

    def open_gates(self) -> bool:
        """Open the gates whose steps run and have none; whether there was one."""
        found = False
        for step in self.workflow.steps:
            is_running = self.state.step(step.id).status is StepStatus.RUNNING
            if step.uses == "approval" and is_running and not self.is_waiting_for_older():
                generation = 1 + sum(gate.step == step.id for gate in self.state.gates)
                rules = rules_of(step.with_, is_protected=False)
                opening = gates.Opening(step.id, generation, step.with_.get("subject"), step.with_, rules)
                self.append([opening.fact(self.now)])
                found = True
            if self.state.step(step.id).asks and self.state.open_gate(step.id) is None:
                rules = Rules(quorum=1 + len(step.id) % 2)
                self.append([opening_after_failure(self.outline, self.state, step, rules).fact(self.now)])
                found = True
        return found

    def advance(self) -> bool:
        """One turn of the run loop; whether anything was appended."""
        if self.state.closed is not None or self.is_waiting_for_older():
            return False
        process = self.current
        found = gates.gate_facts(self.state, self.now, CODES)
        after = fold_facts(found, self.state, 0)
        found += (failing := failing_facts(self.outline, after, self.now))
        after = fold_facts(failing, after, 0)
        ends = {Kind.STEP_FINISHED, Kind.STEP_SKIPPED}
        ended = {str(fact.data["step"]) for fact in found if fact.kind in ends}
        is_reset = any(fact.kind is Kind.RESET for fact in found)
        changed = None if process.changed is None or is_reset else process.changed | ended
        following = process.decider.next_facts(after, self.now, changed)
        self._check_incremental(following, process.decider.next_facts(after, self.now))
        every = [*found, *following]
        facts = whole_steps(every, FACTS_AN_ENTRY)
        process.changed = None if len(facts) < len(every) else set()
        if facts:
            self.append(facts)
            self._start_work(facts)
            return True
        return self._close()

    def _check_incremental(self, given: Sequence[Fact], whole: Sequence[Fact]) -> None:
        def key(fact: Fact) -> str:
            return f"{fact.data['step']} {fact.kind} {sorted(fact.data.items(), key=str)}"

        assert sorted(map(key, given)) == sorted(map(key, whole))

    def _start_work(self, facts: Sequence[Fact]) -> None:
        ended = {fact.data["step"] for fact in facts if fact.kind is Kind.STEP_FINISHED}
        for fact in facts:
            step_id = str(fact.data.get("step"))
            is_work = fact.kind is Kind.STEP_STARTED and step_id not in ended
            if is_work and self.outline.steps[step_id].uses != "approval":
                self.current.at_work[step_id] = int(fact.data["attempt"])

    def _close(self) -> bool:
        if not self.current.decider.is_over(self.state):
            return False
        self.append(closing_fact(self.state, self.current.id, self.outline, {}, None))
        assert self.state.closed is not None
        return True

    # -- attempts ------------------------------------------------------------------------------------------------

    @property
    def running(self) -> list[tuple[Process, str]]:
        return [(process, step) for process in [*self.older, self.current] for step in sorted(process.at_work)]

    def end(self, process: Process, step_id: str, status: str, kind: str) -> None:
        """An attempt ends; the same entry says what follows, as the engine writes it."""
        attempt = process.at_work.pop(step_id)
        retry = self.outline.steps[step_id].retry
        data: dict[str, object] = {}
        if status == "Failed":
            data["error"] = {"type": kind, "message": f"{kind} of {step_id}"}
            tries = attempt - self.state.step(step_id).attempts_before
            if kind == "failed" and tries < retry.attempts and self.state.cancel is None:
                delay = retry.delay_seconds * retry.backoff ** (tries - 1)
                data["retry_at"] = (self.now + timedelta(seconds=delay)).isoformat()
            elif self.outline.steps[step_id].on_failure == "ask" and self.state.cancel is None:
                data["asks"] = True
        if status in {"Skipped", "Cancelled"}:
            data["reason"] = "it said so"
        self.append([self._finish(step_id, attempt, process.id, status, **data)])
        if process is self.current and process.changed is not None:
            process.changed.add(step_id)
        if process is not self.current:
            self._settle_dead_claims()

    def _finish(self, step_id: str, attempt: int, engine: str, status: str, **data: object) -> Fact:
        return self.fact(
            Kind.STEP_FINISHED, step=step_id, attempt=attempt, engine=engine, status=status, summary="", **data
        )

    # -- people --------------------------------------------------------------------------------------------------

    def request(self, by: str, **data: object) -> None:
        """Anyone who reaches the API asks for something; nobody signs it."""
        self.append([Fact(Kind.REQUESTED, data, actor=Actor(by, "forged"), time=self.now)], keyed=False)

    def sleep(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    # -- the end -------------------------------------------------------------------------------------------------

    def finish(self) -> None:
        """Let everything that runs succeed and every gate be approved, until the run closes."""
        for _ in range(40 * (1 + len(self.workflow.steps))):
            if self.state.closed is not None:
                return
            for process, step_id in self.running:
                status = "Cancelled" if self.state.cancel and self._is_ordinary(step_id) else "Success"
                self.end(process, step_id, status, "")
            self.open_gates()
            for gate in self.state.open_gates if not self.state.requests else ():
                for person in ("ann", "bob"):
                    self.request(person, what="decision", step=gate.step, decision=gate.choices[0])
            self.sleep(60)
            while self.advance():
                pass
        raise AssertionError("the run does not end")

    def _is_ordinary(self, step_id: str) -> bool:
        return self.outline.steps[step_id].when != "cancelled"
