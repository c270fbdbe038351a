"""The tokens file: what it says, and what is refused."""

import json
from pathlib import Path

import pytest

from prefect_wfexec.gateway.signin.identity import Role
from prefect_wfexec.gateway.signin.people import TokensFileError, hash_of, read_people
from prefect_wfexec.gateway.signin.tokens import TokenBook, make_token
from tests.support.signin import token_of, write_tokens

HASH = hash_of(token_of("jane"))


def saved(tmp_path: Path, text: str, mode: int = 0o600) -> Path:
    path = tmp_path / "tokens.yaml"
    path.write_text(text)
    path.chmod(mode)
    return path


def test_people_have_names_roles_and_any_number_of_tokens(tmp_path: Path) -> None:
    people = [
        {"name": "jane@example.com", "sha256": [HASH, hash_of("x" * 40)], "roles": ["operator", "approver"]},
        {"name": "bob", "roles": ["viewer"]},
    ]
    found = read_people(saved(tmp_path, json.dumps({"people": people})))
    for token in (token_of("jane"), "x" * 40):
        held = found.holder_of(token)
        assert held is not None
        assert (held[0].name, held[0].roles) == ("jane@example.com", {Role.OPERATOR, Role.APPROVER})
    bob = found.named("Bob")
    assert bob is not None
    assert bob.hashes == ()
    assert found.holder_of("y" * 40) is None


def test_a_short_token_is_nobodys_though_its_hash_is_there(tmp_path: Path) -> None:
    text = json.dumps({"people": [{"name": "jane", "sha256": [hash_of("short"), hash_of("")], "roles": ["viewer"]}]})
    found = read_people(saved(tmp_path, text))
    assert found.holder_of("short") is None
    assert found.holder_of("") is None
    assert found.holder_of("x" * 2000) is None


@pytest.mark.parametrize("mode", [0o604, 0o606, 0o620, 0o644, 0o666])
def test_a_file_that_others_may_read_or_change_is_refused(tmp_path: Path, mode: int) -> None:
    path = saved(tmp_path, "people: []", mode)
    with pytest.raises(TokensFileError, match="may be read or changed by others"):
        read_people(path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("people: [", "neither YAML nor JSON"),
        ("[]", "has a fault"),
        ("people: [{name: jane}]", "roles"),
        ("people: [{name: jane, roles: []}]", "roles"),
        ("people: [{name: jane, roles: [admin]}]", "roles"),
        ("people: [{name: jane, roles: [viewer], token: secret}]", "token"),
        ("people: [{name: jane, roles: [viewer], sha256: abc}]", "64 hexadecimal digits"),
        ("people: [{name: '', roles: [viewer]}]", "name"),
        ("people: [{name: ' jane', roles: [viewer]}]", "no name of a person"),
        ('people: [{name: "ja\\nne", roles: [viewer]}]', "no name of a person"),
        ("people: [{name: Lifetime-Token, roles: [viewer]}]", "no name of a person"),
        ("people: [{name: jane, roles: [viewer]}, {name: Jane, roles: [approver]}]", "twice"),
    ],
)
def test_a_fault_is_told_with_its_place_and_without_what_stands_there(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(TokensFileError, match=words) as caught:
        read_people(saved(tmp_path, text))
    assert "secret" not in caught.value.message


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(TokensFileError, match="No such file"):
        TokenBook(tmp_path / "nothing.yaml")


def test_the_file_is_read_again_when_it_changes(tmp_path: Path) -> None:
    path = write_tokens(tmp_path / "tokens.yaml", {"jane": ["viewer"]})
    book = TokenBook(path)
    assert book.people.holder_of(token_of("jane"))
    write_tokens(path, {"bob": ["viewer"]})
    assert book.people.holder_of(token_of("jane")) is None
    assert book.people.holder_of(token_of("bob"))


@pytest.mark.parametrize("fault", ["gone", "broken", "open"])
def test_as_long_as_the_file_is_of_no_use_nobody_holds_a_token(tmp_path: Path, fault: str) -> None:
    path = write_tokens(tmp_path / "tokens.yaml", {"jane": ["viewer"]})
    book = TokenBook(path)
    if fault == "gone":
        path.unlink()
    elif fault == "broken":
        path.write_text("people: [")
    else:
        path.chmod(0o644)
    assert book.people.holder_of(token_of("jane")) is None
    write_tokens(path, {"jane": ["viewer"]})
    assert book.people.holder_of(token_of("jane"))


def test_a_token_that_is_made_here_is_long_and_new() -> None:
    tokens = {make_token() for _ in range(10)}
    assert len(tokens) == 10
    assert min(len(token) for token in tokens) >= 32


def test_the_lifetime_token_is_nobodys_name() -> None:
    token = make_token()
    held = TokenBook(None, token).people.holder_of(token)
    assert held is not None
    assert not held[0].is_named
    assert held[0].roles == set(Role)
