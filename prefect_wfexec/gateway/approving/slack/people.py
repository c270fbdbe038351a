"""Who a Slack user is: the mail address of their account in the bot's own workspace."""

from typing import Any

from prefect_wfexec.engine.approvals.verifying import BY_SLACK
from prefect_wfexec.engine.notices.senders import NotSent, ask_slack
from prefect_wfexec.errors import UsageError
from prefect_wfexec.journal.facts import Actor
from prefect_wfexec.steps.slack import SlackAccess

_SCOPES = "give the app the scopes users:read and users:read.email"


async def person_of(access: SlackAccess, user_id: str) -> Actor:
    """The person behind a Slack user.

    Somebody of another workspace may see a shared channel, and what their account says of them is that workspace's
    to say: they are nobody here.

    Raises:
        UsageError: they are nobody who can be recognised.
        NotSent: Slack does not tell.
    """
    user = _part(await _asked(access, "users.info", {"user": user_id}), "user")
    if user.get("deleted") or user.get("is_bot") or user.get("id") != user_id:
        raise UsageError("this Slack account is no person's", code="no-person")
    if not _is_member(user, await _asked(access, "auth.test", {})):
        raise UsageError("you belong to another Slack workspace than the bot does", code="no-person")
    address = _part(user, "profile").get("email")
    if not isinstance(address, str) or not address.strip() or user.get("is_email_confirmed") is False:
        words = "the Slack bot sees no confirmed mail address of yours, which would say who you are"
        raise UsageError(words, hint=_SCOPES, code="no-person")
    return Actor(address.strip(), BY_SLACK)


def _is_member(user: dict[str, Any], bot: dict[str, Any]) -> bool:
    """Whether a user belongs to the bot's workspace, or to another of the same enterprise."""
    if user.get("is_stranger"):
        return False
    team, enterprise = bot.get("team_id"), bot.get("enterprise_id")
    theirs = _part(user, "enterprise_user").get("enterprise_id")
    return bool((team and user.get("team_id") == team) or (enterprise and theirs == enterprise))


async def _asked(access: SlackAccess, method: str, arguments: dict[str, str]) -> dict[str, Any]:
    try:
        found = (await ask_slack(access, method, arguments, is_form=True)).data
    except NotSent as fault:
        if "missing_scope" not in fault.message:
            raise
        words = "the Slack bot may not see who you are"
        raise UsageError(
            words, hint="give the app the scopes users:read and users:read.email", code="no-scope"
        ) from None
    return found if isinstance(found, dict) else {}


def _part(found: dict[str, Any], name: str) -> dict[str, Any]:
    part = found.get(name)
    return part if isinstance(part, dict) else {}
