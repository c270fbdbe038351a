"""The key, and references to blobs."""

from typing import Any

import pytest

from prefect_wfexec.errors import UsageError
from prefect_wfexec.journal.blobref import BlobRef
from prefect_wfexec.journal.keys import Keys, keys_from_environment
from prefect_wfexec.settings import SECRET_KEY

SECRET = "sixteen letters or more"


def test_every_use_has_a_key_of_its_own() -> None:
    keys = Keys(SECRET)
    derived = {keys.journal, keys.blobs, keys.codes, keys.digests, keys.links}
    assert len(derived) == 5
    assert {len(key) for key in derived} == {32}
    assert SECRET.encode() not in derived
    assert keys == Keys(SECRET)
    assert Keys(SECRET + "!").journal not in derived


def test_the_secret_does_not_show() -> None:
    assert SECRET not in f"{Keys(SECRET)} {Keys(SECRET)!r} {[Keys(SECRET)]}"


def test_the_setting_comes_first_and_may_be_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SECRET_KEY.variable, raising=False)
    assert keys_from_environment() is None
    monkeypatch.setenv(SECRET_KEY.variable, "  ")
    assert keys_from_environment() is None
    monkeypatch.setenv(SECRET_KEY.variable, SECRET)
    assert keys_from_environment() == Keys(SECRET)


def test_a_short_key_is_refused_without_being_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SECRET_KEY.variable, "tooshort")
    with pytest.raises(UsageError, match="fewer than 16") as caught:
        keys_from_environment()
    assert "tooshort" not in str(caught.value)
    assert "token_urlsafe" in (caught.value.hint or "")


def test_a_reference_comes_back() -> None:
    ref = BlobRef("ab", 7, "cd")
    assert BlobRef.from_json(ref.as_json()) == ref
    assert BlobRef.from_json({**ref.as_json(), "sensitive": []}) == ref


@pytest.mark.parametrize(
    "value", [None, "x", [], {}, {"blob": "x", "size": 1}, {"blob": "x", "size": "y", "sha256": ""}]
)
def test_what_is_no_reference_is_refused(value: Any) -> None:
    with pytest.raises(ValueError):
        BlobRef.from_json(value)
