"""Filter patterns: GitHub's documented examples, and properties that must hold for any text."""

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_wfexec.triggers.globs import Glob, is_let_in
from tests.unit.journal.support import unhurried

REFS = [
    ("feature/*", ["feature/my-branch", "feature/your-branch"], ["feature/a/b", "feature", "my-feature/x"]),
    ("feature/**", ["feature/beta-a/my-branch", "feature/your-branch", "feature/mona/the/octocat"], ["feature"]),
    ("main", ["main"], ["main2", "a/main", ""]),
    ("releases/mona-the-octocat", ["releases/mona-the-octocat"], ["releases/mona"]),
    ("*", ["main", "releases"], ["all/the/branches"]),
    ("**", ["all/the/branches", "every/tag", "main"], []),
    ("*feature", ["mona-feature", "feature", "ver-10-feature"], ["a/feature", "features"]),
    ("v2*", ["v2", "v2.0", "v2.9"], ["v1", "av2", "v2/a"]),
    ("v[12].[0-9]+.[0-9]+", ["v1.10.1", "v2.0.0"], ["v3.0.0", "v1..1", "v1.2.3-rc1", "v12.0.0"]),
]
PATHS = [
    ("*", ["README.md", "server.rb"], ["docs/README.md"]),
    ("*.jsx?", ["page.js", "page.jsx"], ["page.jsxx", "page.j", "a/page.js"]),
    ("**", ["all/the/files.md"], []),
    ("*.js", ["app.js", "index.js"], ["src/app.js", "app.jsx"]),
    ("**.js", ["index.js", "js/index.js", "src/js/app.js"], ["index.ts"]),
    ("docs/*", ["docs/README.md", "docs/file.txt"], ["docs/a/b.md", "a/docs/b.md"]),
    ("docs/**", ["docs/README.md", "docs/mona/octocat.txt"], ["docs", "a/docs/b.md"]),
    ("docs/**/*.md", ["docs/README.md", "docs/mona/hello-world.md", "docs/a/markdown/file.md"], ["docs/a.txt"]),
    ("**/docs/**", ["docs/hello.md", "dir/docs/my-file.txt", "space/docs/plan/space.doc"], ["mydocs/a", "docs"]),
    ("**/README.md", ["README.md", "js/README.md"], ["xREADME.md", "js/xREADME.md", "README.mdx"]),
    ("**/*src/**", ["a/src/app.js", "my-src/code/js/app.js"], ["src", "srcs/a"]),
    ("**/*-post.md", ["my-post.md", "path/their-post.md"], ["my-post.txt"]),
    ("**/migrate-*.sql", ["migrate-10909.sql", "db/migrate-v1.0.sql", "db/sept/migrate-v1.sql"], ["a-migrate-1.sql"]),
    ("[CB]at", ["Cat", "Bat"], ["at", "cat", "CBat"]),
    ("[1-2]00", ["100", "200"], ["300", "00"]),
    ("Octoc?t", ["Octoct", "Octot"], ["Octocat"]),
    (r"a\*b", ["a*b"], ["ab", "axb"]),
    ("a[b", ["a[b"], ["ab"]),
]


@pytest.mark.parametrize(("pattern", "inside", "outside"), REFS + PATHS, ids=[row[0] for row in REFS + PATHS])
def test_a_pattern_lets_in_what_is_documented(pattern: str, inside: list[str], outside: list[str]) -> None:
    assert [text for text in inside if not is_let_in(text, [pattern])] == []
    assert [text for text in outside if is_let_in(text, [pattern])] == []


@pytest.mark.parametrize(
    ("patterns", "inside", "outside"),
    [
        (["*.md", "!README.md"], ["hello.md"], ["README.md", "docs/hello.md"]),
        (["*.md", "!README.md", "README*"], ["hello.md", "README.md", "README.doc"], ["docs/hello.md"]),
        (["releases/**", "!releases/**-alpha"], ["releases/10", "releases/beta/mona"], ["releases/10-alpha"]),
        (["!main"], [], ["main", "dev"]),
        ([], [], ["main"]),
    ],
)
def test_the_order_of_patterns_matters(patterns: list[str], inside: list[str], outside: list[str]) -> None:
    assert [text for text in inside if not is_let_in(text, patterns)] == []
    assert [text for text in outside if is_let_in(text, patterns)] == []


ANYTHING = st.text(max_size=60)
WILD = st.lists(st.sampled_from(["*", "**", "**/", "/", "a", "b", ".", "a?", "b+", "[ab]", "[a-c]", "é"]), max_size=10)


def as_regex(parts: list[str]) -> re.Pattern[str]:
    """The same by another way: what the engine under test may be slower or faster than, but must agree with."""
    found, before = "", "/"
    for part in parts:
        if part == "**/":
            found += "(?:(?s:.)*/)?" if before.endswith("/") else "(?s:.)*/"
        else:
            found += {"*": "[^/]*", "**": "(?s:.)*", ".": r"\.", "a?": "a?", "b+": "b+"}.get(part, part)
        before = part
    return re.compile(found)


@unhurried
@given(WILD, st.text(alphabet="ab./éc", max_size=12))
def test_it_agrees_with_regular_expressions(parts: list[str], text: str) -> None:
    # joined, these would mean something else
    pairs = list(pairwise(parts))
    if any(left.endswith("*") and right[0] in "*/" for left, right in pairs):
        return
    assert Glob("".join(parts)).matches(text) == bool(as_regex(parts).fullmatch(text))


@unhurried
@given(ANYTHING, ANYTHING)
def test_any_pattern_and_any_text_have_an_answer(pattern: str, text: str) -> None:
    assert is_let_in(text, [pattern]) in {True, False}
    assert not is_let_in(text, ["**", "!**"])
    assert is_let_in(text, [pattern, "**"])


@unhurried
@given(ANYTHING)
def test_a_text_with_everything_escaped_is_that_text(text: str) -> None:
    pattern = "".join(f"\\{character}" for character in text)
    assert Glob(pattern).matches(text)
    assert not Glob(pattern).matches(f"{text}x")


@pytest.mark.timeout(60)
def test_a_text_made_to_be_slow_is_not() -> None:
    # a matcher that tries one way after the other needs years for this
    assert not Glob("**a**a**a**a**a**b").matches("a" * 100_000)
