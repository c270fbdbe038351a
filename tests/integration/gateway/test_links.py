"""Decisions by the links that approvers were sent: real runs, real mails, pages over HTTP."""

from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.integration.gateway.support import ANN, BOB, GATE, JANE, Desk

QUORUM = GATE.replace("quorum: 1", "quorum: 2")


def test_looking_decides_nothing_and_one_press_decides(desk: Desk) -> None:
    before_gone = desk.count("gone")
    going = desk.start()
    run = going.run
    ann = desk.person(ANN, run)
    before = desk.wfexec.json("audit", run)["head"]
    for method in ("GET", "HEAD", "GET"):
        assert httpx.request(method, ann.link, timeout=60, trust_env=False).status_code == 200
    page = ann.open()
    assert page.buttons == ["approve", "reject"]
    assert "Shall we go?" in page.text and f"You decide as {ANN}" in page.text
    assert "Nobody has decided yet" in page.text
    assert desk.wfexec.json("audit", run)["head"] == before, "looking left a trace in the journal"

    answered = ann.send("approve", comment="looks right")
    assert "Approved" in answered.text and answered.buttons == []
    assert going.end().code == 0
    assert desk.count("gone") == before_gone + 1
    (decision,) = desk.gate(run)["decisions"]
    assert (decision["by"], decision["verified_by"], decision["comment"]) == (ANN, "link", "looks right")

    used = ann.open()
    assert used.buttons == [] and "Approved" in used.text and "looks right" in used.text
    assert desk.person(BOB, run).open().buttons == []


def test_a_rejection_says_why(desk: Desk) -> None:
    going = desk.start()
    bob = desk.person(BOB, going.run)
    refused = bob.send("reject", 422, comment="   ")
    assert "a rejection needs a comment" in refused.text and refused.buttons == ["approve", "reject"]
    assert "Rejected" in bob.send("reject", comment="not on a <Friday>").text
    assert going.end().code == 3
    (decision,) = desk.gate(going.run)["decisions"]
    assert (decision["by"], decision["verified_by"], decision["comment"]) == (BOB, "link", "not on a <Friday>")


def test_a_link_counts_as_its_person_whoever_opens_it_and_the_engine_judges(desk: Desk) -> None:
    going = desk.start(QUORUM)
    run = going.run
    ann, jane = desk.person(ANN, run), desk.person(JANE, run)
    refused = jane.send("approve", 422)
    assert "who started the run may not approve it" in refused.text
    assert "You have approved" in ann.send("approve").text
    assert ann.open().buttons == [], "the link is used up"
    assert "1 of 2 have approved" in desk.person(BOB, run).open().text
    bob = desk.person(BOB, run)
    bob.cookies = ann.cookies  # the link tells who it is, not the browser
    assert "Approved" in bob.send("approve").text
    assert going.end().code == 0
    assert [one["by"] for one in desk.gate(run)["decisions"]] == [ANN, BOB]


def test_twenty_at_once_give_one_decision(desk: Desk) -> None:
    going = desk.start(QUORUM)
    run = going.run
    ann = desk.person(ANN, run)
    fields = {**ann.open().hidden, "decision": "approve"}
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: ann.post(fields), range(20)))
    assert {answer.status_code for answer in answers} == {200}
    assert len(desk.facts(run, "decided")) == len(desk.facts(run, "requested")) == 1
    assert desk.facts(run, "refused") == []
    assert len(desk.gate(run)["decisions"]) == 1
    desk.person(BOB, run).send("reject", comment="enough")
    assert going.end().code == 3


def test_an_expired_link_opens_nothing(desk: Desk) -> None:
    going = desk.start(GATE.replace("expires: 4h", "expires: 6s"))
    run = going.run
    ann = desk.person(ANN, run)
    hidden = ann.open().hidden
    assert going.end().code == 3
    assert "This link opens nothing" in ann.open(410).text
    assert ann.post({**hidden, "decision": "approve"}).status_code == 410
    assert desk.gate(run)["decisions"] == []


def test_the_link_of_an_earlier_gate_opens_nothing(desk: Desk) -> None:
    going = desk.start()
    run = going.run
    old = desk.person(ANN, run)
    hidden = old.open().hidden
    desk.person(BOB, run).send("reject", comment="not yet")
    assert going.end().code == 3
    again = desk.wfexec.start("retry", run, "--json")
    new = desk.person(ANN, run, count=2)
    assert new.link != old.link
    assert "This link opens nothing" in old.open(410).text
    assert old.post({**hidden, "decision": "approve"}).status_code == 410
    assert "Approved" in new.send("approve").text
    assert again.end().code == 0


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "none"},
        {"origin": "https://evil.example"},
        {"origin": "https://evil.example", "sec-fetch-site": "same-origin"},
    ],
)
def test_no_other_site_decides(desk: Desk, waiting: str, headers: dict[str, str]) -> None:
    ann = desk.person(ANN, waiting)
    assert "Nothing was decided" in ann.send("approve", 403, headers).text
    assert desk.gate(waiting)["decisions"] == []


def test_a_form_needs_the_page_it_was_given_with(desk: Desk, waiting: str) -> None:
    ann, bob = desk.person(ANN, waiting), desk.person(BOB, waiting)
    hidden = bob.open().hidden
    ann.open()
    for fields in ({}, {"form_token": "x"}, hidden, {"form_token": "é"}):
        assert ann.post({**fields, "decision": "approve"}).status_code == 403
    own = ann.open().hidden
    ann.cookies.clear()
    assert ann.post({**own, "decision": "approve"}).status_code == 403
    assert desk.gate(waiting)["decisions"] == []


def test_what_is_no_form_is_refused(desk: Desk, waiting: str) -> None:
    link = desk.link(ANN, waiting)
    form = {"content-type": "application/x-www-form-urlencoded"}
    with httpx.Client(timeout=60, trust_env=False) as browser:
        assert browser.post(link, json={"decision": "approve"}).status_code == 415
        assert browser.post(link, content=b"x", headers={**form, "content-encoding": "gzip"}).status_code == 415
        assert browser.post(link, content=b"a=" + b"x" * 2**20, headers=form).status_code == 413
        assert browser.post(link, content=b"&".join(b"a=b" for _ in range(300)), headers=form).status_code == 400
        assert browser.post(link, content=b"\xff\x00=%ff%00", headers=form).status_code == 403
        for method in ("PUT", "DELETE", "PATCH", "OPTIONS"):
            assert browser.request(method, link).status_code == 401
    assert desk.gate(waiting)["decisions"] == []


def test_a_wrong_link_says_no_more_than_that(desk: Desk, waiting: str) -> None:
    link = desk.link(ANN, waiting)
    with httpx.Client(timeout=60, trust_env=False) as browser:
        answers = [
            browser.get(wrong) for wrong in (f"{link}x", link[:-1], f"{desk.gateway.url}/approve/x", f"{link}x/plan")
        ]
        posted = browser.post(f"{link}x", data={"decision": "approve"})
    assert {answer.status_code for answer in [*answers, posted]} == {404}
    assert len({answer.text for answer in [*answers, posted]}) == 1
    assert waiting not in answers[0].text
