"""Which addresses an HTTP step may reach: public ones, and those that somebody allowed by name or by number."""

import ipaddress
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from prefect_wfexec.errors import UsageError, WfexecError
from prefect_wfexec.settings import HTTP_ALLOW

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

METADATA = frozenset(
    ipaddress.ip_address(text) for text in ("169.254.169.254", "fd00:ec2::254", "100.100.100.200", "168.63.129.16")
)
"""Where clouds hand credentials to whoever asks; the last one is a public address."""
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_HOST_NAME = re.compile(r"(\*\.)?[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*")


class AddressRefused(WfexecError):
    """A URL that leads where HTTP steps may not go."""

    code = "http-refused"


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that is allowed: a network, a host name or every name below a domain, on one port or on all."""

    network: Network | None = None
    host: str = ""
    port: int | None = None

    def covers(self, host: str, port: int, address: Address) -> bool:
        if self.port is not None and self.port != port:
            return False
        if self.network is not None:
            return address in self.network
        return self._names(host) and not _is_never_by_name(address)

    def _names(self, host: str) -> bool:
        return host.endswith(self.host[1:]) if self.host.startswith("*.") else host == self.host


@dataclass(frozen=True, slots=True)
class AddressGuard:
    """Decides whether a connection may be made.

    Link-local, metadata, multicast and unspecified addresses are reached only when allowed by number: a name that is
    allowed can be made to lead there by whoever keeps its zone.
    """

    rules: tuple[Rule, ...] = ()

    @classmethod
    def from_settings(cls, api_url: str = "", environ: Mapping[str, str] | None = None) -> "AddressGuard":
        """The guard of a run: the HTTP_ALLOW setting, and the host and port of the run's own Prefect API.

        Raises:
            UsageError: an item of the setting is no host, host:port or network.
        """
        return cls((*_api_rules(api_url), *parse_rules(HTTP_ALLOW.read_list(environ))))

    def permits(self, host: str, port: int, address: Address) -> bool:
        """Whether `host` (as in the URL) may be reached on `port` at `address`."""
        plain = _unwrapped(address)
        return is_public(plain) or any(rule.covers(normal_host(host), port, plain) for rule in self.rules)

    def choose(self, host: str, port: int, addresses: Iterable[str]) -> list[str]:
        """The addresses of `host` that may be connected to, in the resolver's order.

        Raises:
            AddressRefused: there is none.
        """
        found = list(dict.fromkeys(addresses))
        permitted = [text for text in found if self.permits(host, port, ipaddress.ip_address(text))]
        if not permitted:
            raise AddressRefused(
                f"'{host}:{port}' is at {' and '.join(found) or 'no address'}, where HTTP steps may not go",
                hint=f"if that is meant, list {host}:{port} or its network in {HTTP_ALLOW.variable}",
            )
        return permitted


def is_public(address: Address) -> bool:
    """Whether an address is on the public internet and nobody's metadata service."""
    plain = _unwrapped(address)
    return (
        plain.is_global
        and not plain.is_multicast
        and not plain.is_reserved
        and not (isinstance(plain, ipaddress.IPv6Address) and plain.is_site_local)
        and plain not in METADATA
    )


def normal_host(host: str) -> str:
    """A host name in the one form names are compared in: ASCII, lower case, no last dot, no brackets."""
    return host.strip("[]").rstrip(".").lower()


def parse_rules(items: Iterable[str]) -> tuple[Rule, ...]:
    """The rules of HTTP_ALLOW: `host`, `*.domain`, an address or a CIDR network, each with `:port` if wanted.

    Raises:
        UsageError: an item is none of these.
    """
    return tuple(_parse_rule(item) for item in items)


def _parse_rule(item: str) -> Rule:
    network = _as_network(item.strip("[]"))
    if network is not None:
        return Rule(network=network)
    name, port = _split_port(item)
    network = _as_network(name.strip("[]"))
    if network is not None:
        return Rule(network=network, port=port)
    host = _as_ascii(name)
    if not _HOST_NAME.fullmatch(host) or host.rpartition(".")[2].isdigit():
        raise UsageError(
            f"'{item}' in {HTTP_ALLOW.variable} is no host, host:port or network",
            code="bad-setting",
            hint="write e.g. health.internal, health.internal:8080, *.internal or 10.0.0.0/8",
        )
    return Rule(host=host, port=port)


def _api_rules(api_url: str) -> tuple[Rule, ...]:
    try:
        parts = urlsplit(api_url)
        host, port = parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        return ()
    if not host or port is None:
        return ()
    network = _as_network(host)
    if network is not None:
        return (Rule(network=network, port=port),)
    if normal_host(host) == "localhost":
        loopbacks = (_as_network("127.0.0.1"), _as_network("::1"))
        return tuple(Rule(network=loopback, port=port) for loopback in loopbacks)
    return (Rule(host=_as_ascii(host), port=port),)


def _as_network(text: str) -> Network | None:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def _split_port(item: str) -> tuple[str, int | None]:
    name, colon, port = item.rpartition(":")
    if colon and port.isascii() and port.isdigit() and 0 < int(port) < 65536:
        return name, int(port)
    return item, None


def _as_ascii(host: str) -> str:
    import idna

    plain = normal_host(host)
    if plain.isascii():
        return plain
    try:
        return idna.encode(plain, uts46=True).decode()
    except idna.IDNAError:
        return plain


def _unwrapped(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for, if it does."""
    if not isinstance(address, ipaddress.IPv6Address):
        return address
    if address in NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


def _is_never_by_name(address: Address) -> bool:
    return address.is_link_local or address.is_multicast or address.is_unspecified or address in METADATA
