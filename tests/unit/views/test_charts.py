"""Analytics drawn on a terminal and as SVG."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_wfexec.status import RunStatus
from prefect_wfexec.views.analytics import analyse, days_until, months_until
from prefect_wfexec.views.charts import COLOURS, _ticks, series_of, spark_lines, svg

NOW = datetime(2030, 3, 31, 22, 30, tzinfo=UTC)
ZONE = ZoneInfo("UTC")
SVG = "{http://www.w3.org/2000/svg}"


def analysed(counts: dict[str, list[int]]) -> dict[str, Any]:
    """Analytics of so many runs of each status a day, the last of them today."""
    rows = [
        {
            "triggered_at": (NOW - timedelta(days=len(days) - 1 - place)).isoformat(),
            "status": status,
            "duration_seconds": 1.0,
            "approval_seconds": None,
        }
        for status, days in counts.items()
        for place, count in enumerate(days)
        for _ in range(count)
    ]
    return analyse(rows, days_until(NOW, max((len(days) for days in counts.values()), default=7), UTC))


def test_a_line_of_bars_for_each_status_on_one_scale() -> None:
    found = analysed({"Succeeded": [0, 8, 4], "Failed": [1, 0, 0]})
    assert series_of(found) == {"Succeeded": [0, 8, 4], "Failed": [1, 0, 0]}
    assert spark_lines(found, ZONE) == ["Succeeded   █▄  12", "Failed     ▁    1", "           03-29 … 03-31"]


def test_the_axis_stands_under_the_bars_where_there_is_room() -> None:
    assert spark_lines(analysed({"Failed": [1] * 14}), ZONE)[-1] == "        03-18    03-31"


def test_months_are_called_by_their_names() -> None:
    found = analyse([], months_until(NOW, 3, UTC))
    assert spark_lines(found, ZONE) == []
    found["totals"] = {"Failed": 0}
    assert spark_lines(found, ZONE)[-1].split() == ["2030-01", "…", "2030-03"]


def test_the_drawing_has_a_named_line_for_each_status() -> None:
    root = ElementTree.fromstring(svg(analysed({"Succeeded": [0, 8, 4], "Failed": [1, 0, 0]}), ZONE, "Runs <of> x"))
    texts = [element.text for element in root.iter(f"{SVG}text")]
    assert texts[0] == "Runs <of> x"
    assert "Succeeded (12)" in texts and "Failed (1)" in texts and "03-30" in texts
    lines = list(root.iter(f"{SVG}polyline"))
    assert len(lines) == 2
    heights = [float(point.split(",")[1]) for point in lines[0].attrib["points"].split()]
    assert heights[1] < heights[2] < heights[0], "more is higher"
    assert lines[0].attrib["stroke-dasharray"] != lines[1].attrib["stroke-dasharray"], "not by colour alone"


def test_nothing_ran() -> None:
    assert "no runs" in svg(analysed({}), ZONE, "Runs")


def test_every_status_has_a_colour_of_its_own() -> None:
    assert set(COLOURS) == set(RunStatus)
    assert len(set(COLOURS.values())) == len(RunStatus)


@pytest.mark.parametrize("most", [0, 1, 4, 5, 6, 9, 10, 99, 100, 12_345])
def test_ticks_are_few_and_reach_the_top(most: int) -> None:
    ticks = _ticks(most)
    assert ticks[0] == 0 and ticks[-1] >= most and 2 <= len(ticks) <= 7
    assert len({after - before for before, after in pairwise(ticks)}) == 1


@given(
    st.dictionaries(st.sampled_from([status.value for status in RunStatus]), st.lists(st.integers(0, 9), min_size=1))
)
def test_any_counts_make_a_drawing(counts: dict[str, list[int]]) -> None:
    ElementTree.fromstring(svg(analysed(counts), ZONE, "Runs"))
