"""What the events of git servers have in common."""

from collections.abc import Iterable

from prefect_wfexec.definition.model import JSON
from prefect_wfexec.triggers import payloads

FACTS = (
    "repository",
    "branch",
    "tag",
    "commit",
    "short_commit",
    "before",
    "author",
    "author_email",
    "message",
    "url",
    "compare",
    "pull_request",
    "release",
    "workflow_run",
)
"""What `trigger` has for every event of a git server, null where the event has none."""
SHORT_COMMIT_CHARACTERS = 7
_BRANCH, _TAG = "refs/heads/", "refs/tags/"


def git_facts(**known: JSON) -> dict[str, JSON]:
    """Every fact, those that are not known null."""
    commit = known.get("commit")
    return dict.fromkeys(FACTS) | {"short_commit": short(commit)} | known


def short(commit: JSON) -> str | None:
    """A commit as people write it."""
    return commit[:SHORT_COMMIT_CHARACTERS] if isinstance(commit, str) else None


def is_none(commit: str | None) -> bool:
    """Whether it stands for no commit: git servers send zeros."""
    return not commit or not commit.strip("0")


def branch_and_tag(ref: str | None) -> tuple[str | None, str | None]:
    """The branch or the tag that a full ref names."""
    if ref is None:
        return None, None
    branch = ref.removeprefix(_BRANCH) if ref.startswith(_BRANCH) else None
    return branch, ref.removeprefix(_TAG) if ref.startswith(_TAG) else None


def at_commit(where: str | None, commit: str | None) -> str:
    """E.g. `main @ abc1234`."""
    return " @ ".join(part for part in (where, short(commit)) if part)


def push_text(branch: str | None, tag: str | None, commit: str | None) -> str:
    """What the history shows of a push."""
    return f"Git Tag ({at_commit(tag, commit)})" if tag else f"Git Push ({at_commit(branch, commit)})"


def commit_facts(commit: JSON) -> dict[str, JSON]:
    """What is known of the commit that an event is about."""
    return {
        "author": payloads.text(commit, "author", "name"),
        "author_email": payloads.text(commit, "author", "email"),
        "message": payloads.first_line(commit, "message"),
        "url": payloads.link(commit, "url"),
    }


def changed_paths(commits: Iterable[JSON], most: int) -> tuple[str, ...] | None:
    """The files that commits add, change and remove; None when a list is so long that it may have been cut."""
    found: set[str] = set()
    for commit in commits:
        for key in ("added", "modified", "removed"):
            names = payloads.listed(commit, key)
            if len(names) >= most:
                return None
            found |= {name for name in names if isinstance(name, str)}
    return tuple(sorted(found))
