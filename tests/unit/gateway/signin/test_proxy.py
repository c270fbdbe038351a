"""The trusted proxy: whose header is believed, and what its settings may be."""

import pytest

from prefect_wfexec.errors import UsageError
from prefect_wfexec.gateway.signin.faults import NotSignedIn
from prefect_wfexec.gateway.signin.identity import Role
from prefect_wfexec.gateway.signin.proxy import TrustedProxy
from tests.support.signin import settings

PROXY = TrustedProxy.from_settings(settings(header="X-User", networks="10.0.0.0/8, 2001:db8::/64"))


@pytest.mark.parametrize("peer", ["10.1.2.3", "::ffff:10.1.2.3", "2001:db8::1"])
def test_the_proxy_names_who_asks(peer: str) -> None:
    assert PROXY.name_in(["jane@example.com"], peer) == "jane@example.com"
    assert PROXY.roles == {Role.VIEWER}


@pytest.mark.parametrize("peer", ["192.0.2.1", "127.0.0.1", "::1", "", "unix", "2001:db8:0:1::1"])
def test_from_elsewhere_the_header_is_refused(peer: str) -> None:
    with pytest.raises(NotSignedIn, match="believed from the proxy only"):
        PROXY.name_in(["jane@example.com"], peer)


@pytest.mark.parametrize("values", [["jane", "eve"], ["jane\teve"], [" jane"], ["x" * 300], ["a\u0000b"]])
def test_what_is_not_one_name_is_refused(values: list[str]) -> None:
    with pytest.raises(NotSignedIn, match="does not name one person"):
        PROXY.name_in(values, "10.1.2.3")


def test_a_proxy_that_names_nobody_signs_nobody_in() -> None:
    assert PROXY.name_in([], "10.1.2.3") is None
    assert PROXY.name_in([""], "10.1.2.3") is None
    assert PROXY.name_in([], "192.0.2.1") is None
    assert TrustedProxy().name_in(["jane"], "10.1.2.3") is None


def test_an_address_is_as_true_as_the_proxies_it_came_through() -> None:
    assert PROXY.client_behind("192.0.2.1", ["203.0.113.9"]) == "192.0.2.1"
    assert PROXY.client_behind("10.1.2.3", ["203.0.113.9, 192.0.2.1"]) == "192.0.2.1"
    assert PROXY.client_behind("10.1.2.3", ["203.0.113.9", "192.0.2.1, 10.9.9.9"]) == "192.0.2.1"
    assert PROXY.client_behind("10.1.2.3", []) == "10.1.2.3"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"header": "X-User"}, "PROXY_NETWORKS is not"),
        ({"header": "X-User", "networks": "0.0.0.0/0"}, "which is everybody"),
        ({"header": "X-User", "networks": "::/0"}, "which is everybody"),
        ({"header": "X-User", "networks": "10.0.0.1/8"}, "which is no network"),
        ({"header": "X-User", "networks": "proxy.example.com"}, "which is no network"),
        ({"header": "X User", "networks": "10.0.0.0/8"}, "can't name people"),
        ({"header": "Cookie", "networks": "10.0.0.0/8"}, "can't name people"),
        ({"header": "X-User", "networks": "10.0.0.0/8", "roles": "admin"}, "'admin'"),
    ],
)
def test_settings_of_no_use_are_told(given: dict[str, str], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        TrustedProxy.from_settings(settings(**given))
