"""Lengths of time as people write them."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from prefect_wfexec.definition.durations import Duration, DurationError, format_duration, parse_duration


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("30s", 30),
        ("10m", 600),
        ("4h", 14400),
        ("2d", 172800),
        ("1w", 604800),
        ("1h30m", 5400),
        ("1d12h", 129600),
        ("500ms", 0.5),
        ("1.5h", 5400),
        ("1h 30m", 5400),
        ("90", 90),
        (90, 90),
        (0.25, 0.25),
        ("0s", 0),
    ],
)
def test_seconds(written: object, seconds: float) -> None:
    assert parse_duration(written) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "written",
    ["", "soon", "3:30", "30 minutes", "-5s", "1m1h", "1h1h", "h", "1e3", "1_000", "٣s", True, None, [], -1, 10**400],
)
def test_what_is_no_duration_is_a_typed_error_with_a_mend(written: object) -> None:
    with pytest.raises(DurationError) as caught:
        parse_duration(written)
    assert caught.value.hint


def test_a_clock_is_mended() -> None:
    with pytest.raises(DurationError) as caught:
        parse_duration("3:30")
    assert caught.value.hint == "write 3h30m or 3m30s"


@pytest.mark.parametrize("written", [float("inf"), float("nan"), "367d", 1e300])
def test_endless_durations_are_refused(written: object) -> None:
    with pytest.raises(DurationError):
        parse_duration(written)


@given(st.text() | st.floats() | st.integers())
def test_any_value_is_a_duration_or_a_typed_error(written: object) -> None:
    with contextlib.suppress(DurationError):
        assert 0 <= parse_duration(written) <= 366 * 86400


@given(st.integers(min_value=1, max_value=400 * 3600))
def test_what_is_formatted_reads_back(seconds: int) -> None:
    assert parse_duration(format_duration(seconds)) == seconds


class Holder(BaseModel):
    every: Duration = 1.0


def test_a_model_holds_seconds() -> None:
    assert Holder(every="1h30m").every == 5400  # type: ignore[arg-type]
    with pytest.raises(ValidationError, match="no duration"):
        Holder(every="soon")  # type: ignore[arg-type]
