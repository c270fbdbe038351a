"""Opens a terraform session from what a step was given, secrets masked before anything runs."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from prefect_wfexec.definition.model import JSON
from prefect_wfexec.errors import StepFailed, join_names
from prefect_wfexec.steps.base import StepContext
from prefect_wfexec.steps.terraform.places import data_folder, files_named, outer_environment
from prefect_wfexec.steps.terraform.planfile import write_private
from prefect_wfexec.steps.terraform.sensitive import names_declared_sensitive, output_secrets, values_of
from prefect_wfexec.steps.terraform.session import Session

Backend = Mapping[str, JSON] | Sequence[str]


def open_session(
    context: StepContext, folder: Path, *, workspace: str | None = None, backend: Backend = (), data: Path | None = None
) -> Session:
    """A session in `folder`.

    Args:
        context: The step's context.
        folder: The folder of the configuration.
        workspace: The workspace; None for TF_WORKSPACE or the selected one.
        backend: Settings for the backend, or files with them; they reach terraform through files, never through the
            command line, since they may be secret.
        data: The data folder, when it is not the one that belongs to `backend`.

    Raises:
        StepFailed: no terraform, or a backend file is missing.
    """
    arguments: tuple[str, ...] = ()
    if backend and isinstance(backend, Mapping):
        arguments = (str(write_private(context.scratch / "backend.json", json.dumps(dict(backend)).encode())),)
    elif backend:
        arguments = tuple(str(path) for path in files_named(context, folder, list(backend), "backend_config"))
    return Session(
        context,
        folder,
        data or data_folder(context, folder, backend if isinstance(backend, Mapping) else list(backend)),
        workspace=workspace or outer_environment(context).get("TF_WORKSPACE") or None,
        backend_arguments=arguments,
        is_private=bool(backend) or data is not None,
    )


def variable_files(
    context: StepContext, folder: Path, names: Sequence[str], variables: Mapping[str, JSON]
) -> list[Path]:
    """The files for `-var-file`, `vars` last so that they win; values called sensitive are masked from here on.

    Raises:
        StepFailed: a file of `var_files` is not there.
    """
    files = files_named(context, folder, names, "var_files")
    context.masker.add(*values_of(names_declared_sensitive(folder), variables))
    if variables:
        files.append(write_private(context.scratch / "vars.tfvars.json", json.dumps(dict(variables)).encode()))
    return files


def require_declared(plan: Mapping[str, object], variables: Mapping[str, JSON]) -> None:
    """Refuse values for variables that the configuration does not declare.

    Raises:
        StepFailed: there is one (`type="undeclared_variable"`).
    """
    configuration = plan.get("configuration")
    root = configuration.get("root_module") if isinstance(configuration, dict) else None
    declared = root.get("variables", {}) if isinstance(root, dict) else {}
    unknown = sorted(set(variables) - set(declared))
    if unknown:
        has = f"it declares {join_names(sorted(declared))}" if declared else "it declares none"
        raise StepFailed(
            f"`vars` names {join_names(unknown)}, which the terraform configuration does not declare; {has}",
            type="undeclared_variable",
            hint="correct the name, or add a `variable` block to the configuration",
        )


def read_values(context: StepContext, output: bytes) -> tuple[dict[str, JSON], frozenset[tuple[str, ...]]]:
    """The values of `output -json` and the paths of the secret ones, which are masked from here on.

    Raises:
        ValueError: it is not what `output -json` prints.
    """
    outputs = json.loads(output)
    if not isinstance(outputs, dict):
        raise TypeError("not an object")
    context.masker.add(*output_secrets(outputs))
    values = {name: output.get("value") for name, output in outputs.items()}
    secret = {name for name, output in outputs.items() if output.get("sensitive") is not False}
    return values, frozenset(("values", name) for name in secret)
