"""The order and the times of the signals of a stop."""

import signal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_wfexec.runtime.supervision.stopping import StopSequence


class Sent(list[str]):
    def __call__(self, number: signal.Signals) -> None:
        self.append(number.name)


def test_each_signal_has_its_time() -> None:
    sent = Sent()
    sequence = StopSequence(10, 5, sent)
    sequence.advance(100)
    assert sent == []
    assert sequence.begin(100)
    assert sent == ["SIGINT"]
    sequence.advance(109.9)
    assert sent == ["SIGINT"]
    sequence.advance(110)
    sequence.advance(114.9)
    assert sent == ["SIGINT", "SIGTERM"]
    sequence.advance(115)
    assert sent == sequence.sent == ["SIGINT", "SIGTERM", "SIGKILL"]
    assert sequence.has_killed


def test_sigterm_is_never_sent_where_it_is_forbidden() -> None:
    sent = Sent()
    sequence = StopSequence(10, None, sent)
    sequence.begin(0)
    sequence.advance(10)
    assert sent == ["SIGINT", "SIGKILL"]


def test_a_signal_is_announced_before_it_is_sent() -> None:
    told: list[str] = []
    sequence = StopSequence(1, 1, lambda number: told.append(f"sent {number.name}"), lambda n: told.append(n.name))
    sequence.begin(0)
    assert told == ["SIGINT", "sent SIGINT"]


@given(
    st.sampled_from([None, 0.0, 2.0]),
    st.lists(st.sampled_from(["begin", "advance", "hurry"]) | st.floats(min_value=0, max_value=9), max_size=40),
)
def test_no_signal_is_sent_twice_whatever_is_asked(terminate_seconds: float | None, events: list[str | float]) -> None:
    sent = Sent()
    sequence = StopSequence(3, terminate_seconds, sent)
    now = 0.0
    for event in events:
        if isinstance(event, float):
            now += event
        else:
            getattr(sequence, event)(now)
    order = ["SIGINT", "SIGKILL"] if terminate_seconds is None else ["SIGINT", "SIGTERM", "SIGKILL"]
    assert sent == order[: len(sent)]
    assert bool(sent) == ("begin" in events)


@pytest.mark.parametrize(
    ("already", "expected"),
    [
        ([], ["SIGTERM", "SIGKILL"]),
        (["SIGINT"], ["SIGTERM", "SIGKILL"]),
        (["SIGINT", "SIGTERM"], ["SIGKILL"]),
        (["SIGINT", "SIGTERM", "SIGKILL"], []),
    ],
)
def test_a_stop_taken_over_sends_nothing_again(already: list[str], expected: list[str]) -> None:
    sent = Sent()
    sequence = StopSequence(10, 5, sent)
    sequence.continue_from(already, since=0.0)
    assert not sequence.begin(1.0)
    sequence.advance(1.0)
    assert sent == []
    for now in range(2, 40):
        sequence.advance(float(now))
    assert sent == expected
    assert sequence.sent == already + expected
