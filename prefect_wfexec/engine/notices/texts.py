"""What messages about a gate say: Slack's blocks, and the text of a mail. Pure."""

import shlex
from collections.abc import Iterable, Mapping
from datetime import UTC
from typing import Any

from prefect_wfexec.definition.model import JSON
from prefect_wfexec.engine.notices.about import About
from prefect_wfexec.engine.notices.due import Kind
from prefect_wfexec.journal.state import Gate
from prefect_wfexec.runtime.ansi import strip_ansi

MOST_RESOURCES = 20
LONGEST_SECTION = 2900
"""Slack takes 3,000 characters in a section."""
LONGEST_QUESTION = 300
"""And so many in what it asks before a button counts."""
ACTION = "wfexec-decide-"
"""What the names of the buttons that decide begin with."""
_MARKS = {"create": "+", "update": "~", "delete": "-", "replace": "±"}


def headline(kind: Kind, about: About) -> str:
    """The one line of a message."""
    name = f"{about.workflow}: {about.title} ({about.run})"
    if kind == "reminder":
        return f"Still waiting, open until {_until(about.gate)}: {name}"
    if kind == "changed":
        return f"{outcome_words(about.gate)}: {name}"
    return f"Approval wanted: {name}"


def outcome_words(gate: Gate) -> str:
    """What became of a gate, so far."""
    names = ", ".join(dict.fromkeys(one.by.name for one in gate.decisions))
    if gate.is_open:
        return f"{len(gate.approvals)} of {gate.quorum} approved by {names}"
    if gate.outcome in ("approved", "rejected"):
        return f"{gate.outcome.capitalize()} by {names}"
    return gate.outcome.capitalize()


def slack_message(kind: Kind, about: About) -> tuple[str, list[dict[str, Any]]]:
    """The text and the blocks of a Slack message."""
    line = headline(kind, about)
    blocks: list[dict[str, Any]] = [_section(f"*{_escaped(line)}*")]
    gate = about.gate
    if gate.message:
        blocks.append(_section(_escaped(gate.message)))
    if about.planned is not None:
        blocks.append(_section(f"*{_escaped(_text(about.planned.get('summary')))}*\n{_resources(about.planned)}"))
    if gate.news and gate.is_open:
        news = "\n".join(f"• {_escaped(item)}" for item in gate.news)
        blocks.append(_section(f"*New since it was approved before*\n{news}"))
    comments = [f"{one.by.name}: {one.comment}" for one in gate.decisions if one.comment]
    if comments:
        blocks.append(_section("\n".join(f"> {_escaped(comment)}" for comment in comments)))
    if about.note:
        blocks.append(_section(_escaped(about.note)))
    if gate.is_open and (buttons := _buttons(about)):
        blocks.append({"type": "actions", "elements": buttons})
    blocks.append({"type": "context", "elements": [{"type": "mrkdwn", "text": _escaped(_facts(gate))}]})
    return line, blocks


def mail_message(kind: Kind, about: About) -> tuple[str, str]:
    """The subject and the text of a mail."""
    gate = about.gate
    lines = [headline(kind, about), ""]
    if gate.message:
        lines += [gate.message, ""]
    if gate.news:
        lines += ["New since it was approved before:", *(f"  - {item}" for item in gate.news), ""]
    if about.planned is not None:
        lines += [_text(about.planned.get("summary")), *_rows(about.planned, "  "), ""]
    lines += [_facts(gate), ""]
    lines += _how_to_decide(about)
    text = strip_ansi("\n".join(lines)).replace("\r", "")
    return " ".join(headline(kind, about).split())[:200], text


def _how_to_decide(about: About) -> list[str]:
    lines = []
    if about.link:
        lines += ["Decide here; the link is yours alone, give it to nobody:", f"  {about.link}", ""]
    if about.codes:
        lines += ["Your personal codes for this decision; give them to nobody:"]
        lines += [f"  {decision + ':':<9} {code}" for decision, code in about.codes.items()]
        lines.append("")
    elif about.gate.is_governed:
        lines += [f"Who may decide: {', '.join(about.gate.approvers)}.", ""]
    if about.run_url:
        lines.append(f"Decide in Prefect (Resume): {about.run_url}")
    if about.plan_url:
        lines.append(f"The plan: {about.plan_url}")
    code = " --code CODE" if about.codes else ""
    if about.codes or not about.gate.is_governed:
        lines.append(f"On the command line: wfexec approve {about.run} --step {shlex.quote(about.gate.step)}{code}")
    return lines


def _buttons(about: About) -> list[dict[str, Any]]:
    if about.button:
        return [
            *(_deciding(about, choice) for choice in about.gate.choices),
            *_leading([("View plan", about.plan_url, "")]),
        ]
    return _leading(
        [("Approve", about.run_url, "primary"), ("Reject", about.run_url, "danger"), ("View plan", about.plan_url, "")]
    )


def _deciding(about: About, choice: str) -> dict[str, Any]:
    """A button that decides, when Slack tells the gateway who pressed it."""
    gate = about.gate
    button = {
        "type": "button",
        "text": {"type": "plain_text", "text": choice.capitalize()},
        "value": about.button,
        "action_id": f"{ACTION}{choice}",
    }
    if choice == gate.choices[-1]:
        return {**button, "style": "danger"}
    if choice != gate.choices[0]:
        return button
    return {**button, "style": "primary", **({} if gate.fields else {"confirm": _confirmation(about, choice)})}


def _confirmation(about: About, choice: str) -> dict[str, Any]:
    """What Slack asks before a decision that nothing else is asked about."""
    name = _text(f"{about.workflow}: {about.title} ({about.run})")
    return {
        "title": {"type": "plain_text", "text": f"{choice.capitalize()}?"},
        "text": {"type": "plain_text", "text": name[:LONGEST_QUESTION]},
        "confirm": {"type": "plain_text", "text": choice.capitalize()},
        "deny": {"type": "plain_text", "text": "Back"},
    }


def _leading(wanted: Iterable[tuple[str, str, str]]) -> list[dict[str, Any]]:
    """Buttons that open a page."""
    return [
        {
            "type": "button",
            "text": {"type": "plain_text", "text": text},
            "url": url,
            "action_id": f"wfexec-open-{text.lower().replace(' ', '-')}",
            **({"style": style} if style else {}),
        }
        for text, url, style in wanted
        if url.startswith(("https://", "http://"))
    ]


def _facts(gate: Gate) -> str:
    parts = [f"subject {gate.subject_digest[:16]}"]
    if gate.quorum > 1 or gate.approvers:
        parts.append(f"{len(gate.approvals)} of {gate.quorum} approved")
    if gate.is_open and gate.expires is not None:
        parts.append(f"open until {_until(gate)}")
    return ", ".join(parts)


def _until(gate: Gate) -> str:
    return f"{gate.expires.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if gate.expires else "somebody decides"


def _rows(planned: Mapping[str, JSON], indent: str = "") -> list[str]:
    resources = planned.get("resources")
    rows = [row for row in resources if isinstance(row, dict)] if isinstance(resources, list) else []
    found = [
        f"{indent}{_MARKS.get(str(row.get('action')), '*')} {_text(row.get('address'))}"
        for row in rows[:MOST_RESOURCES]
    ]
    return [*found, f"{indent}… {len(rows) - MOST_RESOURCES} more"] if len(rows) > MOST_RESOURCES else found


def _resources(planned: Mapping[str, JSON]) -> str:
    rows = [_escaped(row).replace("`", "'") for row in _rows(planned)]
    return "```" + "\n".join(rows) + "```" if rows else ""


def _section(text: str) -> dict[str, Any]:
    cut = text if len(text) <= LONGEST_SECTION else f"{text[:LONGEST_SECTION]}…"
    return {"type": "section", "text": {"type": "mrkdwn", "text": cut or " "}}


def _escaped(text: str) -> str:
    return strip_ansi(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _text(value: JSON) -> str:
    return " ".join(strip_ansi(value if isinstance(value, str) else "").split())
