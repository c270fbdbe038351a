"""The mail server that notices of approvals are sent through."""

from typing import Literal

from prefect.blocks.core import Block
from pydantic import Field, SecretStr, field_validator

from prefect_wfexec.definition.notify import is_mail_address


class Mailer(Block):
    """A mail account: notices of approvals are sent from it, each approver's with their own codes.

    Attributes:
        host: The SMTP server.
        port: Its port.
        security: How the connection is encrypted.
        sender: The address mails come from.
        username: The account, when the server wants one.
        password: Its password.

    Examples:
        Save a mailer under the name that notices use when they name none:
        ```python
        import os
        from prefect_wfexec.blocks import Mailer

        mailer = Mailer(
            host="smtp.example.com",
            sender="deploys@example.com",
            username="deploys",
            password=os.environ["SMTP_PASSWORD"],
        )
        mailer.save("mail", overwrite=True)
        ```
    """

    _block_type_name = "Mailer (wfexec)"
    _block_type_slug = "mailer-wfexec"
    _description = "An SMTP account that notices of approvals are sent from."

    host: str = Field(title="Host", min_length=1, description="The SMTP server, e.g. `smtp.example.com`.")
    port: int = Field(
        default=587, ge=1, le=65535, title="Port", description="587 for STARTTLS, 465 for TLS, 25 for a relay inside."
    )
    security: Literal["starttls", "tls", "none"] = Field(
        default="starttls",
        title="Security",
        description="How the connection is encrypted; `none` only for a relay on the same machine or network.",
    )
    sender: str = Field(title="Sender", description="The address mails come from.")
    username: str = Field(default="", title="Username", description="The account, when the server wants one.")
    password: SecretStr = Field(default=SecretStr(""), title="Password", description="The account's password.")

    @field_validator("sender")
    @classmethod
    def _is_address(cls, value: str) -> str:
        if not is_mail_address(value.strip()):
            raise ValueError("an address such as deploys@example.com is wanted")
        return value.strip()
