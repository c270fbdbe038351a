"""What a form on our pages carries, so that no other site can have a browser send it.

Who has the link needs none of this to decide: it keeps a page that somebody lures an approver to from sending the form
in their name, should it ever learn the link.
"""

import hashlib
import hmac
import secrets
from urllib.parse import urlsplit

from fastapi import Request
from itsdangerous import Signer

COOKIE = "wfexec_approving"
FIELD = "form_token"
_SALT = "wfexec.approval.form"
LONGEST_NONCE = 64


def nonce_of(request: Request) -> str:
    """What this browser was given with the first page; a fresh one for who has none."""
    known = request.cookies.get(COOKIE, "")
    is_one = known.isascii() and known.isalnum() and len(known) <= LONGEST_NONCE
    return known if known and is_one else secrets.token_hex(16)


def form_token(key: bytes, link: str, nonce: str) -> str:
    """The token of the form behind a link, for the browser that has this nonce."""
    signer = Signer(key, salt=_SALT, key_derivation="hmac", digest_method=hashlib.sha256)
    return signer.get_signature(f"{nonce}.{link}").decode()


def is_our_form(request: Request, key: bytes, link: str, given: str, public_url: str) -> bool:
    """Whether a form comes from the page that we gave this browser."""
    nonce = request.cookies.get(COOKIE, "")
    if not nonce or not _is_same_site(request, public_url):
        return False
    return hmac.compare_digest(given.encode(), form_token(key, link, nonce).encode())


def _is_same_site(request: Request, public_url: str) -> bool:
    """Whether the browser says nothing else of where the form stands.

    Behind a page that tells no referrer, `Origin` is `null`; then `Sec-Fetch-Site` tells, where the browser sends it.
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None and site != "same-origin":
        return False
    origin = request.headers.get("origin", "null")
    return origin in ("null", _origin_of(public_url))


def _origin_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()
