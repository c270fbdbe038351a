"""What a page about a gate shows, as plain data: nothing in it has a meaning to a browser. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from prefect_wfexec.definition.model import JSON
from prefect_wfexec.engine.approvals.fields import required_fields
from prefect_wfexec.engine.notices.about import About
from prefect_wfexec.journal.state import Gate
from prefect_wfexec.runtime.ansi import strip_ansi

MOST_RESOURCES = 200
MOST_PLAN_CHARACTERS = 2_000_000
_TURNS_TEXT = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Marks that make a browser show text in another order than it has."""
_KINDS = {
    "create": ("added", "+", "added"),
    "update": ("changed", "~", "changed"),
    "delete": ("destroyed", "−", "destroyed"),  # noqa: RUF001 - the sign, as wide as the plus
    "replace": ("destroyed", "±", "replaced"),
}
_COUNTS = (("add", "create"), ("change", "update"), ("destroy", "delete"))
_BUTTONS = {
    "approve": "Approve",
    "reject": "Reject",
    "retry": "Run the step again",
    "skip": "Go on without it",
    "abort": "Leave it failed",
}
_DONE = {
    "approve": "approved",
    "reject": "rejected",
    "retry": "asked for a retry",
    "skip": "skipped",
    "abort": "aborted",
}


@dataclass(frozen=True, slots=True)
class Mark:
    """One thing that a plan does: how it looks, and what it is."""

    look: str
    sign: str
    word: str
    text: str


@dataclass(frozen=True, slots=True)
class Voice:
    """Somebody who has decided."""

    name: str
    did: str
    at: str
    comment: str
    proven: str


@dataclass(frozen=True, slots=True)
class Field:
    """One field of the author's, and what was filled in."""

    name: str
    title: str
    help: str
    kind: str
    choices: tuple[str, ...]
    value: str
    is_needed: bool


@dataclass(frozen=True, slots=True)
class Button:
    """One decision that can be made."""

    value: str
    text: str
    look: str
    is_bare: bool
    """Whether it needs none of the fields."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """Everything that a page shows of a gate."""

    title: str
    workflow: str
    run: str
    run_url: str
    message: str
    summary: str
    counts: tuple[Mark, ...]
    resources: tuple[Mark, ...]
    more: int
    has_plan: bool
    news: tuple[str, ...]
    votes: str
    may_decide: tuple[str, ...]
    voices: tuple[Voice, ...]
    until: str
    digest: str
    person: str
    fields: tuple[Field, ...]
    buttons: tuple[Button, ...]


def sheet_of(about: About, person: str, plan: Mapping[str, JSON], given: Mapping[str, str]) -> Sheet:
    """What the page of a gate shows.

    Args:
        about: The gate.
        person: Who looks at it.
        plan: The outputs of the plan that is decided on; empty without one.
        given: What was filled in before, by the name of its field in the form.
    """
    gate = about.gate
    resources = _resources(plan)
    return Sheet(
        title=line(about.title),
        workflow=line(about.workflow),
        run=line(about.run),
        run_url=about.run_url if about.run_url.startswith(("https://", "http://")) else "",
        message=text(gate.message),
        summary=line(plan.get("summary")),
        counts=_counts(plan),
        resources=resources[:MOST_RESOURCES],
        more=max(0, len(resources) - MOST_RESOURCES),
        has_plan=bool(plan),
        news=tuple(line(one) for one in gate.news),
        votes=f"{len(gate.approvals)} of {gate.quorum}" if gate.quorum > 1 else "",
        may_decide=tuple(line(name) for name in gate.approvers),
        voices=tuple(_voice(gate, number) for number in range(len(gate.decisions))),
        until=moment(gate.expires),
        digest=gate.subject_digest[:16] if gate.subject is not None else "",
        person=line(person),
        fields=tuple(_field(gate, name, given.get(f"field.{name}")) for name in gate.fields),
        buttons=tuple(_button(gate, choice) for choice in gate.choices),
    )


def text(value: JSON) -> str:
    """Text from outside, without what controls a terminal or turns it around."""
    return _TURNS_TEXT.sub("", strip_ansi(value if isinstance(value, str) else "")).replace("\r", "")


def line(value: JSON) -> str:
    """The same on one line."""
    return " ".join(text(value).split())


def moment(time: datetime | None) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if time else ""


def plan_text(plan: Mapping[str, JSON]) -> str:
    """The whole plan, as Terraform prints it."""
    found = text(plan.get("text"))
    return found if len(found) <= MOST_PLAN_CHARACTERS else f"{found[:MOST_PLAN_CHARACTERS]}\n… cut here"


def _counts(plan: Mapping[str, JSON]) -> tuple[Mark, ...]:
    counts = plan.get("counts")
    numbers = counts if isinstance(counts, dict) else {}
    return tuple(
        Mark(*_KINDS[action], text=str(numbers[name])) for name, action in _COUNTS if isinstance(numbers.get(name), int)
    )


def _resources(plan: Mapping[str, JSON]) -> tuple[Mark, ...]:
    found = plan.get("resources")
    rows = [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []
    return tuple(_mark(line(row.get("action")), line(row.get("address"))) for row in rows)


def _mark(action: str, address: str) -> Mark:
    return Mark(*_KINDS.get(action, ("other", "·", action or "touched")), text=address)


def _voice(gate: Gate, number: int) -> Voice:
    one = gate.decisions[number]
    proven = one.by.verified_by or ""
    did = _DONE.get(one.decision, line(one.decision))
    return Voice(line(one.by.name), did, moment(one.at), text(one.comment), line(proven))


def _field(gate: Gate, name: str, given: str | None) -> Field:
    spec = gate.fields[name]
    kind = str(spec.get("type") or "string")
    default = spec.get("default")
    choices = ("yes", "no") if kind == "boolean" else tuple(str(one) for one in spec.get("enum") or ())
    first = ("yes" if default else "no") if isinstance(default, bool) else default
    return Field(
        name=name,
        title=line(str(spec.get("title") or name)),
        help=line(str(spec.get("description") or "")),
        kind=kind,
        choices=choices,
        value=text(given) if given is not None else "" if first is None else str(first),
        is_needed=name in required_fields(gate.fields),
    )


def _button(gate: Gate, choice: str) -> Button:
    look = "go" if choice == gate.choices[0] else "stop" if choice == gate.choices[-1] else "plain"
    return Button(choice, _BUTTONS.get(choice, choice.capitalize()), look, choice != gate.choices[0])
