"""`shell`: run a script with bash, sh or python."""

import os
import shutil
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import ConfigDict, Field

from prefect_wfexec.errors import StepFailed
from prefect_wfexec.runtime.command import CommandResult
from prefect_wfexec.steps.base import OutputsModel, StepContext, StepResult, StepType, WithModel
from prefect_wfexec.steps.checking import CheckContext, Problem
from prefect_wfexec.steps.registry import step_type
from prefect_wfexec.steps.sensitive import secret_paths
from prefect_wfexec.steps.shell.output_file import read_output_file

Shell = Literal["bash", "sh", "python"]
ERROR_LINES = 5
"""How many last lines of output the error message repeats."""
_EXTENSIONS = {"bash": ".sh", "sh": ".sh", "python": ".py"}


class ShellWith(WithModel):
    """How the script of `run` is run."""

    shell: Shell = Field(default="bash", description="What runs the script: bash and sh stop at the first error.")
    dir: str = Field(default=".", description="The folder it runs in.")


class ShellOutputs(OutputsModel):
    """The exit code and output; the script adds its own by writing to `$WFEXEC_OUTPUT`."""

    model_config = ConfigDict(extra="allow")

    exit_code: int = Field(description="The script's exit code: 0, since any other fails the step.")
    stdout: str = Field(description="The last 64 KiB of normal output, masked.")


@step_type("shell", open_outputs=True, accepts_run=True)
class ShellStep(StepType):
    """Runs the step's `run` as a script of its own."""

    Inputs = ShellWith
    Outputs = ShellOutputs

    async def check(self, context: CheckContext) -> list[Problem]:
        shell = context.known.get("shell")
        if shell not in {"bash", "sh"} or shutil.which(shell, path=context.env.get("PATH", os.environ.get("PATH"))):
            return []
        return [Problem(f"no program '{shell}' is on PATH", "install it, or choose another `shell`")]

    async def run(self, context: StepContext) -> StepResult:
        script, folder = _script(context), _folder(context)
        output_file = _make_output_file(context.scratch)
        env = {**context.env, **_variables(context, output_file), **(await self.variables(context))}
        try:
            result = await _run_script(script, folder, env, context)
            if result.exit_code != 0:
                raise _failure(result, output_file, context)
            written = _read_outputs(output_file, context)
        finally:
            output_file.unlink(missing_ok=True)
        return StepResult(
            outputs={"exit_code": 0, "stdout": context.stdout_tail(), **written},
            sensitive=secret_paths(written, context.masker),
        )

    async def variables(self, context: StepContext) -> Mapping[str, str]:
        """What a kind of script learns beside what every script does."""
        del context
        return {}


def _script(context: StepContext) -> str:
    script = context.step.run
    if script is None or not script.strip():
        raise StepFailed(
            f"step '{context.step.id}' has nothing to run",
            type="missing_script",
            retryable=False,
            hint="give it `run: …`",
        )
    return script


def _folder(context: StepContext) -> Path:
    inputs: ShellWith = context.inputs
    folder = context.folder / inputs.dir
    if not folder.is_dir():
        problem = "is not a folder" if folder.exists() else "does not exist"
        raise StepFailed(
            f"the folder '{inputs.dir}' of step '{context.step.id}' {problem} in {context.folder}",
            type="missing_path",
            retryable=False,
            hint="`dir` starts at the definition's folder",
        )
    return folder.resolve()


def _make_output_file(scratch: Path) -> Path:
    path = scratch / "output"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    os.close(descriptor)
    return path


def _variables(context: StepContext, output_file: Path) -> dict[str, str]:
    return {
        "WFEXEC_OUTPUT": str(output_file),
        "WFEXEC_WORKSPACE": str(context.workspace.make()),
        "WFEXEC_RUN_ID": context.run.id,
        "WFEXEC_RUN_NAME": context.run.name,
        "WFEXEC_WORKFLOW": context.run.workflow,
        "WFEXEC_STEP": context.step.id,
        "WFEXEC_ATTEMPT": str(context.attempt),
    }


async def _run_script(script: str, folder: Path, env: dict[str, str], context: StepContext) -> CommandResult:
    from prefect_wfexec.steps.shell.operation import SupervisedShellOperation

    shell: Shell = context.inputs.shell
    operation = SupervisedShellOperation(
        commands=[script], env=env, working_dir=folder, shell=shell, extension=_EXTENSIONS[shell]
    )
    async with operation.prepare(_interpreter(shell, env), context.scratch):
        return await operation.arun_supervised(context.command)


def _interpreter(shell: Shell, env: Mapping[str, str]) -> list[str]:
    if shell == "bash":
        return ["bash", "--noprofile", "--norc", "-eo", "pipefail"]
    if shell == "sh":
        return ["sh", "-e"]
    python = shutil.which("python3", path=env.get("PATH", os.environ.get("PATH")))
    return [python or sys.executable, "-u"]


def _read_outputs(output_file: Path, context: StepContext) -> dict[str, str]:
    try:
        return read_output_file(output_file)
    except StepFailed as error:
        error.message = context.masker.mask(error.message)
        error.args = (error.message,)
        error.exit_code = 0
        error.tail = context.tail()
        error.outputs = {"exit_code": 0, "stdout": context.stdout_tail(), **error.outputs}
        raise


def _failure(result: CommandResult, output_file: Path, context: StepContext) -> StepFailed:
    tail = context.tail()
    outputs: dict[str, object] = {"exit_code": result.exit_code, "stdout": context.stdout_tail()}
    try:
        outputs.update(read_output_file(output_file))
    except StepFailed as error:
        context.log.system(context.masker.mask(error.message))
        outputs.update(error.outputs)
    return StepFailed(
        _message(result, tail),
        type=_failure_type(result),
        exit_code=result.exit_code,
        tail=tail,
        outputs=outputs,
    )


def _failure_type(result: CommandResult) -> str:
    if result.exit_code is not None:
        return "exit_code"
    return "signal" if result.signal is not None else "outcome_unknown"


def _message(result: CommandResult, tail: str) -> str:
    if result.exit_code is not None:
        ending = f"the script ended with exit code {result.exit_code}"
    elif result.signal is not None:
        ending = f"the script was ended by {_signal_name(result.signal)}"
    else:
        ending = "how the script ended is not known"
    last = tail.rstrip().splitlines()[-ERROR_LINES:]
    return "\n".join([ending + (":" if last else ""), *last])


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
