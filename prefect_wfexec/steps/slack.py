"""`slack.message`: send a message with a saved Slack bot."""

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, Field, SecretStr, ValidationError

from prefect_wfexec.errors import StepFailed, StepSkipped, StepStopped
from prefect_wfexec.runtime.saved_blocks import MissingBlock, read_block_data
from prefect_wfexec.steps.base import OutputsModel, StepContext, StepResult, StepType, WithModel
from prefect_wfexec.steps.checking import BlockUse
from prefect_wfexec.steps.registry import step_type

if TYPE_CHECKING:
    from slack_sdk.web.async_client import AsyncWebClient

BLOCK_SLUG = "slack-bot-wfexec"
BLOCK_TYPE_NAME = "Slack Bot (wfexec)"
MAX_TEXT = 40_000
"""Characters of one message; Slack cuts what is longer."""
REQUEST_SECONDS = 30
ODD_ANSWERS = (AttributeError, TypeError, ValueError)
"""What slack-sdk raises on JSON that is no object, or on bytes that are no JSON."""
LINK_SECONDS = 10.0
"""How long the address of a message is waited for that was sent."""
PATIENCE_SECONDS = 120.0
"""How long a rate limit is waited out in a step without a timeout."""

_MENDS = {
    "channel_not_found": "check the channel's name, and invite the bot to it when it is private",
    "not_in_channel": "invite the bot to the channel, or give the app the scope chat:write.public",
    "is_archived": "name another channel, this one is archived",
    "invalid_auth": "save the bot's current token in the block",
    "not_authed": "save the bot's token in the block",
    "account_inactive": "save a token of a bot that still exists in the block",
    "token_revoked": "save a new token in the block, this one was revoked",
    "token_expired": "save a new token in the block, this one has expired",
    "missing_scope": "give the app the scope chat:write and install it again",
    "no_text": "give the message a text",
    "msg_too_long": "shorten the text",
    "restricted_action": "ask an administrator of the workspace to let the bot post there",
    "ratelimited": "send fewer messages, or give the step more time",
}


class SlackMessageWith(WithModel):
    """What is sent where, and with which bot."""

    channel: str = Field(min_length=1, description="The channel's name or id, e.g. `#deploys`, or a user's id.")
    text: str = Field(min_length=1, description="The message, in Slack's mrkdwn; cut after 40,000 characters.")
    block: str = Field(default="slack", min_length=1, description="The saved Slack bot to send with.")
    optional: bool = Field(default=False, description="Whether the step is skipped when that block isn't saved.")


class SlackMessageOutputs(OutputsModel):
    """The message that was sent."""

    ts: str = Field(description="Its time stamp, which is its id within the channel.")
    permalink: str = Field(description="Its address; empty when Slack gives none.")


class SlackAccess(BaseModel):
    """What the saved block holds."""

    token: SecretStr
    base_url: str = "https://slack.com/api/"
    signing_secret: SecretStr = SecretStr("")


@dataclass(frozen=True, slots=True)
class SentMessage:
    """Where a message ended up."""

    channel: str
    ts: str


@step_type("slack.message")
class SlackMessage(StepType):
    """Sends one message."""

    uses_files = False
    Inputs = SlackMessageWith
    Outputs = SlackMessageOutputs
    blocks = (BlockUse("block", {BLOCK_SLUG: BLOCK_TYPE_NAME}, unless="optional"),)

    async def run(self, context: StepContext) -> StepResult:
        inputs: SlackMessageWith = context.inputs
        access = await _access(inputs)
        context.masker.add(access.token.get_secret_value())
        client = slack_client(access)
        try:
            sent = await _post(client, inputs.channel, _text(inputs.text, context), context)
        except asyncio.CancelledError:
            raise StepStopped("Slack had not answered: the message may or may not have been sent") from None
        context.log.stdout(f"sent to {inputs.channel}")
        permalink = await _permalink(client, sent, context)
        return StepResult(outputs={"ts": sent.ts, "permalink": permalink}, summary="Slack message sent")


async def _access(inputs: SlackMessageWith) -> SlackAccess:
    try:
        return SlackAccess.model_validate(dict(await read_block_data(BLOCK_SLUG, inputs.block, BLOCK_TYPE_NAME)))
    except MissingBlock as missing:
        if inputs.optional:
            raise StepSkipped(f"no Slack block '{inputs.block}' is saved, and the step is optional") from None
        raise StepFailed(missing.message, type="missing_block", hint=missing.hint) from None
    except ValidationError as error:
        fields = ", ".join(sorted({str(fault["loc"][0]) for fault in error.errors(include_input=False)}))
        raise StepFailed(
            f"the Slack block '{inputs.block}' can't be used: wrong or missing {fields}",
            type="bad_block",
            hint="open the block in Prefect's UI and save it again",
        ) from None


def slack_client(access: SlackAccess) -> "AsyncWebClient":
    """A client that neither writes to any log nor sends again on its own."""
    from slack_sdk.web.async_client import AsyncWebClient

    silent = logging.Logger("prefect_wfexec.slack", logging.WARNING)
    silent.addHandler(logging.NullHandler())
    return AsyncWebClient(
        token=access.token.get_secret_value(),
        base_url=f"{access.base_url.rstrip('/')}/",
        timeout=REQUEST_SECONDS,
        retry_handlers=[],
        logger=silent,
    )


async def _post(client: "AsyncWebClient", channel: str, text: str, context: StepContext) -> SentMessage:
    from aiohttp import ClientError
    from slack_sdk.errors import SlackApiError

    clock = asyncio.get_running_loop().time
    end = clock() + (context.timeout_seconds or PATIENCE_SECONDS)
    while True:
        try:
            response = await client.chat_postMessage(channel=channel, text=text)
            return SentMessage(channel=str(response.get("channel") or channel), ts=str(response.get("ts") or ""))
        except SlackApiError as error:
            pause = _retry_after(error)
            if pause is None or clock() + pause >= end:
                raise _refusal(error, channel, context) from None
            context.log.system(f"Slack asks to wait {pause:g} s")
            await asyncio.sleep(pause)
        except (ClientError, TimeoutError, OSError) as error:
            raise StepFailed(
                context.masker.mask(f"Slack can't be reached: {str(error) or type(error).__name__}"),
                type="slack_unreachable",
                hint="the message may or may not have been sent",
            ) from None
        except ODD_ANSWERS:
            raise StepFailed(
                "what answers at the Slack bot's API URL is not Slack's Web API (HTTP 200)",
                type="slack_unreachable",
                hint="check the API URL in the block",
            ) from None


async def _permalink(client: "AsyncWebClient", sent: SentMessage, context: StepContext) -> str:
    from aiohttp import ClientError
    from slack_sdk.errors import SlackClientError

    try:
        async with asyncio.timeout(LINK_SECONDS):
            response = await client.chat_getPermalink(channel=sent.channel, message_ts=sent.ts)
    except asyncio.CancelledError:
        # The message is sent: a step that is stopped now has done its work, and sending it again would be wrong.
        context.log.system("stopped before Slack gave a link to the message")
        return ""
    except (SlackClientError, ClientError, TimeoutError, OSError, *ODD_ANSWERS) as error:
        context.log.system(f"Slack gave no link to the message: {type(error).__name__}")
        return ""
    return str(response.get("permalink") or "")


def _text(text: str, context: StepContext) -> str:
    """The text as it is sent: without secrets, and cut where Slack would cut it."""
    masked = context.masker.mask(text)
    if len(masked) <= MAX_TEXT:
        return masked
    context.log.system(f"the text has {len(masked)} characters and is cut after {MAX_TEXT}")
    return f"{masked[: MAX_TEXT - 1]}…"


def _refusal(error: Any, channel: str, context: StepContext) -> StepFailed:
    word = error_word(error)
    if word is None:
        status = getattr(error.response, "status_code", None) or getattr(error.response, "status", "no status")
        return StepFailed(f"Slack answered with HTTP {status} and no reason", type="slack_unreachable")
    context.log.stderr(f"Slack refused the message: {word}")
    return StepFailed(
        f"Slack refused the message to {context.masker.mask(channel)}: {word}",
        type=f"slack_{word}",
        hint=_MENDS.get(word, f"look up '{word}' among the errors of chat.postMessage in Slack's documentation"),
    )


def error_word(error: Any) -> str | None:
    if _status(error) == 429:
        return "ratelimited"
    data = getattr(error.response, "data", None)
    word = data.get("error") if isinstance(data, dict) else None
    return word if isinstance(word, str) and word.replace("_", "").isalnum() else None


def _retry_after(error: Any) -> float | None:
    """Seconds to wait before sending again; None when the error is not about the rate."""
    if error_word(error) != "ratelimited":
        return None
    headers = getattr(error.response, "headers", None) or {}
    try:
        return max(float(headers.get("Retry-After", 1)), 0.1)
    except ValueError:
        return 1.0


def _status(error: Any) -> int | None:
    status = getattr(error.response, "status_code", None) or getattr(error.response, "status", None)
    return status if isinstance(status, int) else None
