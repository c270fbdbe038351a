"""Where a Terraform step finds its folder and files, and the variables its commands run with."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from prefect_wfexec.definition.model import JSON
from prefect_wfexec.errors import StepFailed
from prefect_wfexec.steps.base import StepContext

FIXED_ENVIRONMENT = {"TF_IN_AUTOMATION": "1", "CHECKPOINT_DISABLE": "1", "TF_INPUT": "0"}
DEFAULT_WORKSPACE = "default"


def configuration_folder(context: StepContext, given: str) -> Path:
    """The folder `dir` means.

    Raises:
        StepFailed: it is not there or no folder (`type="missing_path"`).
    """
    folder = _absolute(context.folder, given)
    if folder.is_dir():
        return folder
    state = "is not a folder" if folder.exists() else "does not exist"
    raise StepFailed(
        f"the terraform folder '{folder}' {state} (dir: '{given}')",
        type="missing_path",
        hint=f"correct `dir`; it starts at the definition's folder, '{context.folder}'",
    )


def portable(context: StepContext, folder: Path) -> str:
    """The folder as another machine finds it: relative to the definition's folder when it lies inside."""
    start = _absolute(context.folder, ".")
    return folder.relative_to(start).as_posix() if folder.is_relative_to(start) else str(folder)


def files_named(context: StepContext, folder: Path, names: Sequence[str], key: str) -> list[Path]:
    """The files that `var_files` or `backend_config` name: from the definition's folder, else from `dir`.

    Raises:
        StepFailed: one of them is not there (`type="missing_path"`).
    """
    return [_file_named(context, folder, name, key) for name in names]


def _file_named(context: StepContext, folder: Path, name: str, key: str) -> Path:
    places = list(dict.fromkeys(_absolute(start, name) for start in (context.folder, folder)))
    for place in places:
        if place.is_file():
            return place
    tried = " nor ".join(f"'{place}'" for place in places)
    raise StepFailed(
        f"{key} names '{name}', but there is no file {tried}",
        type="missing_path",
        hint=f"correct `{key}`; paths start at the definition's folder or at `dir`",
    )


def environment(context: StepContext, *, workspace: str | None, data_folder: str | None) -> dict[str, str]:
    """The variables a terraform command gets on top of the step's environment.

    An empty value stands for a variable that terraform is not to see: it treats both alike.
    """
    outer = outer_environment(context)
    env = {**context.env, **FIXED_ENVIRONMENT}
    env |= dict.fromkeys((name for name in outer if name.startswith("TF_CLI_ARGS")), "")
    config_file = outer.get("TF_CLI_CONFIG_FILE")
    if config_file and not os.access(config_file, os.R_OK):
        env["TF_CLI_CONFIG_FILE"] = ""
    if workspace is not None:
        env["TF_WORKSPACE"] = workspace
    if data_folder is not None:
        env["TF_DATA_DIR"] = data_folder
    return env


def outer_environment(context: StepContext) -> Mapping[str, str]:
    """What the step's commands inherit: the process's variables, then the step's own."""
    return {**os.environ, **context.env}


def data_folder(context: StepContext, folder: Path, backend: JSON = None) -> Path:
    """Where terraform keeps what `init` makes.

    With a backend configuration of its own a step gets a data folder of its own: two steps with different backends in
    one folder would otherwise find each other's backend in the shared one and plan against the wrong state.
    """
    base = _absolute(folder, outer_environment(context).get("TF_DATA_DIR") or ".terraform")
    if not backend:
        return base
    spelled = json.dumps(backend, sort_keys=True).encode()
    return base / f"wfexec-{hashlib.sha256(spelled).hexdigest()[:16]}"


def only_private_data_folder(base: Path) -> Path | None:
    """The one data folder that a plan with a backend configuration has made here, when there is exactly one."""
    if (base / "terraform.tfstate").exists():
        return None
    found = sorted(base.glob("wfexec-*"))
    return found[0] if len(found) == 1 else None


def selected_workspace(data: Path) -> str:
    """The workspace terraform uses when nothing names one."""
    try:
        name = (data / "environment").read_text("utf-8").strip()
    except OSError:
        return DEFAULT_WORKSPACE
    return name or DEFAULT_WORKSPACE


def _absolute(start: Path, name: str) -> Path:
    return Path(os.path.normpath(Path.cwd() / start / name))
