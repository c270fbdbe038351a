"""The form that Slack opens where a press alone does not say enough. Pure."""

from collections.abc import Mapping
from typing import Any

from prefect_wfexec.engine.approvals.fields import required_fields
from prefect_wfexec.gateway.approving.showing import line
from prefect_wfexec.gateway.approving.slack.payloads import FORM, Press
from prefect_wfexec.journal.state import Gate

COMMENT = "comment"
FIELD = "field."
ELEMENT = "given"
MOST_OPTIONS, LONGEST_OPTION, LONGEST_TEXT, LONGEST_LABEL, LONGEST_TITLE = 100, 75, 3000, 2000, 24


def needs_form(gate: Gate, decision: str) -> bool:
    """Whether a decision has to come with words or with fields."""
    return decision == "reject" or (decision == gate.choices[0] and bool(gate.fields))


def form_of(gate: Gate, press: Press, headline: str) -> dict[str, Any]:
    """The form, as Slack's `views.open` takes it."""
    word = press.decision.capitalize()[:LONGEST_TITLE]
    blocks: list[dict[str, Any]] = [{"type": "section", "text": _plain(headline[:LONGEST_TEXT])}]
    if press.decision == gate.choices[0]:
        blocks += [_field(gate, name) for name in gate.fields]
    is_reason = press.decision == "reject"
    words = "It becomes the reason the run shows." if is_reason else "Shown with your decision."
    blocks.append(_input(COMMENT, "Comment", words, {**_text_input(""), "multiline": True}, is_optional=not is_reason))
    return {
        "type": "modal",
        "callback_id": FORM,
        "private_metadata": press.as_text(),
        "title": _plain(word),
        "submit": _plain(word),
        "close": _plain("Back"),
        "blocks": blocks,
    }


def given_fields(filled: Mapping[str, str]) -> dict[str, str]:
    """What was filled in of the gate's own fields."""
    return {name.removeprefix(FIELD): value for name, value in filled.items() if name.startswith(FIELD)}


def _field(gate: Gate, name: str) -> dict[str, Any]:
    spec = gate.fields[name]
    default = spec.get("default")
    start = ("yes" if default else "no") if isinstance(default, bool) else "" if default is None else str(default)
    choices = ["yes", "no"] if spec.get("type") == "boolean" else [str(one) for one in spec.get("enum") or ()]
    is_list = 0 < len(choices) <= MOST_OPTIONS and all(0 < len(one) <= LONGEST_OPTION for one in choices)
    element = _select(choices, start) if is_list else _text_input(start)
    title, words = line(str(spec.get("title") or name)), line(str(spec.get("description") or ""))
    return _input(f"{FIELD}{name}", title, words, element, is_optional=name not in required_fields(gate.fields))


def _input(block: str, title: str, words: str, element: dict[str, Any], *, is_optional: bool) -> dict[str, Any]:
    found = {"type": "input", "block_id": block, "label": _plain(title[:LONGEST_LABEL]), "element": element}
    hint = {"hint": _plain(words[:LONGEST_LABEL])} if words else {}
    return {**found, **hint, "optional": is_optional}


def _text_input(start: str) -> dict[str, Any]:
    found = {"type": "plain_text_input", "action_id": ELEMENT, "max_length": LONGEST_TEXT}
    return {**found, **({"initial_value": start[:LONGEST_TEXT]} if start else {})}


def _select(choices: list[str], start: str) -> dict[str, Any]:
    options = {choice: {"text": _plain(choice), "value": choice} for choice in choices}
    found = {"type": "static_select", "action_id": ELEMENT, "options": list(options.values())}
    return {**found, **({"initial_option": options[start]} if start in options else {})}


def _plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text}
