"""A real SMTP server on loopback that keeps what it is sent."""

import re
import threading
import time
from email import message_from_bytes, policy
from email.message import EmailMessage
from types import TracebackType
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.support.server import free_port

DEADLINE_SECONDS = 120.0
_CODE = re.compile(r"^ {2}(\w+): +([0-9A-Z]{4}(?:-[0-9A-Z]{4}){2})$", re.MULTILINE)


class Mailbox:
    """`with Mailbox() as mailbox:` takes mails at `mailbox.port`; addresses in `refused` are turned away."""

    def __init__(self) -> None:
        self.refused: set[str] = set()
        self._mails: list[tuple[str, EmailMessage]] = []
        self._grew = threading.Condition()
        self.port = free_port()
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port)

    def __enter__(self) -> "Mailbox":
        self._controller.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._controller.stop()

    async def handle_RCPT(  # noqa: N802 - the server calls it so
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.refused:
            return "550 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        message: Any = message_from_bytes(envelope.content or b"", policy=policy.default)
        with self._grew:
            self._mails += [(address, message) for address in envelope.rcpt_tos]
            self._grew.notify_all()
        return "250 OK"

    def to(self, address: str, run: str = "", count: int = 1) -> list[EmailMessage]:
        """The mails to an address that speak of a run, once there are so many."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        with self._grew:
            while True:
                found = [mail for to, mail in self._mails if to == address and run in text_of(mail)]
                if len(found) >= count:
                    return found
                assert time.monotonic() < deadline, f"{len(found)} mails came to {address}"
                self._grew.wait(0.2)

    def codes(self, address: str, run: str, count: int = 1) -> dict[str, str]:
        """The codes in the newest mail to an address about a run."""
        return codes_in(self.to(address, run, count)[-1])

    @property
    def addresses(self) -> list[str]:
        """Everybody who got mail, in order."""
        with self._grew:
            return [to for to, _ in self._mails]


def text_of(mail: EmailMessage) -> str:
    """What a mail says."""
    return str(mail.get_content()).replace("\r\n", "\n")


def codes_in(mail: EmailMessage) -> dict[str, str]:
    """The personal codes in a mail, by decision."""
    return dict(_CODE.findall(text_of(mail)))
