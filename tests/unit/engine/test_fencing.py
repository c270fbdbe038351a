"""Which engine runs a run."""

import os

from prefect_wfexec.engine.closing import closing_fact
from prefect_wfexec.engine.fencing import enter, foreign_claims, is_current, new_engine_id
from prefect_wfexec.engine.host import host_id, process_started
from prefect_wfexec.engine.outline import Outline
from prefect_wfexec.journal.facts import Kind
from prefect_wfexec.status import RunStatus
from tests.unit.engine.support import step, workflow
from tests.unit.journal.support import closed, entered, finished, folded, gate_opened, opened, started

OUTLINE = Outline(workflow(step("a")))


def test_an_engine_enters_with_all_that_tells_whether_it_lives() -> None:
    [fact] = enter("e1")(folded(opened()))
    assert fact.kind is Kind.ENTERED
    engine = folded(opened(), fact).engine
    assert engine is not None
    assert (engine.id, engine.host, engine.pid) == ("e1", host_id(), os.getpid())
    assert engine.pid_started == process_started(os.getpid())


def test_no_engine_enters_a_run_that_has_ended() -> None:
    assert enter("e2")(folded(opened(), entered("e1"), closed())) == []


def test_engines_have_names_of_their_own() -> None:
    assert len({new_engine_id() for _ in range(1000)}) == 1000


def test_the_newest_engine_is_the_one() -> None:
    state = folded(opened(), entered("e1"), entered("e2"))
    assert (is_current(state, "e1"), is_current(state, "e2")) == (False, True)
    assert not is_current(folded(), "e1")


def test_what_others_run_and_have_not_ended() -> None:
    state = folded(
        opened(),
        entered("e1"),
        started("a"),
        started("b"),
        finished("b"),
        started("gate"),
        gate_opened("gate"),
        entered("e2"),
        started("c", engine="e2"),
    )
    assert [claim.id for claim in foreign_claims(state, "e2")] == ["a"]
    assert [claim.id for claim in foreign_claims(state, "e1")] == ["c"]


def test_only_the_engine_of_the_moment_closes_and_only_once() -> None:
    state = folded(opened(), entered("e1"), started("a"), finished("a"))
    [fact] = closing_fact(state, "e1", OUTLINE, {"x": 1}, None)
    after = folded(opened(), entered("e1"), fact)
    assert after.closed is not None
    assert (after.closed.status, after.closed.outputs) == (RunStatus.SUCCEEDED, {"x": 1})
    assert closing_fact(after, "e1", OUTLINE, {}, None) == []
    assert closing_fact(folded(opened(), entered("e1"), entered("e2")), "e1", OUTLINE, {}, None) == []
