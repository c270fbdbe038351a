"""Which texts name images."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_wfexec.errors import StepFailed
from prefect_wfexec.steps.image.names import read_name

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("text", "registry", "path", "tag", "digest", "written"),
    [
        ("app", "", "app", "", "", "app:latest"),
        ("team/app:1", "", "team/app", "1", "", "team/app:1"),
        ("registry.example.com/team/app:v1.2", "registry.example.com", "team/app", "v1.2", "", None),
        ("localhost:5000/app:1", "localhost:5000", "app", "1", "", None),
        ("localhost/app", "localhost", "app", "", "", "localhost/app:latest"),
        ("[::1]:5000/app:1", "[::1]:5000", "app", "1", "", None),
        (f"r.example/app@{DIGEST}", "r.example", "app", "", DIGEST, None),
        (f"r.example/app:1@{DIGEST}", "r.example", "app", "1", DIGEST, f"r.example/app@{DIGEST}"),
    ],
)
def test_names_are_taken_apart(text: str, registry: str, path: str, tag: str, digest: str, written: str | None) -> None:
    name = read_name(text)
    assert (name.registry, name.path, name.tag, name.digest) == (registry, path, tag, digest)
    assert name.text == (written or text)


@pytest.mark.parametrize(
    "text",
    [
        *("", "-app", "--all", "App", "app:", "app:-x", "app@", "app@sha256:abc", "a b", "app:1 --tls-verify=false"),
        *("/app", "app/", "a//b", "a/../b", "r.example/../app", "-r.example/app", "r.example:x/app", "app:a/b"),
        *("docker://r.example/app", "oci:/etc:x", "https://r.example/app", "app:" + "x" * 129, "a/" * 300 + "b"),
    ],
)
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(StepFailed) as refused:
        read_name(text)
    assert (refused.value.type, refused.value.retryable) == ("image_name", False)


@given(st.text(max_size=40))
def test_no_text_becomes_an_option_or_another_transport(text: str) -> None:
    try:
        name = read_name(text)
    except StepFailed:
        return
    assert not name.text.startswith("-")
    assert "://" not in name.text
    assert not set(name.text) & set(" \n\t\0'\"$;&|\\")
    assert read_name(name.text).text == name.text


def test_a_registry_is_asked_for_where_one_is_needed() -> None:
    with pytest.raises(StepFailed, match="does not say which registry") as refused:
        read_name("team/app:1", needs_registry=True)
    assert refused.value.hint == "write it in full, as in docker.io/team/app:1"
