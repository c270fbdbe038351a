"""What Slack sends when somebody presses a button or sends a form, read into plain data."""

import json
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import BaseModel, Field

from prefect_wfexec.engine.notices.texts import ACTION

FORM = "wfexec-decide"
"""The name of the forms that we open."""


class OddPayload(Exception):
    """What Slack signed is nothing that this version knows."""


class _User(BaseModel):
    id: str = Field(max_length=100)


class _Action(BaseModel):
    action_id: str
    value: str = ""


class _Container(BaseModel):
    channel_id: str = ""
    message_ts: str = ""


class _Pressed(BaseModel):
    user: _User
    actions: list[_Action]
    trigger_id: str = ""
    response_url: str = ""
    container: _Container = _Container()


class _View(BaseModel):
    callback_id: str = ""
    private_metadata: str = ""
    state: dict[str, dict[str, dict[str, dict[str, Any]]]] = {}


class _Submitted(BaseModel):
    user: _User
    view: _View


@dataclass(frozen=True, slots=True)
class Press:
    """A button that somebody pressed.

    Attributes:
        decision: What it stands for.
        button: Its signed value.
        response_url: Where answers to this press go.
        channel: Where its message is.
        ts: Which message that is.
    """

    decision: str
    button: str
    response_url: str
    channel: str
    ts: str

    def as_text(self) -> str:
        """What a form keeps of it."""
        return json.dumps(asdict(self))


@dataclass(frozen=True, slots=True)
class Sent:
    """What one request from Slack says.

    Attributes:
        user: The Slack user.
        press: The button they pressed, now or before they filled in the form.
        trigger: What opens a form within three seconds; empty for a form that was sent.
        filled: What they filled in, by block; None for a button.
    """

    user: str
    press: Press
    trigger: str = ""
    filled: dict[str, str] | None = None


def read_payload(text: str) -> Sent | None:
    """What a payload says; None for one that is not about a decision.

    Raises:
        OddPayload: it can't be read.
    """
    try:
        found = json.loads(text)
        kind = found["type"]
        if kind == "block_actions":
            return _pressed(_Pressed.model_validate(found))
        return _submitted(_Submitted.model_validate(found)) if kind == "view_submission" else None
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise OddPayload(type(error).__name__) from None


def _pressed(found: _Pressed) -> Sent | None:
    action = next((one for one in found.actions if one.action_id.startswith(ACTION)), None)
    if action is None:
        return None
    place = found.container
    decision = action.action_id.removeprefix(ACTION)
    press = Press(decision, action.value, found.response_url, place.channel_id, place.message_ts)
    return Sent(found.user.id, press, found.trigger_id)


def _submitted(found: _Submitted) -> Sent | None:
    if found.view.callback_id != FORM:
        return None
    values = found.view.state.get("values", {})
    filled = {block: _value(next(iter(elements.values()), {})) for block, elements in values.items()}
    return Sent(found.user.id, Press(**json.loads(found.view.private_metadata)), filled=filled)


def _value(element: dict[str, Any]) -> str:
    chosen = element.get("selected_option")
    value = chosen.get("value") if isinstance(chosen, dict) else element.get("value")
    return value if isinstance(value, str) else ""
