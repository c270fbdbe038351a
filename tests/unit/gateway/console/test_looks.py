"""Statuses on the console: an icon, a word and a colour each; colours that can be read."""

import re
from itertools import product

import pytest

from prefect_wfexec.gateway.console.looks import run_icon, run_look, step_look
from prefect_wfexec.gateway.console.pages import STATIC
from prefect_wfexec.status import RunStatus, StepStatus

STYLE = (STATIC / "console.css").read_text()
LOOKS = ("good", "bad", "waits", "going", "idle")


def test_every_status_has_a_look() -> None:
    assert {run_look(status.value) for status in RunStatus} | {step_look(status.value) for status in StepStatus} == set(
        LOOKS
    )
    assert all(run_icon(status.value) for status in RunStatus)


def themes() -> dict[str, dict[str, str]]:
    """The colours of the light and of the dark page, by name."""
    light, dark = re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)
    found = {"light": dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", light))}
    return {**found, "dark": found["light"] | dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", dark))}


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


PAIRS = [
    *((look, f"{look}-back") for look in LOOKS),
    *product(("text", "quiet", "link"), ("page", "panel")),
    ("go-text", "go"),
    ("stop-text", "stop"),
]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("pair", PAIRS, ids="-on-".join)
def test_text_has_the_contrast_of_level_aa(theme: str, pair: tuple[str, str]) -> None:
    colours = themes()[theme]
    assert contrast(colours[pair[0]], colours[pair[1]]) >= 4.5


LOG_BACK = "#11161b"


def test_colours_of_the_log_can_be_read() -> None:
    found = re.findall(r"\.(?:c\d|row[^{]*) \{ (?:[^}]*; )?color: (#[0-9a-f]{6})", STYLE)
    assert len(found) >= 10
    assert all(contrast(colour, LOG_BACK) >= 4.5 for colour in found)
