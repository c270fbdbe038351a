"""Saves the mail account that notices of approvals are sent from when they name no other.

SMTP_HOST=smtp.example.com SMTP_SENDER=deploys@example.com SMTP_USERNAME=deploys SMTP_PASSWORD=… python blocks/mailer.py

SMTP_PORT is 587 and SMTP_SECURITY is starttls when they are not set; tls goes with port 465, none with a relay inside.
"""

import asyncio
import os
import sys

from pydantic import ValidationError

from prefect_wfexec.blocks import Mailer
from prefect_wfexec.operations.connection import reachable

NAME = "mail"
VARIABLES = {
    "host": "SMTP_HOST",
    "port": "SMTP_PORT",
    "security": "SMTP_SECURITY",
    "sender": "SMTP_SENDER",
    "username": "SMTP_USERNAME",
    "password": "SMTP_PASSWORD",
}


async def main() -> None:
    """Save the block; one that is there already is replaced."""
    mailer = from_environment()
    async with reachable() as url:
        await mailer.asave(NAME, overwrite=True)
    print(f"mailer '{NAME}' saved at {url}")


def from_environment() -> Mailer:
    """The mailer that the variables describe."""
    given = {field: os.environ[name] for field, name in VARIABLES.items() if os.environ.get(name)}
    if "host" not in given:
        sys.exit("SMTP_HOST is not set; it is the mail server")
    if "sender" not in given:
        sys.exit("SMTP_SENDER is not set; it is the address that mails come from")
    if "username" in given and "password" not in given:
        sys.exit("SMTP_PASSWORD is not set; it is the password of the account SMTP_USERNAME")
    try:
        return Mailer.model_validate(given)
    except ValidationError as error:
        fault = error.errors(include_input=False)[0]
        sys.exit(f"{VARIABLES[str(fault['loc'][0])]}: {fault['msg']}")


if __name__ == "__main__":
    asyncio.run(main())
