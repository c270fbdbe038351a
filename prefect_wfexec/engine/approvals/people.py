"""Who is who: names and mail addresses as people write them, told apart where two may be one. Pure."""

import unicodedata


def person_key(name: str) -> str:
    """One spelling of a name or address; two that have the same are one person.

    Case, forms of the same letter and blanks at its ends make no other person, nor does the `+tag` of a mailbox.
    """
    folded = " ".join(unicodedata.normalize("NFKC", name).casefold().split())
    local, at, domain = folded.rpartition("@")
    return f"{local.partition('+')[0]}@{domain}" if at else folded


def may_be_same(one: str, other: str) -> bool:
    """Whether two names may be one person's, as far as names can tell: where it matters, doubt counts against them.

    `jane`, `Jane@example.com` and `JANE+ops@example.com` may be; `jane@a.example` and `jane@b.example` are two. A full
    name may be the person of an address: `Jane Doe` and `jane.doe@example.com`.
    """
    one, other = person_key(one), person_key(other)
    (local, domain), (other_local, other_domain) = _parts(one), _parts(other)
    if not local or not other_local:
        return one == other
    return local == other_local and (not domain or not other_domain or domain == other_domain)


def find_person(name: str, people: tuple[str, ...]) -> str | None:
    """The one of `people` that a name stands for, by its spelling alone."""
    key = person_key(name)
    return next((person for person in people if person_key(person) == key), None)


def find_recognised(name: str, people: tuple[str, ...]) -> str | None:
    """The one of `people` that a name from another system's accounts is, letter by letter; the case of ASCII is none.

    Another system may give two people names that look alike, or mailboxes that `person_key` takes for one.
    """
    given = _letters(name)
    return next((person for person in people if _letters(person) == given), None)


def _letters(name: str) -> str:
    return name.strip().lower() if name.isascii() else name


def _parts(key: str) -> tuple[str, str]:
    local, at, domain = key.rpartition("@")
    text = local if at else key
    return "".join(mark for mark in text if mark.isalnum()), domain if at else ""
