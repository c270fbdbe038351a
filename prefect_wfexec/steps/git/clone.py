"""`git.clone`: check a commit of a repository out into the run's folder."""

import asyncio
import shutil
from collections.abc import Mapping
from pathlib import Path

from pydantic import Field

from prefect_wfexec.definition.model import JSON
from prefect_wfexec.errors import StepFailed
from prefect_wfexec.runtime.workspace import NO_WORKSPACE
from prefect_wfexec.steps.base import OutputsModel, StepContext, StepResult, StepType, WithModel
from prefect_wfexec.steps.git.addresses import Address, read_address
from prefect_wfexec.steps.git.checkout import check_out, describe, fetch, find_ref, make_repository
from prefect_wfexec.steps.git.credentials import BLOCK, read_access
from prefect_wfexec.steps.git.program import Git
from prefect_wfexec.steps.git.refs import read_ref, short_name
from prefect_wfexec.steps.git.submodules import check_out_submodules
from prefect_wfexec.steps.registry import step_type

SHORT_SHA_CHARACTERS = 7


class GitCloneWith(WithModel):
    """What to check out."""

    url: str = Field(description="The repository: https or ssh, without credentials.")
    ref: str | None = Field(
        default=None,
        description="Branch, tag, commit, `refs/pull/N/head` or a pattern such as `release/*`; the default branch when "
        "left out.",
    )
    depth: int | None = Field(default=None, ge=1, description="How many commits of history; all when left out.")
    submodules: bool = Field(default=False, description="Whether submodules are checked out too.")
    block: str | None = Field(
        default=None, min_length=1, description="The saved Git Credentials, or a Secret that holds a token."
    )


class GitCloneOutputs(OutputsModel):
    """The commit that was checked out, and where."""

    path: str = Field(description="The folder of the checkout.")
    sha: str = Field(description="The commit.")
    short_sha: str = Field(description="Its first seven digits.")
    ref: str = Field(description="The branch, tag or commit it was asked for by; of a pattern the one that it meant.")
    author: str = Field(description="Who wrote the commit.")
    message: str = Field(description="Its message.")


@step_type("git.clone", reads_only=True)
class GitClone(StepType):
    """Fetches one ref, and checks it out detached."""

    Inputs = GitCloneWith
    Outputs = GitCloneOutputs
    tools = (("git",),)
    blocks = (BLOCK,)

    async def run(self, context: StepContext) -> StepResult:
        inputs: GitCloneWith = context.inputs
        address, wanted = read_address(inputs.url), read_ref(inputs.ref)
        git = await _git(context, address)
        folder = await new_folder(context)
        try:
            name = await find_ref(git, wanted, folder, _pushed(context, address))
            sha = await _fill(git, name, folder, inputs)
            commit = await describe(git, sha, folder)
        except BaseException:
            await _remove(folder)
            raise
        ref = wanted.text if wanted.is_full_name or wanted.may_be_short_commit else short_name(name)
        short = commit.sha[:SHORT_SHA_CHARACTERS]
        return StepResult(
            outputs={
                "path": str(folder),
                "sha": commit.sha,
                "short_sha": short,
                "ref": ref,
                "author": commit.author,
                "message": commit.message,
            },
            summary=short if commit.sha.startswith(ref) else f"{ref} @ {short}",
        )

    async def restore(self, context: StepContext, outputs: Mapping[str, JSON]) -> None:
        """Check the same commit out again, where its folder is not there as it was left."""
        inputs: GitCloneWith = context.inputs
        folder, sha = _known_folder(context, outputs), str(outputs["sha"])
        git = await _git(context, read_address(inputs.url))
        if await _is_there(git, folder, sha):
            return
        await _clear(folder)
        try:
            await _fill(git, sha, folder, inputs)
        except BaseException:
            await _remove(folder)
            raise


async def _remove(folder: Path) -> None:
    """Take a folder away, however much is in it, also when the step is being stopped."""
    await asyncio.shield(asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True))


async def _git(context: StepContext, address: Address) -> Git:
    inputs: GitCloneWith = context.inputs
    access = await read_access(inputs.block)
    access.hide(context.masker)
    git = Git(context, address, access)
    await git.check_version()
    return git


async def _fill(git: Git, name: str, folder: Path, inputs: GitCloneWith) -> str:
    """Fetch and check out; the commit."""
    await make_repository(git, folder)
    sha = await fetch(git, name, folder, inputs.depth)
    await check_out(git, sha, folder)
    if inputs.submodules:
        count = await check_out_submodules(git, folder, inputs.depth)
        git.context.log.system(f"{count} submodules")
    return sha


async def new_folder(context: StepContext) -> Path:
    """The empty folder of the run that a commit is checked out into.

    Raises:
        StepFailed: the run has none.
    """
    if context.workspace is NO_WORKSPACE:
        raise StepFailed("the run has no folder to check out into", type="no_workspace", retryable=False)
    folder = context.workspace.folder(context.step.id)
    await _clear(folder)
    return folder


async def _clear(folder: Path) -> None:
    """Take away what an earlier attempt left."""
    await _remove(folder)
    await asyncio.to_thread(folder.mkdir, mode=0o700, parents=True)


def _known_folder(context: StepContext, outputs: Mapping[str, JSON]) -> Path:
    folder = Path(str(outputs["path"]))
    root = context.workspace.root
    if ".." in folder.parts or folder == root or not folder.is_relative_to(root):
        raise StepFailed(
            f"the checkout '{folder}' is not in the run's folder '{root}'", type="no_workspace", retryable=False
        )
    return folder


async def _is_there(git: Git, folder: Path, sha: str) -> bool:
    if not (folder / ".git").is_dir():
        return False
    said = await git.ask("rev-parse", "--verify", "HEAD", folder=folder)
    return said.exit_code == 0 and said.text.strip() == sha


def _pushed(context: StepContext, address: Address) -> str:
    """The branch or tag of this repository whose push started the run; empty when something else did."""
    trigger = context.trigger
    repository = trigger.get("repository")
    if not isinstance(repository, str) or not repository or trigger.get("pull_request"):
        return ""
    path = address.path.removesuffix("/").removesuffix(".git").casefold()
    if not f"/{path}".endswith(f"/{repository.casefold()}"):
        return ""
    name = trigger.get("branch") or trigger.get("tag")
    return name if isinstance(name, str) else ""
