"""Whether a browser says that a page of this gateway asks, and no other."""

from urllib.parse import urlsplit

from starlette.datastructures import Headers


def is_own_page(headers: Headers, public_url: str) -> bool:
    """Whether a request comes from a page of this gateway, as the browser tells and no page can.

    Args:
        headers: Of the request.
        public_url: Where people reach the gateway.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = headers.get("origin", "")
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        return False
    own = {urlsplit(public_url).netloc.lower(), headers.get("host", "").lower()} - {""}
    return parts.netloc.lower() in own


def local_path(text: str) -> str:
    """Where to go after the sign-in: a path of this gateway, `/` for anything else."""
    is_plain = text.startswith("/") and len(text) <= 2048 and text.isprintable() and "\\" not in text
    if not is_plain or text.startswith("//"):
        return "/"
    return text
