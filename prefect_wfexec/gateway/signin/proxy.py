"""A proxy that signs people in and names them in a header: believed from its own addresses only."""

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from prefect_wfexec.errors import UsageError
from prefect_wfexec.gateway.signin.faults import NotSignedIn
from prefect_wfexec.gateway.signin.identity import Role
from prefect_wfexec.gateway.signin.people import is_name
from prefect_wfexec.settings import PROXY_HEADER, PROXY_NETWORKS, PROXY_ROLES

NO_ROLES = "none"
Network = IPv4Network | IPv6Network
_TOKEN_MARKS = frozenset("!#$%&'*+-.^_`|~")
_TAKEN = frozenset({"authorization", "cookie", "host", "origin", "x-csrf-token", "x-forwarded-for"})


@dataclass(frozen=True, slots=True)
class TrustedProxy:
    """What is believed of whom.

    Attributes:
        header: The header with the person's name, in lower case; empty: there is no proxy.
        networks: Where the proxy is.
        roles: What people may do of whom only the proxy knows.
    """

    header: str = ""
    networks: tuple[Network, ...] = ()
    roles: frozenset[Role] = frozenset()

    @classmethod
    def from_settings(cls, environ: Mapping[str, str] | None = None) -> "TrustedProxy":
        """The proxy of the settings.

        Raises:
            UsageError: a setting has no use, or one is missing.
        """
        header = PROXY_HEADER.read(environ).lower()
        networks = tuple(_network(text) for text in PROXY_NETWORKS.read_list(environ))
        if header and not networks:
            raise _wrong(f"{PROXY_HEADER.variable} is set, and {PROXY_NETWORKS.variable} is not")
        if header in _TAKEN or not all(mark.isascii() and (mark.isalnum() or mark in _TOKEN_MARKS) for mark in header):
            raise _wrong(f"{PROXY_HEADER.variable} is '{header}', which can't name people")
        return cls(header, networks, _roles(PROXY_ROLES.read_list(environ)))

    def name_in(self, values: list[str], peer: str) -> str | None:
        """The person that the proxy names in a request, None when it names nobody.

        Args:
            values: What the request's header says, once for each time it is there.
            peer: The address the request comes from.

        Raises:
            NotSignedIn: another than the proxy sent the header, or it holds no name.
        """
        if not self.header or not values:
            return None
        if not self.is_at(peer):
            raise NotSignedIn(f"the header '{self.header}' is believed from the proxy only", hint="leave it out")
        if len(values) > 1 or (values[0] and not is_name(values[0])):
            raise NotSignedIn(f"the header '{self.header}' does not name one person")
        return values[0] or None

    def is_at(self, peer: str) -> bool:
        """Whether a request from this address comes from the proxy."""
        return any(_address(peer) in network for network in self.networks) if _address(peer) else False

    def client_behind(self, peer: str, forwarded: list[str]) -> str:
        """The address a request came from before it reached the proxy, as far as the proxy vouches for it."""
        hops = [hop.strip() for value in forwarded for hop in value.split(",")]
        while self.is_at(peer) and hops:
            peer = hops.pop()
        return peer


def _network(text: str) -> Network:
    try:
        network = ip_network(text)
    except ValueError:
        words = f"{PROXY_NETWORKS.variable} has '{text[:100]}', which is no network"
        raise _wrong(words, "write networks such as 10.1.2.0/24, with no bit behind the slash's") from None
    if network.prefixlen == 0:
        raise _wrong(f"{PROXY_NETWORKS.variable} has '{text}', which is everybody", "name the proxy's own addresses")
    return network


def _address(text: str) -> IPv6Address | object | None:
    try:
        found = ip_address(text)
    except ValueError:
        return None
    return found.ipv4_mapped or found if isinstance(found, IPv6Address) else found


def _roles(texts: tuple[str, ...]) -> frozenset[Role]:
    return frozenset() if texts == (NO_ROLES,) else frozenset(_role(text) for text in texts)


def _role(text: str) -> Role:
    try:
        return Role(text.lower())
    except ValueError:
        raise _wrong(
            f"{PROXY_ROLES.variable} has '{text[:100]}'", f"write {', '.join(Role)}, or {NO_ROLES} alone"
        ) from None


def _wrong(words: str, hint: str = "see docs/gateway-api.md") -> UsageError:
    return UsageError(words, hint=hint, code="bad-setting")
