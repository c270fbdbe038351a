"""Who is told that a decision is wanted: the same words in a definition and in an Approval Policy block."""

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator


class Notify(BaseModel):
    """Who is told that a decision is wanted; exactly one of `slack` and `mail`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    slack: str | None = Field(
        default=None, title="Slack channel", min_length=1, description="A Slack channel, e.g. `#deploys`."
    )
    mail: list[str] | None = Field(
        default=None,
        title="Mail addresses",
        min_length=1,
        description="Mail addresses. Approvers among them, and approvers named by an address, get their own codes.",
    )
    block: str | None = Field(
        default=None,
        title="Block",
        min_length=1,
        description="The saved Slack bot or mailer to send with; `slack` or `mail` when left out.",
    )

    @field_validator("mail", mode="before")
    @classmethod
    def _one_or_many(cls, value: object) -> object:
        return [value] if isinstance(value, str) else value

    @field_validator("mail")
    @classmethod
    def _addresses(cls, addresses: list[str] | None) -> list[str] | None:
        for address in addresses or ():
            if not is_mail_address(address):
                raise ValueError(f"'{address[:100]}' is no mail address")
        return addresses

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.slack is None) == (self.mail is None):
            raise ValueError("give exactly one of 'slack' and 'mail'")
        return self


def is_mail_address(text: str) -> bool:
    """Whether a text can be written to: one `@` with something on both sides, and nothing that ends a mail's header."""
    local, at, domain = text.rpartition("@")
    is_plain = text.isprintable() and not any(mark in text for mark in " ,;<>\"'()")
    return bool(local and at and domain) and "@" not in local and is_plain and len(text) <= 254
