"""Which refs are asked for, and what they mean."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_wfexec.errors import StepFailed
from prefect_wfexec.steps.git.refs import Listing, choose, not_found, read_listing, read_ref, version_key

SHA, OTHER = "a" * 40, "b" * 40


def listing(*names: str, default: str = "") -> Listing:
    return Listing(dict.fromkeys(names, SHA), default)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "-u",
            "--upload-pack=x",
            "a b",
            "a..b",
            "a~1",
            "a^",
            "a:b",
            "a\\b",
            "a[b]",
            "a@{1}",
            "/a",
            "a/",
            "a//b",
            "a/.b",
        ),
        *(".a", "a.", "a.lock", "a.lock/b", "@", "a\nb", "a\x00b", "a\x7fb", "x" * 256, "*a*b*c*d*e*", "+a:b", ":a"),
    ],
)
def test_what_git_would_take_for_something_else_is_refused(text: str) -> None:
    with pytest.raises(StepFailed) as refused:
        read_ref(text)
    assert (refused.value.type, refused.value.retryable) == ("ref_refused", False)
    assert refused.value.message.isascii() and refused.value.message.isprintable()


@pytest.mark.parametrize(
    "text", ["main", "feature/new-thing", "v1.2.3", SHA, "refs/pull/7/head", "refs/merge-requests/7/head", "jörg/ä"]
)
def test_what_is_a_ref_is_taken(text: str) -> None:
    assert read_ref(text).text == text


@given(st.text(max_size=30))
def test_no_text_becomes_an_option_or_several_arguments(text: str) -> None:
    try:
        wanted = read_ref(text)
    except StepFailed:
        return
    for question in wanted.questions:
        assert not question.startswith("-")
        assert not set(question) & set(" \n\0:\\~^")


def test_the_default_branch_is_what_the_server_says() -> None:
    assert choose(read_ref(None), listing("HEAD", default="refs/heads/trunk")) == "refs/heads/trunk"
    assert choose(read_ref(None), listing("HEAD")) == "HEAD"
    assert choose(read_ref(None), listing()) is None


def test_branches_tags_and_other_refs() -> None:
    known = listing("refs/heads/main", "refs/tags/v1", "refs/pull/7/head", "refs/heads/x/refs/heads/odd")
    assert choose(read_ref("main"), known) == "refs/heads/main"
    assert choose(read_ref("v1"), known) == "refs/tags/v1"
    assert choose(read_ref("refs/pull/7/head"), known) == "refs/pull/7/head"
    for absent in ("v2", "refs/pull/8/head", "odd", "heads/main"):
        assert choose(read_ref(absent), known) is None


def test_a_name_of_a_branch_and_a_tag_is_only_one_when_they_are_the_same_commit() -> None:
    same = Listing({"refs/heads/v1": SHA, "refs/tags/v1": SHA})
    assert choose(read_ref("v1"), same) == "refs/heads/v1"
    with pytest.raises(StepFailed, match="a branch and a tag") as ambiguous:
        choose(read_ref("v1"), Listing({"refs/heads/v1": SHA, "refs/tags/v1": OTHER}))
    assert ambiguous.value.hint == "write refs/heads/v1 or refs/tags/v1"
    assert choose(read_ref("refs/tags/v1"), Listing({"refs/tags/v1": OTHER})) == "refs/tags/v1"


def test_a_pattern_means_the_highest_version() -> None:
    names = [f"refs/heads/release/{version}" for version in ("1.9", "1.10", "1.2", "2.0-rc1", "1.10/hotfix")]
    assert choose(read_ref("release/*"), listing(*names)) == "refs/heads/release/2.0-rc1"
    assert choose(read_ref("release/1.*"), listing(*names)) == "refs/heads/release/1.10"
    assert choose(read_ref("release/1.?"), listing(*names)) == "refs/heads/release/1.9"
    assert choose(read_ref("release/1.1**"), listing(*names)) == "refs/heads/release/1.10/hotfix"
    assert choose(read_ref("hotfix/*"), listing(*names)) is None


def test_a_pattern_means_what_was_pushed_when_it_fits() -> None:
    names = listing("refs/heads/release/1.9", "refs/heads/release/2.0", "refs/heads/main")
    assert choose(read_ref("release/*"), names, "release/1.9") == "refs/heads/release/1.9"
    assert choose(read_ref("release/*"), names, "main") == "refs/heads/release/2.0"
    assert choose(read_ref("release/*"), names, "release/3.0") == "refs/heads/release/2.0"
    assert choose(read_ref("main"), names, "release/1.9") == "refs/heads/main"


@pytest.mark.parametrize(
    "rising",
    [["v1.2", "v1.9", "v1.10"], ["2.0-alpha", "2.0-rc1", "2.0-rc2", "2.0", "2.0.1"], ["2026-01-31", "2026-02-01"]],
)
def test_versions_are_put_in_order(rising: list[str]) -> None:
    assert sorted(set(rising), key=version_key) == rising


@given(st.lists(st.text(max_size=12), max_size=6))
def test_any_names_can_be_put_in_order(names: list[str]) -> None:
    sorted(names, key=version_key)


def test_what_the_server_prints_is_read() -> None:
    text = f"ref: refs/heads/main\tHEAD\n{SHA}\tHEAD\n{SHA}\trefs/heads/main\n"
    text += f"{OTHER}\trefs/tags/v1\n{SHA}\trefs/tags/v1^{{}}\nodd\n"
    assert read_listing(text) == Listing(
        {"HEAD": SHA, "refs/heads/main": SHA, "refs/tags/v1": OTHER}, "refs/heads/main"
    )


def test_near_names_are_told() -> None:
    known = listing("refs/heads/main", "refs/heads/release/2.0", "refs/tags/v1", "refs/pull/7/head")
    assert not_found(read_ref("mian"), known).hint == "did you mean 'main'?"
    assert not_found(read_ref("zzzz"), known).hint == "it has 'main', 'release/2.0' and 'v1'"
    assert "no branches" in str(not_found(read_ref("x"), listing()).hint)
