"""How each service proves a delivery: what it presents, and what would be right for a secret."""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from prefect_wfexec.errors import WfexecError
from prefect_wfexec.triggers.received import Received

if TYPE_CHECKING:
    from standardwebhooks import Webhook

LONGEST_HEADER_CHARACTERS = 4096
MOST_SIGNATURES = 20
SHORTEST_SIGNING_KEY_BYTES = 16
STANDARD_PREFIX = "whsec_"
TOLERANCE_SECONDS = 300
_HEX = re.compile(r"[0-9a-fA-F]{64}", re.ASCII)
_ID = re.compile(r"[!-~]{1,256}", re.ASCII)
_SECONDS = re.compile(r"[1-9][0-9]{0,11}", re.ASCII)


class Unverified(WfexecError):
    """A delivery that nobody has proven to be its sender's.

    Attributes:
        reason: Why, for the delivery log; it holds nothing of the secrets and nothing of the request.
    """

    code = "unverified-delivery"

    def __init__(self, reason: str) -> None:
        super().__init__(f"the delivery is not verified: {reason}")
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Claim:
    """What a request presents to prove itself.

    Attributes:
        presented: Each proof in it; one that is right is enough.
        expected: What is right for a secret; None when the secret can't be used that way.
        signed_at: When it was signed, where the proof covers that.
    """

    presented: tuple[bytes, ...]
    expected: Callable[[bytes], bytes | None]
    signed_at: datetime | None = None


def github(received: Received) -> list[Claim]:
    """`X-Hub-Signature-256: sha256=…`, over the body."""
    value = _needed(received, "x-hub-signature-256")
    if not value.startswith("sha256="):
        raise Unverified("the header 'x-hub-signature-256' holds no sha256 signature")
    return [_over_body(received, [_from_hex(value.removeprefix("sha256="))])]


def gitlab(received: Received) -> list[Claim]:
    """A signature where the secret is a signing token (`whsec_…`), else the secret itself in `X-Gitlab-Token`."""
    claims = []
    if _header(received, "webhook-signature") is not None:
        claims.append(_signed(received, only_prefixed=True))
    token = _header(received, "x-gitlab-token")
    if token is not None:
        claims.append(_plain(token, lambda secret: not secret.startswith(STANDARD_PREFIX.encode())))
    if not claims:
        raise Unverified("it has neither the header 'x-gitlab-token' nor 'webhook-signature'")
    return claims


def standard(received: Received) -> list[Claim]:
    """Standard Webhooks: `webhook-signature` over id, time and body."""
    return [_signed(received)]


def hmac_header(name: str) -> Callable[[Received], list[Claim]]:
    """HMAC-SHA256 of the body in a header of that name: hexadecimal, with or without `sha256=`, or base64."""

    def claims(received: Received) -> list[Claim]:
        value = _needed(received, name.lower()).removeprefix("sha256=")
        return [_over_body(received, [_from_hex(value) if _HEX.fullmatch(value) else _from_base64(value)])]

    return claims


def bearer(received: Received) -> list[Claim]:
    """`Authorization: Bearer …`, the secret itself."""
    return [_plain(_credentials(received, "bearer"))]


def pagerduty(received: Received) -> list[Claim]:
    """`X-PagerDuty-Signature: v1=…,v1=…`, over the body."""
    parts = [part.strip() for part in _needed(received, "x-pagerduty-signature").split(",")]
    found = [part.removeprefix("v1=") for part in parts if part.startswith("v1=")]
    return [_over_body(received, [_from_hex(one) for one in _bounded(found)])]


def alertmanager(received: Received) -> list[Claim]:
    """`Authorization`: a bearer token, or Basic with the secret as password."""
    value = _needed(received, "authorization")
    if not value.lower().startswith("basic "):
        return bearer(received)
    try:
        pair = base64.b64decode(_credentials(received, "basic"), validate=True)
    except binascii.Error:
        raise Unverified("the header 'authorization' can't be read") from None
    return [_same(pair.partition(b":")[2])]


def _signed(received: Received, *, only_prefixed: bool = False) -> Claim:
    message_id, seconds = _needed(received, "webhook-id"), _needed(received, "webhook-timestamp")
    signatures = _bounded([one[3:] for one in _needed(received, "webhook-signature").split(" ") if one[:3] == "v1,"])
    if not _ID.fullmatch(message_id):
        raise Unverified("the header 'webhook-id' can't be read")
    signed_at = _moment(seconds, received.at)
    body = received.body.decode()

    def expected(secret: bytes) -> bytes | None:
        key = _signing_key(secret, only_prefixed=only_prefixed)
        if key is None:
            return None
        signature = _webhook(key).sign(msg_id=message_id, timestamp=signed_at, data=body)
        return _from_base64(signature.partition(",")[2])

    return Claim(tuple(_from_base64(one) for one in signatures), expected, signed_at)


def _webhook(key: bytes) -> "Webhook":
    try:
        from standardwebhooks import Webhook
    except ImportError:
        raise Unverified("this gateway can't check it: pip install 'prefect-wfexec[server]'") from None
    return Webhook(key)


def _signing_key(secret: bytes, *, only_prefixed: bool) -> bytes | None:
    text = secret.decode("utf-8", "replace")
    if only_prefixed and not text.startswith(STANDARD_PREFIX):
        return None
    encoded = text.removeprefix(STANDARD_PREFIX)
    try:
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except ValueError:
        return None
    return key if len(key) >= SHORTEST_SIGNING_KEY_BYTES else None


def _moment(seconds: str, now: datetime) -> datetime:
    if not _SECONDS.fullmatch(seconds):
        raise Unverified("the header 'webhook-timestamp' can't be read")
    age = now.timestamp() - int(seconds)
    if abs(age) > TOLERANCE_SECONDS:
        where = "ago" if age > 0 else "ahead"
        words = f"it was signed more than {TOLERANCE_SECONDS} seconds {where}"
        raise Unverified(f"{words}; check the clocks if it is no replay")
    return datetime.fromtimestamp(int(seconds), UTC)


def _over_body(received: Received, presented: list[bytes]) -> Claim:
    return Claim(tuple(presented), lambda secret: hmac.digest(secret, received.body, "sha256"))


def _plain(value: str, takes: Callable[[bytes], bool] = lambda _: True) -> Claim:
    return _same(value.encode("ascii"), takes)


def _same(value: bytes, takes: Callable[[bytes], bool] = lambda _: True) -> Claim:
    """The secret itself is presented. Digests are compared: they tell nothing of its length."""
    return Claim((_digest(value),), lambda secret: _digest(secret) if takes(secret) else None)


def _digest(value: bytes) -> bytes:
    return hashlib.sha256(value).digest()


def _credentials(received: Received, scheme: str) -> str:
    given, _, value = _needed(received, "authorization").partition(" ")
    if given.lower() != scheme or not value.strip():
        raise Unverified(f"the header 'authorization' holds no {scheme} credentials")
    return value.strip()


def _bounded(found: list[str]) -> list[str]:
    if not found or len(found) > MOST_SIGNATURES:
        raise Unverified("it holds no signature of a known version" if not found else "it holds too many signatures")
    return found


def _from_hex(value: str) -> bytes:
    if not _HEX.fullmatch(value):
        raise Unverified("the signature is not 64 hexadecimal digits")
    return bytes.fromhex(value)


def _from_base64(value: str) -> bytes:
    try:
        found = base64.b64decode(value, validate=True)
    except ValueError:
        found = b""
    if len(found) != hashlib.sha256().digest_size:
        raise Unverified("the signature is no sha256 in base64")
    return found


def _needed(received: Received, name: str) -> str:
    value = _header(received, name)
    if value is None:
        raise Unverified(f"it has no header '{name}'")
    return value


def _header(received: Received, name: str) -> str | None:
    values = received.values(name)
    if len(values) > 1:
        raise Unverified(f"the header '{name}' came more than once")
    if values and (not values[0].isascii() or len(values[0]) > LONGEST_HEADER_CHARACTERS):
        raise Unverified(f"the header '{name}' can't be read")
    return values[0].strip() if values else None
