"""The environment a step's commands get: the worker's own, without what is Prefect's and ours."""

from collections.abc import Mapping, Sequence

from prefect_wfexec.errors import UsageError
from prefect_wfexec.settings import PREFIX

_WITHHELD = ("PREFECT_", PREFIX, "TF_CLI_ARGS")
"""Prefect's settings hold its API and keys; TF_CLI_ARGS would slip arguments into an apply that were never approved.

TF_VAR_ variables stay: they are how people give terraform its values, and the saved plan pins them.
"""


class EnvironmentVariableError(UsageError):
    """A variable that no process can be given."""

    code = "environment"


def step_environment(base: Mapping[str, str], extra: Mapping[str, str], pass_env: Sequence[str] = ()) -> dict[str, str]:
    """The whole environment of a step's command.

    Args:
        base: The worker's environment.
        extra: The step's own variables; they are given as they are, whatever their names.
        pass_env: Names from `base` that are passed on although they would be withheld.

    Raises:
        EnvironmentVariableError: a name or value of `extra` is no text, or can't stand in an environment.
    """
    passed = set(pass_env)
    kept = {name: value for name, value in base.items() if name in passed or not name.startswith(_WITHHELD)}
    for name, value in extra.items():
        _check(name, value)
    return {**kept, **extra}


def protected_environment(
    base: Mapping[str, str], extra: Mapping[str, str], pass_env: Sequence[str] = ()
) -> dict[str, str]:
    """The same where only what is listed is passed on, and what no program can do without: PATH, HOME and the like.

    Raises:
        EnvironmentVariableError: as in `step_environment`.
    """
    passed = {*pass_env, *_INDISPENSABLE}
    return step_environment({name: value for name, value in base.items() if name in passed}, extra, pass_env)


_INDISPENSABLE = ("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "TERM")


def _check(name: object, value: object) -> None:
    if not isinstance(name, str) or not name or "=" in name or "\0" in name:
        raise EnvironmentVariableError(
            f"{name!r} can't be the name of an environment variable",
            hint="use letters, digits and underscores",
        )
    if not isinstance(value, str):
        raise EnvironmentVariableError(
            f"environment variable '{name}' is {type(value).__name__}, not text",
            hint="put quotes around it",
        )
    if "\0" in value:
        raise EnvironmentVariableError(
            f"environment variable '{name}' has a NUL character",
            hint="encode the value, for example in base64",
        )
    try:
        value.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise EnvironmentVariableError(
            f"environment variable '{name}' is not valid unicode text",
            hint="encode the value, for example in base64",
        ) from error
