"""Which repository URLs are cloned: https and ssh; http and files on this machine only by a setting."""

import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from prefect_wfexec import settings
from prefect_wfexec.errors import StepFailed

SCHEMES = ("https", "ssh", "http", "file")
MAX_URL = 2048
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\]")
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*")
_SHORT_SSH = re.compile(r"(?:(?P<user>[^@/:]+)@)?(?P<host>[^@/:\[\]]+|\[[^\]@/]+\]):(?P<path>[^:].*)")
_HELPER = re.compile(r"[A-Za-z0-9+.-]*::")
_USERINFO = re.compile(r"^([A-Za-z]+://)?.*@")
"""All that may be a credential: a slash or question mark in a password ends nothing."""


@dataclass(frozen=True, slots=True)
class Address:
    """A repository's URL that may be cloned.

    Attributes:
        scheme: `https`, `ssh`, `http` or `file`.
        host: In lower case; empty for a file.
        path: Where the repository is on the host, decoded.
        text: The URL as git is given it.
        port: None for the scheme's own.
        user: The ssh user, empty when the URL names none.
    """

    scheme: str
    host: str
    path: str
    text: str
    port: int | None = None
    user: str = ""

    @property
    def origin(self) -> str:
        """What a credential for it is good for: scheme, host and port."""
        return f"{self.scheme}://{self.host}{f':{self.port}' if self.port else ''}/"


def read_address(url: str) -> Address:
    """The address behind a URL.

    Raises:
        StepFailed: it is none that is cloned (`type="url_refused"`); the message holds no credentials.
    """
    if not url.isprintable() or any(character.isspace() for character in url) or "\\" in url:
        raise _refused(url, "it has white space, control characters or backslashes in it")
    if not url or len(url) > MAX_URL or url.startswith("-"):
        raise _refused(url, "it is empty, too long or begins with a hyphen")
    if _HELPER.match(url):
        raise _refused(url, "it names a helper program")
    address = _with_scheme(url) if "://" in url else _short_ssh(url)
    _check_path(url, address)
    _check_setting(address)
    return address


def shown(url: str) -> str:
    """A URL for messages: without credentials and control characters."""
    plain = "".join(character if character.isprintable() else " " for character in url)
    return _USERINFO.sub(r"\1", plain).partition("?")[0].partition("#")[0][:200]


def _with_scheme(url: str) -> Address:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise _refused(url, "its host or port can't be read") from None
    if parts.scheme not in SCHEMES or not url.startswith(parts.scheme):
        raise _refused(url, f"'{parts.scheme}' is not a way to clone")
    if "?" in url or "#" in url:
        raise _refused(url, "it has a query or a fragment")
    user, has_at, _ = parts.netloc.rpartition("@")
    host = parts.netloc.rpartition("@")[2].removesuffix(f":{port}" if port is not None else "").lower()
    if parts.scheme == "file":
        return _file(url, parts.netloc, parts.path)
    if has_at and (parts.scheme != "ssh" or ":" in user):
        raise _refused(url, "it has credentials in it", hint="save them in a block, and name that with `block`")
    _check_host(url, host, user)
    return Address(parts.scheme, host, unquote(parts.path), url, port, user)


def _file(url: str, netloc: str, path: str) -> Address:
    if netloc:
        raise _refused(url, "a file's URL has three slashes", hint="write file:///path/of/the/repository")
    return Address("file", "", unquote(path), url)


def _short_ssh(url: str) -> Address:
    found = _SHORT_SSH.fullmatch(url)
    if found is None:
        raise _refused(url, "it is neither a URL nor user@host:path")
    if "@" in found["path"]:
        raise _refused(url, "it has credentials in it", hint="save them in a block, and name that with `block`")
    user, host = found["user"] or "", found["host"].lower()
    _check_host(url, host, user)
    return Address("ssh", host, unquote(found["path"]), url, None, user)


def _check_host(url: str, host: str, user: str) -> None:
    if not _HOST.fullmatch(host):
        raise _refused(url, "its host can't be read")
    if user and not _USER.fullmatch(user):
        raise _refused(url, "its user can't be read")


def _check_path(url: str, address: Address) -> None:
    path = address.path
    if not path.strip("/"):
        raise _refused(url, "it names no repository")
    if not path.isprintable() or path.startswith("-") or ".." in path.split("/"):
        raise _refused(url, "its path leads elsewhere")


def _check_setting(address: Address) -> None:
    if address.scheme == "file" and not settings.ALLOW_FILE_URLS.is_on():
        raise StepFailed(
            f"'{shown(address.text)}' is a repository on this machine, and those are not cloned",
            type="url_refused",
            hint=f"if that is meant, set {settings.ALLOW_FILE_URLS.variable}=true where workers run",
            retryable=False,
        )
    if address.scheme == "http" and not _is_listed(address):
        raise StepFailed(
            f"'{shown(address.text)}' is reached unencrypted: whoever is on the way could change what is built",
            type="url_refused",
            hint=f"write https://, or list '{address.host}' in {settings.GIT_HTTP_HOSTS.variable}",
            retryable=False,
        )


def _is_listed(address: Address) -> bool:
    names = {item.lower() for item in settings.GIT_HTTP_HOSTS.read_list()}
    return bool({address.host, f"{address.host}:{address.port or 80}"} & names)


def _refused(url: str, reason: str, hint: str = "write https://host/path or ssh://user@host/path") -> StepFailed:
    return StepFailed(
        f"the repository's URL '{shown(url)}' is refused: {reason}", type="url_refused", hint=hint, retryable=False
    )
