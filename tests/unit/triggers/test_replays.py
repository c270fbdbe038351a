"""Deliveries that come again later than anybody remembers."""

from dataclasses import replace
from datetime import timedelta

import pytest

from prefect_wfexec.triggers.reading import read
from prefect_wfexec.triggers.replays import why_too_old
from tests.unit.triggers.support import NOW, TRIGGERS, payload, sent

WEEK = timedelta(days=7)
PUSH = read(sent("github", payload("github_push"), x_github_event="push"), TRIGGERS["github"])


@pytest.mark.parametrize("name", ["github_push", "pagerduty_incident_triggered"])
def test_a_repeated_delivery_is_too_old_when_its_id_may_be_forgotten(name: str) -> None:
    way = name.partition("_")[0]
    event = read(sent(way, payload(name), x_github_event="push"), TRIGGERS[way])
    assert event.happened is not None
    assert why_too_old(event, event.happened + WEEK, WEEK) is None
    assert why_too_old(event, event.happened - WEEK, WEEK) is None
    late = why_too_old(event, event.happened + timedelta(days=9), WEEK)
    assert late == "it happened 9 days ago, and may have started a run then"


def test_one_day_is_written_as_one() -> None:
    event = replace(PUSH, happened=NOW - timedelta(days=1))
    assert "1 day ago" in (why_too_old(event, NOW, timedelta(hours=1)) or "")


def test_what_does_not_say_when_it_happened_is_never_too_old() -> None:
    assert why_too_old(replace(PUSH, happened=None), NOW, WEEK) is None
