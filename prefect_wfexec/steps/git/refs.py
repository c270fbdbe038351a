"""What `ref` may be, and which ref of the repository it means."""

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from prefect_wfexec.errors import StepFailed, join_names

BRANCHES, TAGS = "refs/heads/", "refs/tags/"
MAX_REF = 255
MOST_STARS = 4
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_SHORT_COMMIT = re.compile(r"[0-9a-f]{7,39}")
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f~^:\\\[]|\.\.|@\{|//|/\.|\.lock(/|$)")
_WORDS = re.compile(r"\d+|\D+")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a step asks for, known to be no option, path or expression of git's.

    Attributes:
        text: As it was written; empty for the default branch.
    """

    text: str

    @property
    def is_default(self) -> bool:
        return self.text in {"", "HEAD"}

    @property
    def is_commit(self) -> bool:
        return bool(_COMMIT.fullmatch(self.text))

    @property
    def may_be_short_commit(self) -> bool:
        return bool(_SHORT_COMMIT.fullmatch(self.text))

    @property
    def is_full_name(self) -> bool:
        return self.text.startswith("refs/") and not self.is_pattern

    @property
    def is_pattern(self) -> bool:
        return "*" in self.text or "?" in self.text

    @property
    def questions(self) -> list[str]:
        """What the server is asked for: patterns of `git ls-remote`."""
        if self.is_default:
            return ["HEAD"]
        text = re.sub(r"\*+", "*", self.text)
        return [text] if self.text.startswith("refs/") else [f"{BRANCHES}{text}", f"{TAGS}{text}"]

    def matches(self, name: str) -> bool:
        """Whether a branch or tag, by its short name, or a full name is of this pattern."""
        return bool(re.fullmatch(_expression(self.text), name))


@dataclass(frozen=True, slots=True)
class Listing:
    """What the server has.

    Attributes:
        refs: The commit, or tag object, of each ref by its full name.
        default: The full name of the default branch, empty when the server does not say.
    """

    refs: Mapping[str, str] = field(default_factory=dict)
    default: str = ""


def read_ref(text: str | None) -> Wanted:
    """The ref that a step asks for.

    Raises:
        StepFailed: git would take it for something else (`type="ref_refused"`).
    """
    ref = text or ""
    is_odd = ref.startswith(("-", "/", ".")) or ref.endswith(("/", ".")) or ref == "@"
    is_odd = is_odd or len(ref) > MAX_REF or len(re.findall(r"\*+", ref)) > MOST_STARS
    if is_odd or not ref.isprintable() or _FORBIDDEN.search(ref):
        raise StepFailed(
            f"{ref[:80]!a} can't be a ref",
            type="ref_refused",
            hint="name a branch, a tag, a commit, refs/pull/N/head, or a pattern such as release/*",
            retryable=False,
        )
    return Wanted(ref)


def read_listing(text: str) -> Listing:
    """What `git ls-remote --symref` printed."""
    refs: dict[str, str] = {}
    default = ""
    for line in text.splitlines():
        left, _, name = line.partition("\t")
        if left.startswith("ref: ") and name == "HEAD":
            default = left.removeprefix("ref: ")
        elif _COMMIT.fullmatch(left) and not name.endswith("^{}"):
            refs[name] = left
    return Listing(refs, default)


def choose(wanted: Wanted, listing: Listing, pushed: str = "") -> str | None:
    """The full name that is meant, None when the server has no such ref.

    Args:
        wanted: What is asked for.
        listing: What the server has of it.
        pushed: The branch or tag that started the run; a pattern that it fits means it.

    Raises:
        StepFailed: a branch and a tag have that name (`type="ref_ambiguous"`).
    """
    if wanted.is_default:
        return listing.default or ("HEAD" if "HEAD" in listing.refs else None)
    if wanted.is_full_name:
        return wanted.text if wanted.text in listing.refs else None
    if wanted.is_pattern:
        return _newest(wanted, listing, pushed)
    found = [name for name in (BRANCHES + wanted.text, TAGS + wanted.text) if name in listing.refs]
    if len(found) > 1 and listing.refs[found[0]] != listing.refs[found[1]]:
        raise StepFailed(
            f"'{wanted.text}' is a branch and a tag",
            type="ref_ambiguous",
            hint=f"write {found[0]} or {found[1]}",
            retryable=False,
        )
    return found[0] if found else None


def _newest(wanted: Wanted, listing: Listing, pushed: str) -> str | None:
    is_full = wanted.text.startswith("refs/")
    fitting = {name: short_name(name) for name in listing.refs if wanted.matches(name if is_full else short_name(name))}
    if not fitting:
        return None
    for name, short in fitting.items():
        if short == pushed:
            return name
    return max(fitting, key=lambda name: (version_key(fitting[name]), name))


def short_name(name: str) -> str:
    """A branch or tag as people write it; other refs by their full name."""
    return name.removeprefix(BRANCHES).removeprefix(TAGS)


def version_key(name: str) -> list[tuple[int, int, str]]:
    """Sorts names as versions: 1.9 before 1.10, and 2.0-rc1 before 2.0."""
    words = [_word_key(word) for word in _WORDS.findall(name)]
    return [*words, (1, 0, "")]


def _word_key(word: str) -> tuple[int, int, str]:
    if word.isascii() and word.isdigit():
        return (3, int(word), "")
    return (0 if word.startswith(("-", "~")) else 2, 0, word)


def not_found(wanted: Wanted, known: Listing) -> StepFailed:
    """The error for a ref that is not there, with names that look like it."""
    names = sorted({short_name(name) for name in known.refs if name.startswith((BRANCHES, TAGS))})
    near = difflib.get_close_matches(wanted.text, names, n=3, cutoff=0.5)
    if not names:
        hint = "the repository has no branches and no tags that these credentials may read"
    elif near:
        hint = f"did you mean {join_names(near, 'or')}?"
    else:
        hint = f"it has {join_names(names[:5])}{' and more' if len(names) > 5 else ''}"
    what = f"no ref fits '{wanted.text}'" if wanted.is_pattern else f"there is no ref '{wanted.text}'"
    return StepFailed(f"{what} in the repository", type="ref_not_found", hint=hint, retryable=False)


def _expression(pattern: str) -> str:
    pieces = {"**": ".*", "*": "[^/]*", "?": "[^/]"}
    return "".join(pieces.get(piece) or re.escape(piece) for piece in re.findall(r"\*\*|[*?]|[^*?]+", pattern))
