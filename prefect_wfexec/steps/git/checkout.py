"""Finds the commit that is meant, fetches it and checks it out."""

import re
from dataclasses import dataclass
from pathlib import Path

from prefect_wfexec.errors import StepFailed
from prefect_wfexec.runtime.ansi import strip_ansi
from prefect_wfexec.steps.git.failures import failure
from prefect_wfexec.steps.git.program import Git
from prefect_wfexec.steps.git.refs import BRANCHES, TAGS, Wanted, choose, not_found, read_listing, short_name

MAX_MESSAGE = 10_000
"""Characters of a commit's message that become an output."""
EVERYTHING = (f"+{BRANCHES}*:refs/remotes/origin/*", f"+{TAGS}*:{TAGS}*")
_NO_SUCH_COMMIT = re.compile(r"not our ref|unadvertised object|couldn't find remote ref|no such remote ref")


@dataclass(frozen=True, slots=True)
class Commit:
    """The commit that was checked out."""

    sha: str
    author: str
    message: str


async def find_ref(git: Git, wanted: Wanted, folder: Path, pushed: str = "") -> str:
    """What is to be fetched: a full ref, or a commit.

    Args:
        git: The program.
        wanted: What is asked for.
        folder: Where git runs.
        pushed: The branch or tag that started the run.

    Raises:
        StepFailed: the repository can't be read, or has no such ref.
    """
    if wanted.is_commit:
        return wanted.text
    listing = read_listing(await _list(git, folder, "--symref", questions=wanted.questions))
    chosen = choose(wanted, listing, pushed)
    if chosen is not None:
        return chosen
    if wanted.may_be_short_commit:
        return wanted.text
    everything = read_listing(await _list(git, folder, "--heads", "--tags", questions=[]))
    if wanted.is_default and not everything.refs:
        raise StepFailed(
            "the repository is empty", type="ref_not_found", hint="push a first commit to it", retryable=False
        )
    raise not_found(wanted, everything)


async def _list(git: Git, folder: Path, *options: str, questions: list[str]) -> str:
    return await git.run(
        "ls-remote", "--quiet", *options, "--", git.address.text, *questions, folder=folder, doing="list the refs of"
    )


async def make_repository(git: Git, folder: Path) -> None:
    """An empty repository in the folder, which knows where it comes from."""
    await git.run("init", "--quiet", "--initial-branch=main", "--", ".", folder=folder, doing="make a folder for")
    await git.run("remote", "add", "--", "origin", git.address.text, folder=folder, doing="make a folder for")


async def fetch(git: Git, name: str, folder: Path, depth: int | None) -> str:
    """Fetch a ref or a commit; the commit it is.

    Raises:
        StepFailed: the repository has no such commit, or can't be read.
    """
    if not name.startswith("refs/") and name != "HEAD":
        return await _fetch_commit(git, name, folder, depth)
    await git.run(*_fetching(depth), f"+{name}:{_local(name)}", folder=folder, doing="fetch from")
    return await _commit(git, _local(name), folder)


async def _fetch_commit(git: Git, sha: str, folder: Path, depth: int | None) -> str:
    if Wanted(sha).is_commit:
        said = await git.ask(*_fetching(depth), sha, folder=folder)
        if said.exit_code == 0:
            return await _commit(git, sha, folder)
        if not _NO_SUCH_COMMIT.search(said.errors):
            raise failure(git.context, git.address, said, "fetch from")
        git.context.log.system("the server gives no commit by its number: fetching every branch and tag")
    await git.run(*_fetching(None), *EVERYTHING, folder=folder, doing="fetch from")
    said = await git.ask("rev-parse", "--quiet", "--verify", f"{sha}^{{commit}}", folder=folder)
    if said.exit_code != 0:
        raise StepFailed(
            f"there is no commit '{sha}' in the repository",
            type="ref_not_found",
            hint="it is on no branch or tag, or several commits begin like this: write it in full",
            retryable=False,
        )
    return said.text.strip()


def _fetching(depth: int | None) -> list[str]:
    options = ["--quiet", "--no-tags", "--force", "--no-recurse-submodules", "--no-auto-maintenance"]
    return ["fetch", *options, *([f"--depth={depth}"] if depth else []), "--", "origin"]


def _local(name: str) -> str:
    if name.startswith(TAGS):
        return name
    return f"refs/remotes/origin/{short_name(name).removeprefix('refs/')}"


async def _commit(git: Git, name: str, folder: Path) -> str:
    text = await git.run("rev-parse", "--verify", f"{name}^{{commit}}", folder=folder, doing="read a commit of")
    return text.strip()


async def check_out(git: Git, sha: str, folder: Path) -> None:
    """Put the commit's files into the folder."""
    await git.run("checkout", "--quiet", "--force", "--detach", sha, folder=folder, doing="check out")


async def describe(git: Git, sha: str, folder: Path) -> Commit:
    """Who made the commit, and why."""
    form = "--format=%H%x00%an <%ae>%x00%B"
    text = await git.run(
        "show", "--no-patch", "--no-show-signature", "--no-color", form, sha, folder=folder, doing="read a commit of"
    )
    number, author, message = text.split("\0", 2)
    mask = git.context.masker.mask
    plain = strip_ansi(message).replace("\r", "").strip()[:MAX_MESSAGE]
    return Commit(number, mask(strip_ansi(author).strip()), mask(plain))
