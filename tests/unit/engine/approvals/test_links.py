"""Links and buttons: what they are bound to, and what opens nothing."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from prefect_wfexec.engine.approvals.links import LONGEST_LIFE, LinkBook, NoLink, public_url, read_button, read_link
from prefect_wfexec.journal.facts import utc_now
from prefect_wfexec.journal.state import Gate
from prefect_wfexec.settings import PUBLIC_URL
from tests.unit.journal.support import KEYS, OTHER_KEYS, RUN, at

URL = "https://deploys.example.com"
BOOK = LinkBook(KEYS.links, RUN, URL)
JANE, JOE = "jane@example.com", "joe@example.com"
GATE = Gate("gate", 1, at(0), "", "abc", approvers=(JANE, JOE), is_governed=True, expires=at(3600))


def token(gate: Gate = GATE, person: str = JANE) -> str:
    return BOOK.link(gate, person).removeprefix(f"{URL}/approve/")


def test_a_link_says_whose_it_is_and_what_it_is_about() -> None:
    binding = read_link(KEYS.links, token(), at(10))
    assert (binding.run, binding.step, binding.holder) == (RUN, "gate", JANE)
    assert binding.fits(GATE)


@pytest.mark.parametrize(
    "change",
    [{"step": "other"}, {"generation": 2}, {"subject_digest": "abd"}, {"expires": at(3601)}, {"expires": None}],
)
def test_a_link_is_about_one_gate_alone(change: dict[str, Any]) -> None:
    assert not read_link(KEYS.links, token(), at(10)).fits(replace(GATE, **change))


def test_no_other_key_makes_a_link() -> None:
    with pytest.raises(NoLink) as caught:
        read_link(OTHER_KEYS.links, token(), at(10))
    assert not caught.value.was_one
    for wrong in ("", "x", "a.b.c", "é", "\x00", f"{token()}x", token()[1:], f".{token()}", "A" * 1901):
        with pytest.raises(NoLink) as caught:
            read_link(KEYS.links, wrong, at(10))
        assert not caught.value.was_one


def test_a_button_is_no_link_and_a_link_no_button() -> None:
    button = BOOK.button(GATE, JANE)
    assert read_button(KEYS.links, button, at(10)).holder == JANE
    with pytest.raises(NoLink):
        read_link(KEYS.links, button, at(10))
    with pytest.raises(NoLink):
        read_button(KEYS.links, token(), at(10))


def test_a_link_ends_with_its_gate() -> None:
    assert read_link(KEYS.links, token(), at(3599))
    with pytest.raises(NoLink) as caught:
        read_link(KEYS.links, token(), at(3600))
    assert caught.value.was_one


def test_a_link_of_a_gate_that_stays_open_ends_too() -> None:
    lasting = token(replace(GATE, expires=None))
    now = utc_now()
    assert read_link(KEYS.links, lasting, now + LONGEST_LIFE - timedelta(minutes=1))
    assert read_link(KEYS.links, lasting, now - timedelta(minutes=5)), "a clock that is behind"
    with pytest.raises(NoLink):
        read_link(KEYS.links, lasting, now + LONGEST_LIFE + timedelta(minutes=1))


def test_a_link_is_an_address_that_mails_and_browsers_take() -> None:
    link = BOOK.link(GATE, "Jane Döe <x@y>\n")
    assert link.startswith(f"{URL}/approve/")
    assert all(mark.isalnum() or mark in "-_." for mark in link.removeprefix(f"{URL}/approve/"))
    assert len(link) < 400


def test_without_a_gateway_there_are_none() -> None:
    book = LinkBook(KEYS.links, RUN, "")
    assert (book.link(GATE, JANE), book.button(GATE, "slack")) == ("", "")


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("", ""),
        ("https://d.example.com/", "https://d.example.com"),
        ("http://127.0.0.1:8080/wfexec/", "http://127.0.0.1:8080/wfexec"),
        ("d.example.com", ""),
        ("javascript:alert(1)", ""),
        ("https://", ""),
        ("https://d.example.com/?a=b", ""),
        ("https://d.example.com/#x", ""),
        ("https://jane@d.example.com", ""),
        ("https://d.example.com/a b", ""),
        ("https://[", ""),
    ],
)
def test_where_the_gateway_is(monkeypatch: pytest.MonkeyPatch, given: str, url: str) -> None:
    monkeypatch.setenv(PUBLIC_URL.variable, given)
    assert public_url() == url
