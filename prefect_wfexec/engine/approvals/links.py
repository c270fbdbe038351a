"""Signed links and buttons: what lets the gateway take a decision from who was sent it. Pure.

Like a code, neither is kept anywhere: whoever has the key of the run can make one and tell a true one. A link is one
person's own, so whoever opens it is taken for them. A button is seen by a whole channel: it only says what is decided
on, and Slack says who pressed it.
"""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from itsdangerous import BadData, URLSafeTimedSerializer

from prefect_wfexec.errors import WfexecError
from prefect_wfexec.journal.state import Gate
from prefect_wfexec.settings import PUBLIC_URL

LONGEST_TOKEN_CHARACTERS = 1_900
"""Slack takes 2,000 characters as the value of a button."""
LONGEST_LIFE = timedelta(days=30)
"""How long a link of a gate that never expires is good for."""
PATH = "approve"
_LINK, _BUTTON = "wfexec.approval.link", "wfexec.approval.button"


class NoLink(WfexecError):
    """A token that opens nothing.

    Attributes:
        was_one: Whether it was made with the key, and its time is over.
    """

    code = "no-link"

    def __init__(self, message: str, *, was_one: bool = False) -> None:
        super().__init__(message)
        self.was_one = was_one


@dataclass(frozen=True, slots=True)
class Binding:
    """What a link or a button is good for, and for nothing else.

    Attributes:
        run: The run's id.
        step: The gate's step.
        generation: The gate's generation.
        subject_digest: What is decided on.
        expires: When the gate expires, ISO 8601; empty when it does not.
        holder: The person whose link it is; of a button, the Slack bot that posted it.
    """

    run: str
    step: str
    generation: int
    subject_digest: str
    expires: str
    holder: str

    def fits(self, gate: Gate) -> bool:
        """Whether this is the gate it was made for."""
        return self == binding_of(gate, self.run, self.holder)


@dataclass(frozen=True, slots=True)
class LinkBook:
    """The links and buttons of one run.

    Args:
        key: The key that links are made with.
        run_id: The run.
        public_url: Where people reach the gateway; empty: there are none.
    """

    key: bytes
    run_id: str
    public_url: str

    def link(self, gate: Gate, person: str) -> str:
        """The address where a person decides on a gate; empty without a gateway."""
        token = _sealed(self.key, _LINK, binding_of(gate, self.run_id, person))
        return f"{self.public_url}/{PATH}/{token}" if self.public_url and _is_short(token) else ""

    def button(self, gate: Gate, bot: str) -> str:
        """The value of the buttons about a gate that a Slack bot posts; empty without a gateway."""
        token = _sealed(self.key, _BUTTON, binding_of(gate, self.run_id, bot))
        return token if self.public_url and _is_short(token) else ""


def binding_of(gate: Gate, run_id: str, holder: str) -> Binding:
    """What a link about a gate is bound to."""
    expires = gate.expires.isoformat() if gate.expires else ""
    return Binding(run_id, gate.step, gate.generation, gate.subject_digest, expires, holder)


def read_link(key: bytes, token: str, now: datetime) -> Binding:
    """What a link is bound to.

    Raises:
        NoLink: it was not made with this key, or its time is over.
    """
    return _opened(key, _LINK, token, now)


def read_button(key: bytes, token: str, now: datetime) -> Binding:
    """What a button is bound to.

    Raises:
        NoLink: it was not made with this key, or its time is over.
    """
    return _opened(key, _BUTTON, token, now)


def public_url() -> str:
    """The setting, without a slash at its end; empty when it is unset or no web address."""
    text = PUBLIC_URL.read().rstrip("/")
    try:
        parts = urlsplit(text)
    except ValueError:
        return ""
    is_plain = not (parts.query or parts.fragment or parts.username) and text.isprintable() and " " not in text
    return text if parts.scheme in ("https", "http") and parts.hostname and is_plain else ""


def _sealed(key: bytes, salt: str, binding: Binding) -> str:
    content = [
        binding.run,
        binding.step,
        binding.generation,
        binding.subject_digest,
        binding.expires,
        binding.holder,
    ]
    return str(_serializer(key, salt).dumps(content))


def _opened(key: bytes, salt: str, token: str, now: datetime) -> Binding:
    if not _is_short(token):
        raise NoLink("the link is too long")
    try:
        content, made = _serializer(key, salt).loads(token, return_timestamp=True)
    except (BadData, ValueError):
        raise NoLink("the link was not made with this key") from None
    binding = Binding(*content)
    # Of a clock that goes ahead no more is asked than of any other: who made it has the key.
    over = datetime.fromisoformat(binding.expires) if binding.expires else made.astimezone(UTC) + LONGEST_LIFE
    if over <= now:
        raise NoLink("the time of the link is over", was_one=True)
    return binding


def _serializer(key: bytes, salt: str) -> URLSafeTimedSerializer:
    # The salt keeps a button, which many can read, from being taken for somebody's link.
    signing = {"digest_method": hashlib.sha256, "key_derivation": "hmac"}
    return URLSafeTimedSerializer(key, salt=salt, signer_kwargs=signing)


def _is_short(token: str) -> bool:
    return len(token) <= LONGEST_TOKEN_CHARACTERS
