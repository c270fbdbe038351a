"""Journals as hypothesis draws them: some that make sense, some that make none. Drawn from small pools, to be fast."""

from typing import Any

from hypothesis import strategies as st

from prefect_wfexec.journal.facts import Actor, Entry, Fact, Kind
from tests.unit.journal.support import at, entry


def nested(depth: int) -> Any:
    value: Any = []
    for _ in range(depth):
        value = [value]
    return value


WORDS = st.sampled_from(["", "x", "é", "\ud800", "\0", "e1", "plan"])
NUMBERS = [0, -1, 2**70, 10**5000, 1.5, float("inf"), float("nan")]
CONTAINERS: list[Any] = [{}, {"type": "x"}, {"a": {"b": [1]}}, [], ["x"], [[]], nested(5000)]
TIMES = ["2030-01-01T00:00:00", "2030-01-01T00:00:00+00:00", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59-12:00"]
GARBAGE = st.sampled_from(
    [None, True, False, *NUMBERS, *CONTAINERS, *TIMES, "", "Success", "Running", "approve", "e1", "plan", "\ud800"]
)
STEP = st.sampled_from(["plan", "gate", "apply"])
ENGINE = st.sampled_from(["e1", "e1", "e2"])
ATTEMPT = st.sampled_from([1, 1, 2, 3, 0])
GENERATION = st.sampled_from([1, 1, 2])
FINAL = st.sampled_from(["Success", "Failed", "Skipped", "Cancelled"])
MOMENT = st.sampled_from([None, *TIMES])
ERROR = st.sampled_from([None, {"type": "failed"}, {"type": "outcome_unknown", "message": "x"}])
REQUEST = st.sampled_from(["r1", "r2"])
FORM = st.sampled_from([None, None, "approval-plan-1-0"])

FIELDS: dict[Kind, dict[str, st.SearchStrategy[Any]]] = {
    Kind.OPENED: {
        "definition": WORDS,
        "digest": WORDS,
        "workflow": WORDS,
        "inputs": st.sampled_from([{}, {"a": 1}]),
        "trigger": st.sampled_from([None, {}, {"type": "manual"}]),
    },
    Kind.ENTERED: {"engine": ENGINE, "pid": st.sampled_from([0, 1])},
    Kind.VALIDATED: {
        "engine": ENGINE,
        "environment": st.sampled_from([None, {}, {"name": "x"}]),
        "problem": WORDS,
        "problems": st.sampled_from([None, [], ["x", "y"]]),
        "targets": st.sampled_from([None, {}, {"x": {}}, {"x": {"is_manual": True, "policy": {"quorum": 2}}}]),
    },
    Kind.LOCK_REQUESTED: {"engine": ENGINE, "key": WORDS, "holder": WORDS, "since": MOMENT, "ahead": ATTEMPT},
    Kind.LOCK_ACQUIRED: {"engine": ENGINE, "key": WORDS, "number": ATTEMPT},
    Kind.LOCK_RELEASED: {"number": ATTEMPT, "reason": WORDS},
    Kind.SUPERSEDED: {"engine": ENGINE},
    Kind.NOTED: {"engine": ENGINE, "suspended": st.sampled_from([None, True])},
    Kind.STEP_STARTED: {"step": STEP, "attempt": ATTEMPT, "engine": ENGINE},
    Kind.STEP_CLAIMED: {"step": STEP, "claim": WORDS},
    Kind.STEP_FINISHED: {
        "step": STEP,
        "attempt": ATTEMPT,
        "engine": ENGINE,
        "status": FINAL | st.sampled_from(["Running", "Waiting"]),
        "error": ERROR,
        "outputs": st.sampled_from([{}, {"a": 1}]),
        "retry_at": MOMENT,
    },
    Kind.STEP_SKIPPED: {
        "step": STEP,
        "cause": st.sampled_from(["condition", "when", "optional", "manual", "upstream", "other"]),
        "reason": WORDS,
        "status": st.sampled_from(["Skipped", "Cancelled", "Running"]),
    },
    Kind.APPROVAL_OPENED: {
        "step": STEP,
        "generation": GENERATION,
        "quorum": st.sampled_from([1, 2, 0, -3]),
        "expires": MOMENT,
        "approvers": st.sampled_from([[], ["jane"]]),
        "environment": st.sampled_from([None, None, "x"]),
    },
    Kind.DECIDED: {
        "step": STEP,
        "generation": GENERATION,
        "decision": st.sampled_from(["approve", "reject", "perhaps"]),
        "request": REQUEST,
        "form": FORM,
    },
    Kind.APPROVAL_CLOSED: {
        "step": STEP,
        "generation": GENERATION,
        "outcome": st.sampled_from(["approved", "rejected", "expired", ""]),
    },
    Kind.REQUESTED: {"what": st.sampled_from(["cancel", "decision", "retry", ""]), "step": STEP},
    Kind.REFUSED: {"request": REQUEST, "form": FORM, "step": STEP, "generation": GENERATION},
    Kind.CLOSED: {"engine": ENGINE, "status": st.sampled_from(["Succeeded", "Failed", "Running"])},
    Kind.RESET: {"request": REQUEST, "reset": st.lists(STEP, max_size=3)},
}
KINDS = [
    *(kind for kind in Kind if kind is not Kind.RESET),
    *[Kind.STEP_STARTED, Kind.STEP_FINISHED, Kind.APPROVAL_OPENED] * 5,
    *[Kind.ENTERED] * 3,
]
ACTORS = [Actor("jane"), Actor("joe", "code"), Actor("", "engine"), Actor("\ud800")]


@st.composite
def facts(draw: st.DrawFn, resets: bool = False) -> Fact:
    """A fact whose fields fit its kind, but for at most one that is missing or garbage."""
    kind = draw(st.sampled_from([*KINDS, *[Kind.RESET] * 4] if resets else KINDS))
    fields = FIELDS.get(kind, {})
    data = {name: draw(values) for name, values in fields.items()}
    fault = draw(st.sampled_from(["none", "none", "garbage", "missing"])) if fields else "none"
    if fault != "none":
        name = draw(st.sampled_from(sorted(fields)))
        data[name] = draw(GARBAGE)
        if fault == "missing":
            del data[name]
    seconds = draw(st.integers(0, 5_000))
    return Fact(kind, data, draw(st.sampled_from(ACTORS)), at(seconds), draw(st.sampled_from(["r1", "r2", "f"])))


@st.composite
def journals(draw: st.DrawFn, resets: bool = False) -> list[Entry]:
    """Entries of any facts, keyed and not, numbered from 1; those that make steps run again only with `resets`."""
    groups = draw(st.lists(st.lists(facts(resets), min_size=1, max_size=3), max_size=8))
    keyed = [draw(st.sampled_from([True, True, True, False])) for _ in groups]
    if draw(st.booleans()):
        groups, keyed = [[Fact(Kind.ENTERED, {"engine": "e1"}, time=at(0))], *groups], [True, *keyed]
    return [entry(group, number, keyed[number - 1]) for number, group in enumerate(groups, 1)]
