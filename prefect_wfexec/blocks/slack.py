"""The Slack bot that workflows send their messages with."""

from prefect.blocks.core import Block
from pydantic import Field, SecretStr, field_validator


class SlackBot(Block):
    """A Slack app's bot user: `slack.message` steps and approval notices are sent in its name.

    Attributes:
        token: The app's Bot User OAuth Token; it needs the scope `chat:write`, and for approval buttons
            `users:read` and `users:read.email`.
        base_url: Where Slack's Web API is.
        signing_secret: The app's Signing Secret, by which the gateway knows what Slack sends; without it approvals
            have no buttons in Slack.

    Examples:
        Save a bot under the name that steps use when they name none:
        ```python
        import os
        from prefect_wfexec.blocks import SlackBot

        SlackBot(token=os.environ["SLACK_BOT_TOKEN"]).save("slack", overwrite=True)
        ```
    """

    _block_type_name = "Slack Bot (wfexec)"
    _block_type_slug = "slack-bot-wfexec"
    _description = "A Slack app's bot user, which sends the messages of workflows and of approvals."

    token: SecretStr = Field(
        title="Bot User OAuth Token",
        description="The token of the app's bot user (`xoxb-…`), found under OAuth & Permissions.",
    )
    base_url: str = Field(
        default="https://slack.com/api/",
        title="API URL",
        description="Where Slack's Web API is; only another one when Slack is reached through a gateway.",
    )
    signing_secret: SecretStr = Field(
        default=SecretStr(""),
        title="Signing Secret",
        description="The app's Signing Secret, found under Basic Information; with it approvals have buttons in Slack.",
    )

    @field_validator("base_url")
    @classmethod
    def _is_web_address(cls, value: str) -> str:
        if not value.startswith(("https://", "http://")):
            raise ValueError("a URL that starts with https:// is wanted")
        return f"{value.rstrip('/')}/"
