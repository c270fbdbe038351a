"""What proves a delivery: the secrets of a saved block, two of them while one takes over from the other."""

from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import IPv4Network, IPv6Network
from typing import TYPE_CHECKING

from prefect_wfexec.errors import WfexecError

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient

Network = IPv4Network | IPv6Network


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
        return tuple(one for one in self.all if one.value.strip() and (one.expires is None or at < one.expires))


async def load_secrets(name: str, trigger_type: str, client: "PrefectClient") -> Secrets:
    """What the block of that name holds.

    Args:
        name: What the trigger's `secret:` says.
        trigger_type: The trigger's type, e.g. `github`.
        client: A client of Prefect's API.

    Raises:
        NoSecrets: no such block is saved, or it is of another kind, or can't be read.
    """
    raise NotImplementedError
