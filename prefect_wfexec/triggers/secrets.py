"""What proves a delivery: the secrets of a saved block, two of them while one takes over from the other."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import TYPE_CHECKING

from pydantic import BaseModel, SecretStr, ValidationError

from prefect_wfexec.errors import EngineError, WfexecError

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient

Network = IPv4Network | IPv6Network
SAVE_AGAIN = "save the block again"


class NoSecrets(WfexecError):
    """A trigger's block that is not there, is of another kind, or holds nothing that proves a delivery.

    Attributes:
        name: The block's name.
    """

    code = "no-secrets"

    def __init__(self, name: str, message: str, hint: str) -> None:
        super().__init__(message, hint=hint)
        self.name = name


@dataclass(frozen=True, slots=True)
class ActiveSecret:
    """One secret.

    Attributes:
        value: Its bytes; never shown.
        name: The block's field it stands in, `secret` or `previous_secret`.
        expires: From when on it proves nothing; None for never.
    """

    value: bytes = field(repr=False)
    name: str = "secret"
    expires: datetime | None = None


@dataclass(frozen=True, slots=True)
class Secrets:
    """What a trigger's block holds.

    Attributes:
        block: The block's name.
        all: Every secret, expired ones too.
        allowed_networks: Where deliveries may come from; from anywhere when empty.
    """

    block: str
    all: tuple[ActiveSecret, ...]
    allowed_networks: tuple[Network, ...] = ()

    def active(self, at: datetime) -> tuple[ActiveSecret, ...]:
        """The secrets that prove something at a time; an empty one never does."""
        return tuple(
            one
            for one in self.all
            if one.value.strip().removeprefix(b"whsec_") and (one.expires is None or at < one.expires)
        )


BLOCK_NAMES = {
    "github": "GitHub Trigger (wfexec)",
    "gitlab": "GitLab Trigger (wfexec)",
    "webhook": "Webhook Trigger (wfexec)",
    "incident": "Incident Trigger (wfexec)",
}
BLOCK_SLUGS = {kind: f"{kind}-trigger-wfexec" for kind in BLOCK_NAMES}
PLAIN_SLUG = "secret"


class Document(BaseModel):
    """The fields of a trigger's block, as its document holds them."""

    secret: SecretStr
    previous_secret: SecretStr = SecretStr("")
    previous_secret_expires: datetime | None = None
    allowed_networks: list[str] = []


async def load_secrets(name: str, trigger_type: str, client: "PrefectClient") -> Secrets:
    """What the block of that name holds: one of the trigger's own block type, or else a Secret of Prefect's.

    Args:
        name: What the trigger's `secret:` says.
        trigger_type: The trigger's type, e.g. `github`.
        client: A client of Prefect's API.

    Raises:
        NoSecrets: no such block is saved, or it is of another kind, or holds nothing that proves a delivery.
        EngineError: Prefect's API can't be asked.
    """
    if trigger_type not in BLOCK_SLUGS:
        words = f"a trigger of type '{trigger_type}' takes no deliveries"
        raise NoSecrets(name, words, f"the types that do are {', '.join(BLOCK_SLUGS)}")
    data = await _read(client, BLOCK_SLUGS[trigger_type], name)
    if data is None:
        data = _of_secret(name, await _read(client, PLAIN_SLUG, name))
    if data is None:
        raise await _missing(client, name, trigger_type)
    return secrets_of(name, data)


def secrets_of(name: str, data: Mapping[str, object]) -> Secrets:
    """The secrets in a document's fields.

    Raises:
        NoSecrets: they hold nothing that proves a delivery.
    """
    try:
        document = Document.model_validate(dict(data))
        networks = tuple(ip_network(one.strip()) for one in document.allowed_networks)
    except (ValidationError, ValueError) as error:
        field = error.errors()[0]["loc"][0] if isinstance(error, ValidationError) else "allowed_networks"
        raise NoSecrets(name, f"the block '{name}' has an unexpected value in '{field}'", SAVE_AGAIN) from None
    # Prefect's form is a text area: what is pasted there may end with a line.
    secret, previous = (one.get_secret_value().strip() for one in (document.secret, document.previous_secret))
    if not secret:
        raise NoSecrets(name, f"the secret in the block '{name}' is empty", SAVE_AGAIN)
    both = [ActiveSecret(secret.encode())]
    expires = document.previous_secret_expires
    if previous and expires is not None:
        expires = expires if expires.tzinfo is not None else expires.replace(tzinfo=UTC)
        both.append(ActiveSecret(previous.encode(), "previous_secret", expires))
    return Secrets(name, tuple(both), networks)


async def _read(client: "PrefectClient", slug: str, name: str) -> Mapping[str, object] | None:
    from httpx import HTTPError
    from prefect.exceptions import ObjectNotFound

    try:
        document = await client.read_block_document_by_name(name, slug)
    except ObjectNotFound:
        return None
    except HTTPError as error:
        raise EngineError(
            f"the block '{name}' can't be read from Prefect's API: {type(error).__name__}",
            hint="check that PREFECT_API_URL answers",
        ) from error
    return document.data


def _of_secret(name: str, data: Mapping[str, object] | None) -> Mapping[str, object] | None:
    if data is None:
        return None
    if not isinstance(data.get("value"), str):
        raise NoSecrets(name, f"the Secret block '{name}' holds no text", SAVE_AGAIN)
    return {"secret": data["value"]}


async def _missing(client: "PrefectClient", name: str, trigger_type: str) -> NoSecrets:
    wanted = BLOCK_NAMES[trigger_type]
    for kind, slug in BLOCK_SLUGS.items():
        if kind != trigger_type and await _read(client, slug, name) is not None:
            words = f"the block '{name}' is a {BLOCK_NAMES[kind]}; a {trigger_type} trigger wants a {wanted}"
            return NoSecrets(name, words, "name another block in the trigger's 'secret:'")
    hint = "run `prefect block register -m prefect_wfexec.blocks`, then add one in Prefect's UI under Blocks"
    return NoSecrets(name, f"no {wanted} block '{name}' is saved, and no Secret block", hint)
