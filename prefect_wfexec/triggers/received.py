"""One request as it came, before anybody has looked into it."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import uuid4


@dataclass(frozen=True, slots=True)
class Received:
    """A request to a trigger's address.

    Attributes:
        body: Its bytes, as they were sent.
        headers: Names in lower case, each with its value; a header that came twice stands here twice.
        remote: The address it came from, an IP address as text.
        path: The method and the path, e.g. `POST /hooks/network/push`.
        at: When it came.
        id: What this gateway calls it; no two are called the same.
    """

    body: bytes
    headers: tuple[tuple[str, str], ...] = ()
    remote: str = ""
    path: str = ""
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    id: str = field(default_factory=lambda: uuid4().hex)

    def values(self, name: str) -> tuple[str, ...]:
        """Every value of a header; none when it did not come. Names ignore case."""
        wanted = name.lower()
        return tuple(value for key, value in self.headers if key == wanted)


def headers_of(raw: Iterable[tuple[bytes, bytes]]) -> tuple[tuple[str, str], ...]:
    """Headers as a server gives them, in bytes, made text: every byte one character."""
    return tuple((name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in raw)
