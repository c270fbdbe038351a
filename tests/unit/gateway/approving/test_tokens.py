"""Forms that come from our pages, and those that do not."""

import pytest

from prefect_wfexec.gateway.approving.tokens import COOKIE, form_token, is_our_form, nonce_of
from tests.unit.gateway.approving.support import request
from tests.unit.journal.support import KEYS, OTHER_KEYS

URL = "https://deploys.example.com/wfexec"
NONCE = "0123456789abcdef"
TOKEN = form_token(KEYS.links, "link", NONCE)
COOKIES = {"cookie": f"{COOKIE}={NONCE}"}


def is_ours(headers: dict[str, str], token: str = TOKEN, link: str = "link") -> bool:
    return is_our_form(request({**COOKIES, **headers}), KEYS.links, link, token, URL)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "null"},
        {"origin": "https://deploys.example.com"},
        {"origin": "null", "sec-fetch-site": "same-origin"},
    ],
)
def test_our_own_page(headers: dict[str, str]) -> None:
    assert is_ours(headers)


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "http://deploys.example.com"},
        {"origin": "https://deploys.example.com.evil.example"},
        {"origin": "https://deploys.example.com:8443"},
        {"origin": ""},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "none"},
        {"sec-fetch-site": ""},
        {"cookie": ""},
        {"cookie": f"{COOKIE}=other"},
    ],
)
def test_another_page(headers: dict[str, str]) -> None:
    assert not is_ours(headers)


def test_a_token_is_for_one_link_one_browser_and_one_key() -> None:
    assert not is_ours({}, link="other")
    for token in ("", "x", "é", TOKEN[:-1], form_token(OTHER_KEYS.links, "link", NONCE)):
        assert not is_ours({}, token=token)


def test_a_browser_keeps_what_it_was_given() -> None:
    assert nonce_of(request(COOKIES)) == NONCE
    for odd in ("", "a b", "é", "x" * 65, "<script>"):
        fresh = nonce_of(request({"cookie": f"{COOKIE}={odd}"}))
        assert len(fresh) == 32
    assert nonce_of(request()) != nonce_of(request())
