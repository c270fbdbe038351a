"""Who sent a delivery: it is proven over its raw bytes, before anything reads them."""

import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv6Address, ip_address

from prefect_wfexec.definition.model import Trigger
from prefect_wfexec.triggers import schemes
from prefect_wfexec.triggers.received import Received
from prefect_wfexec.triggers.schemes import Claim, Unverified
from prefect_wfexec.triggers.secrets import ActiveSecret, Secrets

__all__ = ["Unverified", "Verified", "verify"]


@dataclass(frozen=True, slots=True)
class Verified:
    """That a delivery is its sender's.

    Attributes:
        secret: Which field of the block proved it, `secret` or `previous_secret`.
        signed_at: When it was signed, where the signature covers that.
    """

    secret: str
    signed_at: datetime | None = None


def verify(trigger: Trigger, secrets: Secrets, received: Received) -> Verified:
    """Check a delivery's signature. Every secret is tried, and none ends it early.

    Raises:
        Unverified: it proves nothing.
    """
    try:
        return _verify(trigger, secrets, received)
    except Unverified:
        raise
    except Exception:  # noqa: BLE001 - what can't be checked is refused, whatever it is
        raise Unverified("the signature can't be read") from None


def _verify(trigger: Trigger, secrets: Secrets, received: Received) -> Verified:
    _require_network(secrets, received)
    active = secrets.active(received.at)
    if not active:
        raise Unverified(f"the block '{secrets.block}' holds no secret that is in force")
    claims = scheme_of(trigger)(received)
    found, can_be_used = _proof(claims, active)
    if found is not None:
        return found
    if not can_be_used:
        raise Unverified(f"the secret in the block '{secrets.block}' is of another kind than what the request shows")
    raise Unverified("the signature is wrong: the sender has another secret, or the request was changed on its way")


def scheme_of(trigger: Trigger) -> Callable[[Received], list[Claim]]:
    """How a trigger's deliveries prove themselves.

    Raises:
        Unverified: there is no such way.
    """
    options = trigger.options
    if trigger.type == "webhook" and options.get("scheme") == "hmac":
        return schemes.hmac_header(str(options["header"]))
    name = {"webhook": options.get("scheme", "standard"), "incident": options.get("provider")}.get(trigger.type)
    found = _SCHEMES.get((trigger.type, name))
    if found is None:
        raise Unverified(f"a trigger of type '{trigger.type}' takes no deliveries")
    return found


_SCHEMES: dict[tuple[str, str | None], Callable[[Received], list[Claim]]] = {
    ("github", None): schemes.github,
    ("gitlab", None): schemes.gitlab,
    ("webhook", "standard"): schemes.standard,
    ("webhook", "bearer"): schemes.bearer,
    ("incident", "pagerduty"): schemes.pagerduty,
    ("incident", "alertmanager"): schemes.alertmanager,
}


def _proof(claims: Sequence[Claim], active: Sequence[ActiveSecret]) -> tuple[Verified | None, bool]:
    """The first secret that proves a claim, and whether any could be used.

    All are tried, so that the time it takes tells nothing.
    """
    found: Verified | None = None
    can_be_used = False
    for claim in claims:
        for secret in active:
            expected = claim.expected(secret.value)
            if expected is None:
                continue
            can_be_used = True
            matches = [hmac.compare_digest(expected, one) for one in claim.presented]
            if any(matches) and found is None:
                found = Verified(secret.name, claim.signed_at)
    return found, can_be_used


def _require_network(secrets: Secrets, received: Received) -> None:
    if not secrets.allowed_networks:
        return
    try:
        address = ip_address(received.remote)
    except ValueError:
        raise Unverified("the address it came from is not known, and only some networks are allowed") from None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if not any(address in network for network in secrets.allowed_networks):
        raise Unverified(f"the address it came from is in none of the networks that '{secrets.block}' allows")
