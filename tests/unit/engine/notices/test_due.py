"""Which messages about a gate are due, and to whom."""

from typing import Any

from prefect_wfexec.engine.notices.due import Due, due_notices, next_reminder, reminder_moment
from prefect_wfexec.journal.facts import Fact, Kind
from prefect_wfexec.journal.state import ExecutionState
from tests.unit.journal.support import (
    at,
    decided,
    entered,
    fact,
    folded,
    gate_closed,
    gate_opened,
    opened,
    started,
)

ANN, BOB = "ann@example.com", "bob@example.com"


def run(*more: Fact, **gate: Any) -> ExecutionState:
    given = {"approvers": [ANN, BOB], "is_governed": True, "notify": [{"mail": ["ops@example.com"]}, {"slack": "#d"}]}
    return folded(opened(), entered(), started("gate"), gate_opened("gate", **(given | gate)), *more)


def sent(due: Due, **data: Any) -> Fact:
    return fact(Kind.NOTIFIED, 1, step=due.step, generation=due.generation, key=due.key, **data)


def keys(state: ExecutionState, seconds: float = 10) -> list[str]:
    return [due.key for due in due_notices(state, at(seconds))]


def test_whom_the_rules_name_and_every_approver_with_an_address_is_told() -> None:
    found = due_notices(run(), at(10))
    assert [(due.channel, due.to, due.person, due.block) for due in found] == [
        ("slack", "#d", "", "slack"),
        ("mail", ANN, ANN, "mail"),
        ("mail", BOB, BOB, "mail"),
        ("mail", "ops@example.com", "", "mail"),
    ]


def test_codes_go_only_where_the_rules_name_a_person() -> None:
    notify = [{"mail": ["ops@example.com"], "block": "the-policys"}, {"mail": ["ANN+x@example.com"], "block": "evil"}]
    found = {due.to: (due.person, due.block) for due in due_notices(run(notify=notify), at(10))}
    assert found == {
        ANN: (ANN, "the-policys"),
        BOB: (BOB, "the-policys"),
        "ops@example.com": ("", "the-policys"),
        "ANN+x@example.com": ("", "evil"),
    }


def test_what_could_not_be_sent_is_tried_again_later_and_later() -> None:
    (first,) = due_notices(run(notify=[{"slack": "#d"}]), at(0))
    failed = sent(first, error="Slack can't be reached")
    once, twice = (run(*[failed] * times, notify=[{"slack": "#d"}]) for times in (1, 2))
    assert (keys(once, 60), keys(once, 130)) == ([], ["asked:slack:#d"])
    assert (keys(twice, 130), keys(twice, 250)) == ([], ["asked:slack:#d"])


def test_what_was_sent_or_given_up_is_not_sent_again() -> None:
    first = due_notices(run(), at(10))
    assert keys(run(*(sent(due, error="no such mailbox") for due in first))) == []


def test_a_gate_without_notify_tells_nobody_and_so_does_one_that_is_covered() -> None:
    assert keys(run(notify=[])) == []
    assert keys(run(covered_by=1)) == []


def test_void_codes_are_sent_anew_to_who_had_them() -> None:
    told = [sent(due) for due in due_notices(run(), at(10))]
    refused = fact(Kind.REFUSED, 5, step="gate", generation=1, form="f", reason="no", burnt=ANN)
    assert keys(run(*told, refused)) == [f"asked:mail:{ANN}:1"]


def test_who_has_decided_is_not_reminded_and_the_message_in_slack_changes() -> None:
    told = [sent(due, place={"channel": "C1", "ts": "1.2"}) for due in due_notices(run(), at(10))]
    state = run(*told, decided("gate", by=ANN), expires=at(3600).isoformat(), quorum=2)
    found = {due.key: due for due in due_notices(state, at(3000))}
    assert sorted(found) == ["changed:slack:#d:1", f"reminder:mail:{BOB}", "reminder:slack:#d"]
    assert dict(found["changed:slack:#d:1"].place) == {"channel": "C1", "ts": "1.2"}


def test_a_closed_gate_changes_what_was_posted_and_sends_nothing_else() -> None:
    told = [sent(due, place={"channel": "C1", "ts": "1.2"}) for due in due_notices(run(), at(10))]
    assert keys(run(*told, gate_closed("gate", "rejected", 20))) == ["changed:slack:#d:rejected"]
    assert keys(run(gate_closed("gate", "rejected", 20))) == []


def reminded(*more: Fact, quorum: int = 3) -> ExecutionState:
    """A gate whose reminder was posted at 3001 s, after the first of its decisions."""
    given: dict[str, Any] = {"notify": [{"slack": "#d"}], "expires": at(3600).isoformat(), "quorum": quorum}
    asked, reminder = due_notices(run(**given), at(3000))
    assert (asked.kind, reminder.kind) == ("asked", "reminder")
    told = (
        sent(asked, place={"channel": "C1", "ts": "1.2"}),
        decided("gate", by=ANN, seconds=2000),
        fact(Kind.NOTIFIED, 2000, step="gate", generation=1, key="changed:slack:#d:1"),
        fact(Kind.NOTIFIED, 3001, step="gate", generation=1, key=reminder.key, place={"channel": "C1", "ts": "9.9"}),
    )
    return run(*told, *more, **given)


def places(state: ExecutionState) -> dict[str, str]:
    return {due.key: dict(due.place)["ts"] for due in due_notices(state, at(3100))}


def test_a_reminder_is_changed_with_the_decisions_after_it_and_when_its_gate_closes() -> None:
    assert places(reminded()) == {}
    second = decided("gate", by=BOB, seconds=3010)
    assert places(reminded(second)) == {"changed:slack:#d:2": "1.2", "changed:slack:#d:reminder:2": "9.9"}
    closing = gate_closed("gate", "expired", 3050)
    both = {"changed:slack:#d:expired": "1.2", "changed:slack:#d:reminder:expired": "9.9"}
    assert places(reminded(closing)) == both
    assert all(due.kind == "changed" and due.to == "#d" for due in due_notices(reminded(closing), at(3100)))
    done = [fact(Kind.NOTIFIED, 3060, step="gate", generation=1, key=key) for key in both]
    assert places(reminded(closing, *done)) == {}


def test_a_reminder_that_was_not_posted_is_not_changed() -> None:
    given: dict[str, Any] = {"notify": [{"slack": "#d"}], "expires": at(3600).isoformat()}
    failed = fact(Kind.NOTIFIED, 3001, step="gate", generation=1, key="reminder:slack:#d", error="channel_not_found")
    assert keys(run(failed, gate_closed("gate", "approved", 3050), **given), 3100) == []


def test_a_reminder_comes_an_hour_before_or_in_the_last_quarter() -> None:
    short = run(expires=at(400).isoformat())
    assert reminder_moment(short.gates[0]) == at(300)
    assert next_reminder(short, at(10)) == at(300)
    assert next_reminder(short, at(301)) is None
    long = run(expires=at(100 * 3600).isoformat())
    assert reminder_moment(long.gates[0]) == at(99 * 3600)
    assert reminder_moment(run().gates[0]) is None
    assert not any(key.startswith("reminder") for key in keys(short, 299))
    assert "reminder:slack:#d" in keys(short, 300)
