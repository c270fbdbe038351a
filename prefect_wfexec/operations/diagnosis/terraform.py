"""Which terraform the steps would use, and whether it starts."""

import json
import os
import subprocess

from prefect_wfexec.errors import StepFailed
from prefect_wfexec.operations.diagnosis.finding import Finding, Level
from prefect_wfexec.runtime.environment import step_environment
from prefect_wfexec.settings import TERRAFORM
from prefect_wfexec.steps.terraform.binary import INSTALL_HINT, Program, binary

VERSION_SECONDS = 30.0


def terraform_finding() -> Finding:
    """The program and its version; no terraform is a warning only, for many workflows need none."""
    try:
        program = binary()
    except StepFailed as missing:
        level: Level = "error" if TERRAFORM.read() else "warning"
        return Finding("terraform", level, missing.message, missing.hint or "")
    path = program.argv[-1]
    try:
        return Finding("terraform", "ok", f"{program.name} {_version(program)}: {path}")
    except (OSError, ValueError, KeyError, TypeError, subprocess.SubprocessError) as fault:
        reason = " ".join(str(fault).split())
        return Finding("terraform", "error", f"{path} does not tell its version: {reason}", INSTALL_HINT)


def _version(program: Program) -> str:
    ended = subprocess.run(
        [*program.argv, "version", "-json"],
        check=True,
        capture_output=True,
        env=step_environment(os.environ, {"CHECKPOINT_DISABLE": "1"}),
        stdin=subprocess.DEVNULL,
        timeout=VERSION_SECONDS,
    )
    return str(json.loads(ended.stdout)["terraform_version"])
