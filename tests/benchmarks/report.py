"""The results: a table for people, JSON for programs."""

import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.benchmarks.measuring import Measure
from tests.benchmarks.rows import Row

NOTHING = "-"
HEADINGS = ("work", "ours", "floor", "ratio", "goal", "peak memory")


@dataclass
class Result:
    """The measures of one row so far, ours and the floor's side by side."""

    row: Row
    ours: list[Measure] = field(default_factory=list)
    floor: list[Measure] = field(default_factory=list)
    failure: str = ""

    @property
    def ratio(self) -> float | None:
        """The median of the pairs' ratios."""
        pairs = [_median([mine]) / _median([other]) for mine, other in zip(self.ours, self.floor, strict=False)]
        return statistics.median(pairs) if pairs else None

    def cells(self) -> tuple[str, ...]:
        """One line of the table."""
        ratio = self.ratio
        return (
            self.row.work,
            self._shown(self.ours),
            self._shown(self.floor),
            "failed" if self.failure else NOTHING if ratio is None else f"{ratio:.2f}",
            self.row.goal,
            _shown_peak(self.ours) + (f" (floor {_shown_peak(self.floor)})" if self.floor else ""),
        )

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.row.name,
            "work": self.row.work,
            "unit": self.row.unit,
            "goal": self.row.goal,
            "ratio": self.ratio,
            "ours": _side(self.ours) if self.ours else None,
            "floor": _side(self.floor) if self.floor else None,
            "failure": self.failure or None,
        }

    def _shown(self, measures: Sequence[Measure]) -> str:
        if not measures:
            return NOTHING
        text = f"{_rounded(_median(measures))} {self.row.unit}"
        return f"{text} (p95 {_rounded(_high(measures))})" if self.row.has_percentile else text


def table(results: Sequence[Result]) -> str:
    """A Markdown table."""
    lines = [HEADINGS, *(result.cells() for result in results)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(HEADINGS))]
    shown = [
        "| " + " | ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)) + " |" for line in lines
    ]
    return "\n".join([shown[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *shown[1:]])


def write_json(results: Sequence[Result], facts: dict[str, Any], path: Path) -> None:
    path.write_text(json.dumps({**facts, "rows": [result.as_json() for result in results]}, indent=2) + "\n")


def _side(measures: Sequence[Measure]) -> dict[str, Any]:
    return {
        "median": _median(measures),
        "p95": _high(measures),
        "values": [value for measure in measures for value in measure.values],
        "peak_mib": _peak(measures),
        "notes": [dict(measure.notes) for measure in measures],
    }


def _values(measures: Sequence[Measure]) -> list[float]:
    return [value for measure in measures for value in measure.values]


def _median(measures: Sequence[Measure]) -> float:
    return statistics.median(_values(measures))


def _high(measures: Sequence[Measure]) -> float:
    ordered = sorted(_values(measures))
    return ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))]


def _peak(measures: Sequence[Measure]) -> float:
    return statistics.median(measure.peak_mib for measure in measures)


def _shown_peak(measures: Sequence[Measure]) -> str:
    return f"{_peak(measures):.0f} MiB" if measures else NOTHING


def _rounded(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
