"""Which addresses HTTP steps may reach."""

import ipaddress

import pytest

from prefect_wfexec.errors import UsageError
from prefect_wfexec.runtime.http.addresses import AddressGuard, AddressRefused, is_public, parse_rules

NOTHING = AddressGuard()


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.9.9.9", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "169.254.1.1",
        "100.64.0.1", "100.100.100.200", "0.0.0.0", "0.1.2.3", "224.0.0.1", "239.1.1.1", "240.0.0.1",
        "255.255.255.255", "192.0.2.1", "198.18.0.1", "168.63.129.16", "::1", "::", "fe80::1", "fec0::1", "fc00::1",
        "fd00:ec2::254", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "2002:7f00:1::",
        "2002:a00:1::1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2001:db8::1", "2001:0:7f00:1::", "fe80::1%1",
    ],
)  # fmt: skip
def test_these_addresses_are_not_public(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))
    with pytest.raises(AddressRefused):
        NOTHING.choose("example.com", 443, [address])


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "93.184.216.34", "2606:4700:4700::1111", "64:ff9b::101:101", "::ffff:1.1.1.1"]
)
def test_these_addresses_are_public(address: str) -> None:
    assert NOTHING.choose("example.com", 443, [address]) == [address]


@pytest.mark.parametrize(
    ("rule", "host", "port", "address", "is_allowed"),
    [
        ("10.0.0.0/8", "x", 80, "10.1.1.1", True),
        ("10.0.0.0/8", "x", 80, "11.1.1.1", True),
        ("10.0.0.0/8", "x", 80, "192.168.0.1", False),
        ("10.0.0.5", "x", 80, "10.0.0.5", True),
        ("10.0.0.5", "x", 80, "10.0.0.6", False),
        ("10.0.0.5:8080", "x", 8080, "10.0.0.5", True),
        ("10.0.0.5:8080", "x", 80, "10.0.0.5", False),
        ("10.0.0.5", "x", 80, "::ffff:10.0.0.5", True),
        ("[::1]:80", "x", 80, "::1", True),
        ("[::1]:80", "x", 81, "::1", False),
        ("::1", "x", 81, "::1", True),
        ("fd00::/8", "x", 1, "fd12::1", True),
        ("health.internal", "health.internal", 80, "10.0.0.1", True),
        ("health.internal", "HEALTH.internal.", 80, "10.0.0.1", True),
        ("health.internal", "x.health.internal", 80, "10.0.0.1", False),
        ("health.internal", "health.internal.evil.com", 80, "10.0.0.1", False),
        ("health.internal:81", "health.internal", 80, "10.0.0.1", False),
        ("*.internal", "a.b.internal", 80, "10.0.0.1", True),
        ("*.internal", "internal", 80, "10.0.0.1", False),
        ("*.internal", "evilinternal", 80, "10.0.0.1", False),
        ("bücher.internal", "xn--bcher-kva.internal", 80, "10.0.0.1", True),
        ("*.internal", "a.internal", 80, "169.254.169.254", False),
        ("*.internal", "a.internal", 80, "100.100.100.200", False),
        ("a.internal", "a.internal", 80, "0.0.0.0", False),
        ("169.254.169.254", "a.internal", 80, "169.254.169.254", True),
    ],
)
def test_what_a_rule_allows(rule: str, host: str, port: int, address: str, is_allowed: bool) -> None:
    if rule == "10.0.0.0/8" and address == "11.1.1.1":
        assert is_public(ipaddress.ip_address(address))
    guard = AddressGuard(parse_rules([rule]))
    assert guard.permits(host, port, ipaddress.ip_address(address)) is is_allowed


@pytest.mark.parametrize("item", ["http://x", "10.0.0.0/99", "a b", "x:99999", "*", "256.1.1.1", "host/path", "-x"])
def test_a_setting_that_means_nothing_is_refused(item: str) -> None:
    with pytest.raises(UsageError, match="is no host, host:port or network"):
        AddressGuard.from_settings(environ={"PREFECT_INTEGRATIONS_WFEXEC_HTTP_ALLOW": f"ok.internal, {item}"})


@pytest.mark.parametrize(
    ("api_url", "host", "port", "address", "is_allowed"),
    [
        ("http://127.0.0.1:4200/api", "127.0.0.1", 4200, "127.0.0.1", True),
        ("http://127.0.0.1:4200/api", "localhost", 4200, "127.0.0.1", True),
        ("http://127.0.0.1:4200/api", "127.0.0.1", 4201, "127.0.0.1", False),
        ("http://localhost:4200/api", "127.0.0.1", 4200, "127.0.0.1", True),
        ("http://prefect.internal:4200/api", "prefect.internal", 4200, "10.0.0.9", True),
        ("http://prefect.internal:4200/api", "other.internal", 4200, "10.0.0.9", False),
        ("https://prefect.internal/api", "prefect.internal", 443, "10.0.0.9", True),
        ("http://[::1]:4200/api", "::1", 4200, "::1", True),
        ("", "127.0.0.1", 4200, "127.0.0.1", False),
        ("http://[", "127.0.0.1", 4200, "127.0.0.1", False),
    ],
)
def test_the_api_of_the_run_may_be_asked(api_url: str, host: str, port: int, address: str, is_allowed: bool) -> None:
    guard = AddressGuard.from_settings(api_url, environ={})
    assert guard.permits(host, port, ipaddress.ip_address(address)) is is_allowed
