"""Analytics as a picture: a line for each status over time, on a terminal or as SVG. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from html import escape
from typing import Any
from zoneinfo import ZoneInfo

from prefect_wfexec.status import RunStatus

COLOURS = {
    RunStatus.PENDING: "#6b7280",
    RunStatus.RUNNING: "#2563eb",
    RunStatus.SUCCEEDED: "#15803d",
    RunStatus.FAILED: "#dc2626",
    RunStatus.ERROR: "#9f1239",
    RunStatus.DEPLOYMENT_PENDING: "#0e7490",
    RunStatus.APPROVAL_PENDING: "#b45309",
    RunStatus.APPROVAL_REJECTED: "#c2410c",
    RunStatus.TERMINATING: "#7c3aed",
    RunStatus.TERMINATED: "#475569",
    RunStatus.TERMINATION_FAILED: "#be185d",
}
"""Told apart by eye, and each readable on white; a line is named beside it too."""
_DASHES = ("", "6 3", "2 3", "8 3 2 3")
_BARS = " ▁▂▃▄▅▆▇█"
_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 960, 420, 50, 190, 50, 40


def series_of(found: Mapping[str, Any]) -> dict[str, list[int]]:
    """For each status that occurs, how many runs each bucket has, in the order statuses are listed."""
    return {name: [bucket["counts"].get(name, 0) for bucket in found["buckets"]] for name in found["totals"]}


def labels_of(found: Mapping[str, Any], zone: ZoneInfo) -> list[str]:
    """What each bucket is called."""
    form = "%Y-%m" if found["bucket"] == "month" else "%m-%d"
    return [datetime.fromisoformat(bucket["start"]).astimezone(zone).strftime(form) for bucket in found["buckets"]]


def spark_lines(found: Mapping[str, Any], zone: ZoneInfo) -> list[str]:
    """A line of bars for each status, all on one scale, and the days or months below."""
    series, labels = series_of(found), labels_of(found, zone)
    most = max((max(counts) for counts in series.values()), default=0)
    names = max((len(name) for name in series), default=0)
    lines = [
        f"{name:<{names}}  {''.join(_bar(count, most) for count in counts)}  {sum(counts)}"
        for name, counts in series.items()
    ]
    if series:
        lines.append(f"{'':<{names}}  {_axis(labels)}")
    return lines


def _bar(count: int, most: int) -> str:
    """One count: nothing is blank, and one of very many is seen still."""
    return _BARS[0] if not count else _BARS[max(1, round(count / most * (len(_BARS) - 1)))]


def _axis(labels: Sequence[str]) -> str:
    """The first and the last label, under their bars where there is room."""
    first, last = labels[0], labels[-1]
    gap = len(labels) - len(first) - len(last)
    return f"{first}{' ' * gap}{last}" if gap > 0 else f"{first} … {last}"


def svg(found: Mapping[str, Any], zone: ZoneInfo, title: str) -> str:
    """A drawing of its own: no script, nothing loaded, readable on light and on dark.

    Args:
        found: As `analyse` gives it.
        zone: The time zone the buckets are of.
        title: What stands above.
    """
    series, labels = series_of(found), labels_of(found, zone)
    most = max((max(counts) for counts in series.values()), default=0)
    ticks = _ticks(most)
    top = ticks[-1]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img"',
        f' aria-label="{escape(title)}" font-family="system-ui, sans-serif" font-size="12">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>',
        f'<text x="{_LEFT}" y="26" font-size="16" fill="#111827">{escape(title)}</text>',
    ]
    for tick in ticks:
        y = _y(tick, top)
        parts += [
            f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#e5e7eb"/>',
            f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end" fill="#374151">{tick}</text>',
        ]
    step = max(1, -(-len(labels) // 10))
    for place in range(0, len(labels), step):
        x = _x(place, len(labels))
        words = escape(labels[place])
        parts.append(
            f'<text x="{x:.1f}" y="{_HEIGHT - _BOTTOM + 20}" text-anchor="middle" fill="#374151">{words}</text>'
        )
    for number, (name, counts) in enumerate(series.items()):
        parts += _line(name, counts, number, top)
    if not series:
        parts.append(f'<text x="{_WIDTH / 2}" y="{_HEIGHT / 2}" text-anchor="middle" fill="#374151">no runs</text>')
    return "\n".join([*parts, "</svg>\n"])


def _line(name: str, counts: Sequence[int], number: int, top: int) -> list[str]:
    colour, dash = COLOURS[RunStatus(name)], _DASHES[number % len(_DASHES)]
    points = [(_x(place, len(counts)), _y(count, top)) for place, count in enumerate(counts)]
    text = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="{colour}"/>' for x, y in points)
    y = _TOP + 18 * number
    style = f'stroke="{colour}" stroke-width="2" stroke-dasharray="{dash}"'
    x = _WIDTH - _RIGHT + 16
    return [
        f'<polyline points="{text}" fill="none" {style}/>{dots}',
        f'<line x1="{x}" x2="{x + 24}" y1="{y - 4}" y2="{y - 4}" {style}/>',
        f'<text x="{x + 30}" y="{y}" fill="#111827">{escape(name)} ({sum(counts)})</text>',
    ]


def _ticks(most: int) -> list[int]:
    """Round numbers from nought to above the highest count, five steps at most."""
    step = 1
    while step * 5 < most:
        step = step * 5 // 2 if str(step).startswith("2") else step * 2
    return list(range(0, max(most, 1) + step, step))


def _x(place: int, count: int) -> float:
    room = _WIDTH - _LEFT - _RIGHT
    return _LEFT + (room / 2 if count == 1 else room * place / (count - 1))


def _y(count: int, top: int) -> float:
    return _HEIGHT - _BOTTOM - (_HEIGHT - _BOTTOM - _TOP) * count / top
