"""Searching a log, with the lines around what is found."""

from hypothesis import given
from hypothesis import strategies as st

from prefect_wfexec.views.log_search import LogSearch
from prefect_wfexec.views.logs import Line
from tests.unit.journal.support import START


def lines(text: str, step: str = "a") -> list[Line]:
    return [Line(START, step, 1, "stdout", word) for word in text.split()]


def found(search: LogSearch, given: list[Line]) -> list[str]:
    """What is shown, with the gaps."""
    shown: list[str] = []
    for line in given:
        wanted = search.take(line)
        if wanted and search.has_gap and shown:
            shown.append("--")
        shown += [one.message for one in wanted]
    return shown


def test_without_a_text_every_line_of_the_stream_is_shown() -> None:
    given = [*lines("a b"), Line(START, "a", 1, "stderr", "c")]
    assert found(LogSearch(), given) == ["a", "b", "c"]
    assert found(LogSearch(stream="errors"), given) == ["c"]


def test_lines_around_what_is_found_are_shown_once() -> None:
    given = lines("1 2 Boom 4 5 6 7 8 boom boom 11 12")
    assert found(LogSearch(text="boom"), given) == ["Boom", "--", "boom", "boom"]
    assert found(LogSearch(text="boom", context=1), given) == ["2", "Boom", "4", "--", "8", "boom", "boom", "11"]
    assert found(LogSearch(text="boom", context=2), given) == [
        "1",
        "2",
        "Boom",
        "4",
        "5",
        "--",
        "7",
        "8",
        "boom",
        "boom",
        "11",
        "12",
    ]


def test_lines_of_another_step_are_not_around_it() -> None:
    given = [*lines("1 2"), *lines("boom 4", "b"), *lines("5", "c")]
    assert found(LogSearch(text="boom", context=5), given) == ["boom", "4"]


def test_only_lines_of_the_wanted_stream_are_around_it() -> None:
    given = [
        Line(START, "a", 1, stream, text) for stream, text in (("stderr", "x"), ("stdout", "y"), ("stderr", "boom"))
    ]
    assert found(LogSearch(stream="errors", text="boom", context=1), given) == ["x", "boom"]


@given(st.lists(st.sampled_from(["hit", "miss"]), max_size=40), st.integers(0, 4))
def test_exactly_the_lines_near_a_hit_are_shown(words: list[str], context: int) -> None:
    given = [Line(START, "a", 1, "stdout", f"{word} {place}") for place, word in enumerate(words)]
    search = LogSearch(text="hit", context=context)
    shown = [one.message for line in given for one in search.take(line)]
    hits = [place for place, word in enumerate(words) if word == "hit"]
    near = [line.message for place, line in enumerate(given) if any(abs(place - hit) <= context for hit in hits)]
    assert shown == near
