"""Checks out submodules; their URLs are looked at first, for what a repository says of others is text from outside."""

from dataclasses import dataclass
from pathlib import Path

from prefect_wfexec import settings
from prefect_wfexec.errors import StepFailed
from prefect_wfexec.steps.git.addresses import Address, read_address, shown
from prefect_wfexec.steps.git.program import Git

MOST_SUBMODULES = 200
DEEPEST = 8
_LINK_MODE = "160000"


@dataclass(slots=True)
class _Count:
    left: int = MOST_SUBMODULES


async def check_out_submodules(git: Git, folder: Path, depth: int | None) -> int:
    """Check out every submodule, those of submodules too; how many there were.

    Raises:
        StepFailed: one comes from where none may come from (`type="submodule_refused"`), or can't be had.
    """
    count = _Count()
    await _descend(git, folder, folder, depth, count, DEEPEST)
    return MOST_SUBMODULES - count.left


async def _descend(git: Git, top: Path, folder: Path, depth: int | None, count: _Count, levels: int) -> None:
    paths = await _links(git, folder)
    if not paths:
        return
    count.left -= len(paths)
    if count.left < 0 or levels == 0:
        raise _refused(f"there are more than {MOST_SUBMODULES}, or more than {DEEPEST} inside of each other")
    doing = "read the submodules of"
    await git.run("submodule", "--quiet", "init", folder=folder, doing=doing)
    for name, url in await _urls(git, folder):
        _check(name, url, git.address)
    inner = [_inside(top, folder / path) for path in paths]
    options = ["--checkout", "--force", *([f"--depth={depth}"] if depth else [])]
    await git.run("submodule", "--quiet", "update", *options, folder=folder, doing="check out the submodules of")
    for path in inner:
        if (path / ".git").exists():
            await _descend(git, top, path, depth, count, levels - 1)


def _inside(top: Path, path: Path) -> Path:
    """The path with links followed, which must not lead out of the checkout."""
    resolved = path.resolve()
    if path.is_symlink() or not resolved.is_relative_to(top.resolve()):
        raise _refused(f"{str(path.relative_to(top))!a} leads out of the checkout")
    return resolved


async def _links(git: Git, folder: Path) -> list[str]:
    """The paths of the commit's submodules."""
    text = await git.run("ls-files", "--stage", "-z", folder=folder, doing="list the files of")
    entries = (entry.partition("\t") for entry in text.split("\0") if entry)
    return [path for head, _, path in entries if head.startswith(f"{_LINK_MODE} ")]


async def _urls(git: Git, folder: Path) -> list[tuple[str, str]]:
    """The submodules' names and URLs, as git has made them absolute."""
    said = await git.ask("config", "--local", "--null", "--get-regexp", r"^submodule\..*\.url$", folder=folder)
    pairs = (entry.partition("\n") for entry in said.text.split("\0") if entry)
    return [(key.removeprefix("submodule.").removesuffix(".url"), url) for key, _, url in pairs]


def _check(name: str, url: str, parent: Address) -> None:
    try:
        address = read_address(url)
    except StepFailed as refused:
        raise _refused(f"{name!a}: {refused.message}") from None
    hosts = {item.lower() for item in settings.GIT_SUBMODULE_HOSTS.read_list()}
    if address.host != parent.host and not {address.host, "*"} & hosts:
        raise _refused(
            f"{name!a} comes from '{shown(url)}', another host than its repository",
            f"if that is meant, list '{address.host}' in {settings.GIT_SUBMODULE_HOSTS.variable}",
        )
    if address.scheme in {"file", "http"} and address.scheme != parent.scheme:
        raise _refused(f"{name!a} comes from '{shown(url)}', and its repository came by {parent.scheme}")


def _refused(what: str, hint: str = "leave `submodules` out, or mend the repository's .gitmodules") -> StepFailed:
    return StepFailed(f"submodules are refused: {what}", type="submodule_refused", hint=hint, retryable=False)
