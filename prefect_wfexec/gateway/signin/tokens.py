"""Who holds which token: the tokens file, read again when it changes, and the token of the gateway's lifetime."""

import logging
import secrets
from pathlib import Path

from prefect_wfexec.gateway.signin.identity import ALL_ROLES
from prefect_wfexec.gateway.signin.people import (
    LIFETIME_NAME,
    People,
    Person,
    TokensFileError,
    hash_of,
    read_people,
)

logger = logging.getLogger(__name__)


def make_token() -> str:
    """A new token of 256 random bits."""
    return secrets.token_urlsafe(32)


class TokenBook:
    """Who holds which token, now.

    Args:
        path: The tokens file; None when there is none.
        lifetime_token: The token that the gateway has made for its lifetime; empty when it has made none.

    Raises:
        TokensFileError: the file can't be used.
    """

    def __init__(self, path: Path | None, lifetime_token: str = "") -> None:
        self._path = path
        self._people = People()
        self._read: object = None
        if path is not None:
            self._people, self._read = read_people(path), _mark(path)
        if lifetime_token:
            self._people = People.of([Person(LIFETIME_NAME, ALL_ROLES, (hash_of(lifetime_token),), is_named=False)])

    @property
    def people(self) -> People:
        """Everybody, as the file has it now; nobody as long as it can't be used."""
        mark = _mark(self._path) if self._path is not None else None
        if self._path is not None and mark != self._read:
            self._read = mark
            try:
                self._people = read_people(self._path)
                logger.info("the tokens file was read again: %d people", len(self._people.by_name))
            except TokensFileError as error:
                self._people = People()
                logger.error("nobody can sign in by token: %s", error.message)
        return self._people


def _mark(path: Path) -> object:
    """What differs when a file was changed."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_mode
