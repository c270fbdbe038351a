"""The saved Slack bots that have a signing secret, and which of them a request was signed for."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastapi import Request
from pydantic import ValidationError

from prefect_wfexec.steps.slack import BLOCK_SLUG, SlackAccess

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient

FRESH_SECONDS = 10.0
"""How long what was read counts: requests that nobody has signed do not have Prefect asked each time."""
_MOST_BOTS = 200


@dataclass(frozen=True, slots=True)
class Bot:
    """A saved Slack bot."""

    name: str
    access: SlackAccess


class Bots:
    """The bots that can take what Slack sends."""

    def __init__(self) -> None:
        self._known: tuple[Bot, ...] = ()
        self._until = 0.0

    async def get(self, client: "PrefectClient") -> tuple[Bot, ...]:
        """Those that are saved now, or were a moment ago."""
        if time.monotonic() >= self._until:
            self._known = await _read(client)
            self._until = time.monotonic() + FRESH_SECONDS
        return self._known


def bots_of(request: Request) -> Bots:
    """The bots of the app that serves this request."""
    state = request.app.state
    if not hasattr(state, "slack_bots"):
        state.slack_bots = Bots()
    found = state.slack_bots
    assert isinstance(found, Bots)
    return found


def signed_for(bots: tuple[Bot, ...], body: bytes, headers: Mapping[str, str]) -> dict[str, Bot]:
    """The bots whose app Slack signed this request for, by name; none when nobody did, or not within five minutes."""
    return {bot.name: bot for bot in [bot for bot in bots if _is_signed(bot, body, headers)]}


def _is_signed(bot: Bot, body: bytes, headers: Mapping[str, str]) -> bool:
    from slack_sdk.signature import SignatureVerifier

    try:
        return SignatureVerifier(bot.access.signing_secret.get_secret_value()).is_valid_request(body, dict(headers))
    except Exception:  # noqa: BLE001 - a check that fails on odd input is no yes
        return False


async def _read(client: "PrefectClient") -> tuple[Bot, ...]:
    from prefect.exceptions import ObjectNotFound

    found = []
    try:
        documents = await client.read_block_documents_by_type(BLOCK_SLUG, limit=_MOST_BOTS, include_secrets=True)
    except ObjectNotFound:
        return ()
    for document in documents:
        try:
            bot = Bot(str(document.name), SlackAccess.model_validate(document.data))
        except ValidationError:
            continue
        if bot.access.signing_secret.get_secret_value().strip():
            found.append(bot)
    return tuple(found)
