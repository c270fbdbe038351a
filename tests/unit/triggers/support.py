"""Deliveries for tests, signed as the services sign them."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from prefect_wfexec.definition.model import Trigger
from prefect_wfexec.triggers.received import Received
from prefect_wfexec.triggers.secrets import ActiveSecret, Secrets

NOW = datetime(2030, 1, 1, 12, 0, 0, tzinfo=UTC)
SECRET = "whsec_" + base64.b64encode(b"a key of thirty-two bytes, no less").decode()
OTHER = "whsec_" + base64.b64encode(b"another key that was used before this").decode()
PAYLOADS = Path(__file__).resolve().parents[2] / "payloads"


def trigger(type_: str, **options: Any) -> Trigger:
    return Trigger("it", type_, {"secret": "hook", **options})


TRIGGERS = {
    "github": trigger("github", events=["push"]),
    "gitlab-token": trigger("gitlab", events=["push"]),
    "gitlab-signed": trigger("gitlab", events=["push"]),
    "standard": trigger("webhook"),
    "hmac": trigger("webhook", scheme="hmac", header="X-Signature"),
    "bearer": trigger("webhook", scheme="bearer"),
    "pagerduty": trigger("incident", provider="pagerduty"),
    "alertmanager": trigger("incident", provider="alertmanager"),
}
"""One for each way to prove a delivery."""


def key_of(way: str, secret: str = SECRET) -> str:
    """The secret as it is configured for that way: GitLab's plain token is no signing token."""
    return secret.removeprefix("whsec_") if way == "gitlab-token" else secret


def secrets(*values: str, way: str = "github", networks: tuple[Any, ...] = ()) -> Secrets:
    """The first is in force, the second is the one before, for another hour."""
    names = ("secret", "previous_secret")
    ends = (None, NOW + timedelta(hours=1))
    given = [
        ActiveSecret(key_of(way, value).encode(), name, end)
        for value, name, end in zip(values, names, ends, strict=False)
    ]
    return Secrets("hook", tuple(given), networks)


def signed(way: str, body: bytes, secret: str = SECRET, at: datetime = NOW, **headers: str) -> Received:
    """A delivery as that service sends it."""
    found = {"content-type": "application/json", **proof(way, body, key_of(way, secret), at)}
    found |= {name.replace("_", "-"): value for name, value in headers.items()}
    return Received(body, tuple(found.items()), "192.0.2.7", "POST /hooks/network/it", at)


def proof(way: str, body: bytes, secret: str, at: datetime) -> dict[str, str]:
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    seconds = str(int(at.timestamp()))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    standard = base64.b64encode(hmac.digest(key, b"msg_1." + seconds.encode() + b"." + body, "sha256")).decode()
    webhook = {"webhook-id": "msg_1", "webhook-timestamp": seconds, "webhook-signature": f"v1,{standard}"}
    return {
        "github": {"x-hub-signature-256": f"sha256={digest}"},
        "gitlab-token": {"x-gitlab-token": secret},
        "gitlab-signed": webhook,
        "standard": webhook,
        "hmac": {"x-signature": digest},
        "bearer": {"authorization": f"Bearer {secret}"},
        "pagerduty": {"x-pagerduty-signature": f"v1={digest}"},
        "alertmanager": {"authorization": "Basic " + base64.b64encode(f"alerts:{secret}".encode()).decode()},
    }[way]


def payload(name: str) -> Any:
    """A recorded payload."""
    return json.loads((PAYLOADS / f"{name}.json").read_text("utf-8"))


def sent(way: str, value: Any, **headers: str) -> Received:
    """A delivery of JSON."""
    return signed(way, json.dumps(value).encode(), **headers)
