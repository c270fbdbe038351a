"""The people a gateway knows: a file of names, hashes of their tokens, and roles."""

import hashlib
import hmac
import os
import re
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from prefect_wfexec.errors import UsageError
from prefect_wfexec.gateway.signin.identity import Role

LONGEST_NAME_CHARACTERS = 200
LARGEST_FILE_BYTES = 1 << 20
SHORTEST_TOKEN_CHARACTERS = 32
LONGEST_TOKEN_CHARACTERS = 1024
LIFETIME_NAME = "lifetime-token"
"""What the holder of the token is called that a gateway makes for its lifetime."""
_HASH = re.compile(r"[0-9a-f]{64}")
_OTHERS = stat.S_IRWXO | stat.S_IWGRP


class TokensFileError(UsageError):
    """The tokens file can't be used."""

    code = "tokens-file"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who may use the gateway.

    Attributes:
        name: Their name, as lists of approvers have it.
        roles: What they may do.
        hashes: sha256 of each of their tokens, in hexadecimal; empty for who comes through the proxy only.
        is_named: Whether they are a person of the file, and no holder of the lifetime token.
    """

    name: str
    roles: frozenset[Role]
    hashes: tuple[str, ...] = ()
    is_named: bool = True


@dataclass(frozen=True, slots=True)
class People:
    """Everybody there is."""

    by_name: Mapping[str, Person] = field(default_factory=dict)

    @classmethod
    def of(cls, people: Iterable[Person]) -> "People":
        return cls({person.name.casefold(): person for person in people})

    def named(self, name: str) -> Person | None:
        """The person of a name, letter by letter but for the case of ASCII."""
        found = self.by_name.get(name.casefold())
        is_same = found is not None and (found.name == name or (found.name.isascii() and name.isascii()))
        return found if is_same else None

    def holder_of(self, token: str) -> tuple[Person, str] | None:
        """Whose token this is, and its hash; every hash is compared, whichever it is."""
        if not SHORTEST_TOKEN_CHARACTERS <= len(token) <= LONGEST_TOKEN_CHARACTERS:
            token = ""
        given, found = hash_of(token), None
        for person in self.by_name.values():
            for known in person.hashes:
                if hmac.compare_digest(given, known) and token:
                    found = (person, known)
        return found


def hash_of(token: str) -> str:
    """sha256 of a token, in hexadecimal, as it stands in the tokens file."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def read_people(path: Path) -> People:
    """The people in a tokens file.

    Raises:
        TokensFileError: it is not there, others may read or change it, or it is no such file.
    """
    text = _read(path)
    try:
        file = _File.model_validate(yaml.safe_load(text))
    except (yaml.YAMLError, RecursionError) as error:
        raise _refused(path, f"is neither YAML nor JSON ({type(error).__name__})") from None
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise _refused(path, f"has a fault at '{place}': {first['msg']}") from None
    people = [Person(one.name, frozenset(one.roles), tuple(one.hashes)) for one in file.people]
    names = [person.name.casefold() for person in people]
    twice = next((person.name for person in people if names.count(person.name.casefold()) > 1), None)
    if twice is not None:
        raise _refused(path, f"names '{twice}' twice")
    return People.of(people)


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            found = os.fstat(file.fileno())
            if found.st_mode & _OTHERS or found.st_uid not in {0, os.geteuid()}:
                raise _refused(path, "may be read or changed by others", f"chmod 600 {path}")
            text = file.read(LARGEST_FILE_BYTES + 1)
    except OSError as error:
        raise _refused(path, f"can't be read: {error.strerror}", "name another in the setting") from None
    if len(text) > LARGEST_FILE_BYTES:
        raise _refused(path, f"is larger than {LARGEST_FILE_BYTES} bytes")
    try:
        return text.decode()
    except UnicodeDecodeError:
        raise _refused(path, "is no UTF-8") from None


def _refused(path: Path, words: str, hint: str = "see docs/gateway-api.md for what stands in it") -> TokensFileError:
    return TokensFileError(f"the tokens file {path} {words}", hint=hint)


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str = Field(min_length=1, max_length=LONGEST_NAME_CHARACTERS)
    sha256: str | list[str] = []
    roles: list[Role] = Field(min_length=1)

    @property
    def hashes(self) -> list[str]:
        return [self.sha256] if isinstance(self.sha256, str) else self.sha256

    @field_validator("name")
    @classmethod
    def _is_a_name(cls, name: str) -> str:
        if not is_name(name) or name.casefold() == LIFETIME_NAME:
            raise ValueError("this is no name of a person")
        return name

    @field_validator("sha256")
    @classmethod
    def _are_hashes(cls, found: str | list[str]) -> str | list[str]:
        for one in [found] if isinstance(found, str) else found:
            if not _HASH.fullmatch(one):
                raise ValueError("a sha256 is 64 hexadecimal digits, in lower case")
        return found


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")
    people: list[_Entry]


def is_name(text: str) -> bool:
    """Whether a text can be somebody's name: printable, without blanks at its ends, not too long."""
    return 0 < len(text) <= LONGEST_NAME_CHARACTERS and text.isprintable() and text == text.strip()
