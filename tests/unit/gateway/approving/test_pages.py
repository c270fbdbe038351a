"""What browsers get: nothing from outside has a meaning in it, and everybody can read it."""

import base64
import hashlib
import re
from typing import Any

import pytest

from prefect_wfexec.gateway.approving.pages import FOLDER, headers, page
from prefect_wfexec.gateway.approving.showing import MOST_RESOURCES, plan_text, sheet_of
from prefect_wfexec.gateway.approving.standing import Standing
from prefect_wfexec.journal.state import Gate
from tests.support.markup import Html, read_html
from tests.unit.gateway.approving.support import EVIL, JANE, PLAN, about, decision, gate

OPEN = Standing("A decision is wanted", "Choose.", is_open=True)
FIELDS = {
    "ticket": {"title": "Ticket", "description": "The change."},
    "window": {"type": "choice", "enum": ["day", "night"], "default": "night"},
    "dry": {"type": "boolean", "default": False},
    "share": {"type": "number", "required": False},
}


def shown(one: Gate | None = None, plan: Any = PLAN, standing: Standing = OPEN, **more: Any) -> Html:
    given = more.pop("given", {})
    sheet = sheet_of(about(one, **more), JANE, plan, given)
    made = page(
        "gate.html", sheet=sheet, standing=standing, token="tok", form_token="f", comment=given.get("comment", "")
    )
    return read_html(bytes(made.body).decode())


def test_a_plan_is_told_by_word_and_sign_and_colour() -> None:
    found = shown()
    for words in ("+ 3 added", "~ 2 changed", "\N{MINUS SIGN} 1 destroyed", "± replaced a.other", "· import a.found"):
        assert words in found.text
    looks = [attributes["class"] for tag, attributes in found.tags if attributes.get("class", "").startswith("mark")]
    assert looks[:3] == ["mark added", "mark changed", "mark destroyed"]
    assert "tok/plan" in [attributes.get("href") for attributes in found.all("a")]


def test_a_long_plan_is_cut() -> None:
    rows = [{"action": "create", "address": f"r{number}"} for number in range(MOST_RESOURCES + 7)]
    assert "7 more" in shown(plan={**PLAN, "resources": rows}).text


def test_nothing_from_outside_is_markup() -> None:
    fields = {"f": {"title": EVIL, "description": EVIL, "type": "choice", "enum": [EVIL], "default": EVIL}}
    one = gate(message=EVIL, approvers=(EVIL,), decisions=(decision(EVIL, comment=EVIL),), news=(EVIL,), fields=fields)
    plan = {**PLAN, "summary": EVIL, "resources": [{"action": EVIL, "address": EVIL}]}
    standing = Standing(EVIL, EVIL, is_open=True)
    given = {"comment": EVIL, "field.f": EVIL}
    found = shown(one, plan, standing, title=EVIL, workflow=EVIL, run=EVIL, given=given)
    assert {tag for tag, _ in found.tags} <= {
        *("html", "head", "meta", "title", "style", "body", "main", "p", "h1", "h2", "div", "strong", "ul", "li", "b"),
        *("table", "thead", "tbody", "tr", "th", "td", "span", "a", "form", "button", "input", "label", "select"),
        *("option", "textarea"),
    }
    assert not [name for _, attributes in found.tags for name in attributes if name.startswith("on") or name == "style"]
    assert found.text.count("<script>alert(1)</script>") >= 12
    assert "\x1b" not in found.text and "\u202e" not in found.text


def test_no_address_from_outside_leads_anywhere() -> None:
    for address in ("javascript:alert(1)", "//evil.example", "data:text/html,x"):
        assert address not in [attributes.get("href") for attributes in shown(run_url=address).all("a")]


def test_the_form_asks_what_the_author_wants_and_nothing_is_chosen_by_the_enter_key() -> None:
    found = shown(gate(fields=FIELDS), given={"field.ticket": "OPS-7", "comment": "so far"})
    assert found.buttons == ["approve", "reject"]
    inputs = {attributes["name"]: attributes for attributes in found.all("input")}
    assert inputs["field.ticket"]["value"] == "OPS-7" and "required" in inputs["field.ticket"]
    assert "required" not in inputs["field.share"]
    labels = {attributes["for"] for attributes in found.all("label")}
    named = {one["id"] for tag in ("input", "select", "textarea") for one in found.all(tag) if "id" in one}
    assert labels == named
    chosen = [attributes["value"] for attributes in found.all("option") if "selected" in attributes]
    assert chosen == ["night", "no"]
    first, *others = found.all("button")
    assert "disabled" in first, "the first button is the one that the enter key presses"
    assert ["formnovalidate" in button for button in others] == [False, True]


def test_a_gate_that_is_decided_has_no_form() -> None:
    one = gate(decisions=(decision(comment="fine"),))
    found = shown(one, standing=Standing("Approved", "By joe.", "good"))
    assert found.all("form") == [] and found.buttons == []
    assert "joe@example.com approved on 2030-01-01 12:00 UTC (proven by link) fine" in found.text


def test_a_failed_step_has_its_own_choices() -> None:
    found = shown(gate(choices=("retry", "skip", "abort")), plan={})
    assert found.buttons == ["retry", "skip", "abort"]
    assert "The plan" not in found.text


def test_the_policy_of_a_page_allows_its_style_alone() -> None:
    made = page("note.html", 404, headline="No", words="<b>no</b>")
    (style,) = re.findall(r"<style>(.*?)</style>", bytes(made.body).decode(), re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = made.headers["content-security-policy"].split("; ")
    assert policy == [
        "default-src 'none'",
        f"style-src 'sha256-{digest}'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ]
    assert made.headers["referrer-policy"] == "no-referrer"
    assert made.headers["x-frame-options"] == "DENY"
    assert made.headers["x-content-type-options"] == "nosniff"
    assert made.headers["cache-control"] == "no-store"
    assert headers()["X-Robots-Tag"]
    assert "&lt;b&gt;no&lt;/b&gt;" in bytes(made.body).decode()


def test_the_whole_plan_is_plain_text() -> None:
    assert plan_text({"text": f"a\r\n{EVIL}"}) == "a\n<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"
    assert len(plan_text({"text": "x" * 3_000_000})) < 2_000_100
    assert plan_text({}) == ""


@pytest.mark.parametrize("theme", [0, 1])
def test_every_text_stands_out_from_what_is_behind_it(theme: int) -> None:
    blocks = re.findall(r":root \{(.*?)\}", (FOLDER / "style.css").read_text(), re.DOTALL)
    colours = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", blocks[theme]))
    pairs = [(name, back) for name in ("text", "quiet", "link") for back in ("page", "panel")]
    pairs += [(name, f"{name}-back") for name in ("added", "changed", "destroyed", "go", "stop")]
    assert {
        pair: contrast(colours[pair[0]], colours[pair[1]])
        for pair in pairs
        if contrast(*(colours[one] for one in pair)) < 4.5
    } == {}


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours, as WCAG 2 has it."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
