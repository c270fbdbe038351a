"""What is built, looked at before anything starts: folders that are there, names that are no options."""

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from prefect_wfexec.errors import StepFailed, join_names
from prefect_wfexec.steps.base import StepContext
from prefect_wfexec.steps.image.models import ImageBuildWith
from prefect_wfexec.steps.image.names import ImageName, read_name

DOCKERFILES = ("Dockerfile", "Containerfile")
MAX_LABEL = 4096
_PLATFORM = re.compile(r"[a-z0-9]+(/[a-z0-9]+){1,2}")
_TARGET = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
_ARGUMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._/-]{0,126}[A-Za-z0-9])?")
_OF_TOOLS = re.compile(
    r"PATH|HOME|USER|LOGNAME|SHELL|TMPDIR|BASH_ENV|GODEBUG|GOTRACEBACK|GOMAXPROCS|GOGC|GOMEMLIMIT|GOCOVERDIR"
    r"|(LD|XDG|BUILDAH|BUILDKIT|BUILDX|CONTAINER|CONTAINERS|_CONTAINERS|DOCKER|PODMAN|STORAGE|REGISTRY|SSL|DBUS)_.*"
)
"""Variables that builders themselves heed: an argument of that name would lead them elsewhere."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What is built.

    Attributes:
        folder: The build context.
        file: The Dockerfile.
        name: The image's name.
        platform: Empty for the worker's.
        target: The stage, empty for the last.
        args: Build arguments; builders take their values from the environment.
        labels: Labels of the image.
    """

    folder: Path
    file: Path
    name: ImageName
    platform: str = ""
    target: str = ""
    args: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)


def read_recipe(context: StepContext) -> Recipe:
    """The recipe of a step.

    Raises:
        StepFailed: something is missing (`missing_path`, `missing_dockerfile`) or refused (`image_name`,
            `build_option`).
    """
    inputs: ImageBuildWith = context.inputs
    name = read_name(inputs.tag)
    if name.digest:
        raise _refused("the tag of an image that is built can't have a digest")
    _check_options(inputs)
    _check_labels(inputs.labels, context)
    folder = _folder(context, inputs.context)
    file = _dockerfile(context, folder, inputs.file)
    platform, target = inputs.platform or "", inputs.target or ""
    return Recipe(folder, file, name, platform, target, dict(inputs.args), dict(inputs.labels))


def _check_options(inputs: ImageBuildWith) -> None:
    if inputs.platform and not _PLATFORM.fullmatch(inputs.platform):
        raise _refused(f"{inputs.platform[:80]!a} is no platform", "write one, such as linux/amd64")
    if inputs.target and not _TARGET.fullmatch(inputs.target):
        raise _refused(f"{inputs.target[:80]!a} is no stage", "write the name behind AS in the Dockerfile")
    for argument, value in inputs.args.items():
        if not _ARGUMENT.fullmatch(argument) or "\0" in value:
            raise _refused(
                f"the build argument {argument[:80]!a} can't be given", "use letters, digits and underscores"
            )
        if _OF_TOOLS.fullmatch(argument):
            raise _refused(f"a build argument can't be named '{argument}': builders heed it themselves", "rename it")


def _check_labels(labels: Mapping[str, str], context: StepContext) -> None:
    for label, value in labels.items():
        is_plain = all(character.isprintable() or character in "\n\t" for character in value)
        if not _LABEL.fullmatch(label) or not is_plain or len(value) > MAX_LABEL:
            raise _refused(f"the label {label[:80]!a} can't be given", "labels are short names with plain text")
        if context.masker.mask(value) != value:
            raise _refused(f"the label '{label}' holds a secret, and everybody who has the image reads labels")


def _folder(context: StepContext, given: str) -> Path:
    folder = context.folder / given
    if not folder.is_dir():
        problem = "is not a folder" if folder.exists() else "does not exist"
        raise StepFailed(
            f"the build context '{given}' {problem}",
            type="missing_path",
            hint=f"it starts at {context.folder}; of a clone, write ${{{{ steps.<id>.outputs.path }}}}",
            retryable=False,
        )
    return folder.resolve()


def _dockerfile(context: StepContext, folder: Path, given: str | None) -> Path:
    names = (given,) if given is not None else DOCKERFILES
    found = next((folder / name for name in names if (folder / name).is_file()), None)
    if found is None:
        raise _missing(folder, names[0])
    file, root = found.resolve(), _root(context, folder)
    if not file.is_relative_to(root):
        raise _refused(f"the Dockerfile '{names[0]}' leads out of {root}", "keep it with what it builds")
    return file


def _root(context: StepContext, folder: Path) -> Path:
    """What a Dockerfile has to be in: the checkout of its context, or the definition's folder, or the context."""
    workspace, home = context.workspace.root.resolve(), context.folder.resolve()
    if folder.is_relative_to(workspace) and folder != workspace:
        return workspace / folder.relative_to(workspace).parts[0]
    return home if folder.is_relative_to(home) else folder


def _missing(folder: Path, name: str) -> StepFailed:
    names = sorted(path.name for path in folder.iterdir() if path.is_file())
    near = difflib.get_close_matches(name, names) or [known for known in names if "file" in known.lower()][:3]
    hint = f"did you mean {join_names(near, 'or')}?" if near else "name it with `file`, from the context's folder"
    return StepFailed(f"there is no '{name}' in {folder}", type="missing_dockerfile", hint=hint, retryable=False)


def _refused(message: str, hint: str | None = None) -> StepFailed:
    return StepFailed(message, type="build_option", hint=hint, retryable=False)
