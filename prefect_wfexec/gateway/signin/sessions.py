"""Sessions of browsers: a signed cookie, worth as long as the token it was made with, and what guards its forms."""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from itsdangerous import BadData, URLSafeSerializer, URLSafeTimedSerializer

from prefect_wfexec.gateway.signin.people import People, Person
from prefect_wfexec.journal.facts import new_id

LONGEST_SECONDS = 12 * 3600
MOST_ENDED = 10_000


@dataclass(frozen=True, slots=True)
class Session:
    """A browser that somebody has signed in with."""

    id: str
    person: Person


class Sessions:
    """Makes and reads cookies.

    Args:
        key: The key they are signed with.
        clock: The time in seconds.
    """

    def __init__(self, key: bytes, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._cookies = URLSafeTimedSerializer(key, salt="session", signer_kwargs=_SIGNER)
        self._forms = URLSafeSerializer(key, salt="form", signer_kwargs=_SIGNER)
        self._ended: dict[str, float] = {}

    def begin(self, person: Person, token_hash: str) -> str:
        """A cookie for a person who has shown a token."""
        found = self._cookies.dumps({"id": new_id(), "name": person.name, "token": _print_of(token_hash)})
        return str(found)

    def read(self, cookie: str, people: People) -> Session | None:
        """The session of a cookie; None when it is none, too old, ended, or its token is gone."""
        try:
            data: Any = self._cookies.loads(cookie, max_age=LONGEST_SECONDS)
            session_id, name, token = str(data["id"]), str(data["name"]), str(data["token"])
        except (BadData, KeyError, TypeError):
            return None
        person = people.named(name)
        if person is None or session_id in self._ended:
            return None
        is_held = any(_print_of(known) == token for known in person.hashes)
        return Session(session_id, person) if is_held else None

    def end(self, session: Session) -> None:
        """Sign out: the cookie is worth nothing any more, whoever has a copy."""
        now = self._clock()
        if len(self._ended) >= MOST_ENDED:
            self._ended = {key: at for key, at in self._ended.items() if now - at < LONGEST_SECONDS}
        if len(self._ended) >= MOST_ENDED:
            self._ended.pop(next(iter(self._ended)))
        self._ended[session.id] = now

    def form_token(self, session_id: str, name: str) -> str:
        """What a page of this session sends along with what it asks for, and no other page knows."""
        return str(self._forms.dumps([session_id, name]))

    def is_form_token(self, token: str, session_id: str, name: str) -> bool:
        """Whether a token was made for this session."""
        try:
            return bool(self._forms.loads(token) == [session_id, name])
        except BadData:
            return False


_SIGNER = {"key_derivation": "hmac", "digest_method": hashlib.sha256}


def _print_of(token_hash: str) -> str:
    """What tells tokens apart in a cookie: their hashes stay where they are."""
    return hashlib.sha256(f"session:{token_hash}".encode()).hexdigest()[:32]
