"""Sending messages about a gate, by mail and by Slack."""

import asyncio
import smtplib
import ssl
from collections.abc import Mapping
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, SecretStr, ValidationError

from prefect_wfexec.errors import WfexecError
from prefect_wfexec.runtime.saved_blocks import read_block_data
from prefect_wfexec.steps.slack import BLOCK_SLUG as SLACK_SLUG
from prefect_wfexec.steps.slack import BLOCK_TYPE_NAME as SLACK_TYPE_NAME
from prefect_wfexec.steps.slack import ODD_ANSWERS, SlackAccess, error_word, slack_client

MAILER_SLUG = "mailer-wfexec"
MAILER_TYPE_NAME = "Mailer (wfexec)"
SMTP_SECONDS = 30.0
_PASSING = {None, "ratelimited", "internal_error", "service_unavailable"}
Access = TypeVar("Access", bound=BaseModel)


class NotSent(WfexecError):
    """A message could not be sent; the text holds no secret.

    Attributes:
        may_pass: Whether it may go through when it is sent again.
    """

    code = "not-sent"

    def __init__(self, message: str, *, hint: str | None = None, may_pass: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.may_pass = may_pass


class MailAccess(BaseModel):
    """What a saved Mailer block holds."""

    host: str
    port: int = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    sender: str
    username: str = ""
    password: SecretStr = SecretStr("")


async def send_mail(block: str, to: str, subject: str, text: str) -> None:
    """Send one mail to one person.

    Raises:
        NotSent: the server can't be reached, or refused it.
    """
    access = await _read(MAILER_SLUG, block, MAILER_TYPE_NAME, MailAccess)
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = access.sender, to, subject
    message["Date"], message["Message-ID"] = formatdate(), make_msgid(domain=access.sender.rpartition("@")[2])
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text)
    try:
        await asyncio.to_thread(_deliver, access, message)
    except smtplib.SMTPRecipientsRefused:
        raise NotSent(f"the mail server refused the address {to}") from None
    except smtplib.SMTPAuthenticationError:
        raise NotSent(f"the mail server {access.host} refused the account of the mailer '{block}'") from None
    except (OSError, smtplib.SMTPException, ValueError) as error:
        words = f"the mail server {access.host}:{access.port} can't be used: {type(error).__name__}"
        hint = f"check the {MAILER_TYPE_NAME} block '{block}'"
        raise NotSent(words, hint=hint, may_pass=isinstance(error, OSError)) from None


def _deliver(access: MailAccess, message: EmailMessage) -> None:
    context = ssl.create_default_context()
    if access.security == "tls":
        server: smtplib.SMTP = smtplib.SMTP_SSL(access.host, access.port, timeout=SMTP_SECONDS, context=context)
    else:
        server = smtplib.SMTP(access.host, access.port, timeout=SMTP_SECONDS)
    with server:
        if access.security == "starttls":
            server.starttls(context=context)
        if access.username:
            server.login(access.username, access.password.get_secret_value())
        server.send_message(message)


async def slack_access(block: str) -> SlackAccess:
    """What a saved Slack bot holds.

    Raises:
        NotSent: it was not saved, or can't be used.
    """
    return await _read(SLACK_SLUG, block, SLACK_TYPE_NAME, SlackAccess)


async def post_slack(access: SlackAccess, channel: str, text: str, blocks: list[dict[str, Any]]) -> dict[str, str]:
    """Post a message; where it is.

    Raises:
        NotSent: Slack can't be reached, or refused it.
    """
    answer = await ask_slack(access, "chat.postMessage", {"channel": channel, "text": text, "blocks": blocks})
    return {"channel": str(answer.get("channel") or channel), "ts": str(answer.get("ts") or "")}


async def change_slack(access: SlackAccess, place: Mapping[str, str], text: str, blocks: list[dict[str, Any]]) -> None:
    """Change a message that was posted.

    Raises:
        NotSent: Slack can't be reached, or refused it.
    """
    await ask_slack(access, "chat.update", {**place, "text": text, "blocks": blocks})


async def ask_slack(access: SlackAccess, method: str, body: Mapping[str, Any], *, is_form: bool = False) -> Any:
    """Call a method of Slack's Web API; its answer.

    Args:
        access: The bot that calls it.
        method: The method's name.
        body: Its arguments.
        is_form: Whether they are sent as a form: methods that read take no JSON.

    Raises:
        NotSent: Slack can't be reached, or refused it.
    """
    from aiohttp import ClientError
    from slack_sdk.errors import SlackApiError

    try:
        given: dict[str, Any] = {"data": dict(body)} if is_form else {"json": dict(body)}
        return await slack_client(access).api_call(method, **given)
    except SlackApiError as error:
        word = error_word(error)
        raise NotSent(f"Slack refused it: {word or 'without a reason'}", may_pass=word in _PASSING) from None
    except (ClientError, TimeoutError, OSError) as error:
        raise NotSent(f"Slack can't be reached: {type(error).__name__}", may_pass=True) from None
    except ODD_ANSWERS:
        raise NotSent("what answers at the Slack bot's API URL is not Slack's Web API") from None


async def _read(slug: str, name: str, type_name: str, model: type[Access]) -> Access:
    try:
        return model.model_validate(dict(await read_block_data(slug, name, type_name)))
    except ValidationError:
        raise NotSent(f"the {type_name} block '{name}' can't be used: open it in Prefect's UI and save it") from None
    except WfexecError as error:
        raise NotSent(error.message, hint=error.hint) from None
