"""What a step's commands get of the worker's environment."""

import pytest

from prefect_wfexec.errors import UsageError
from prefect_wfexec.runtime.environment import protected_environment, step_environment

BASE = {
    "PATH": "/bin",
    "VIRTUAL_ENV": "/venv",
    "TF_VAR_region": "eu",
    "TF_CLI_ARGS": "-x",
    "TF_CLI_ARGS_plan": "-target=a",
    "PREFECT_API_KEY": "key",
    "PREFECT_INTEGRATIONS_WFEXEC_SECRET_KEY": "key",
    "AWS_PROFILE": "p",
}


def test_prefects_and_our_variables_are_withheld() -> None:
    assert step_environment(BASE, {"A": "1"}) == {
        "PATH": "/bin",
        "VIRTUAL_ENV": "/venv",
        "TF_VAR_region": "eu",
        "AWS_PROFILE": "p",
        "A": "1",
    }


def test_listed_variables_are_passed_and_the_steps_own_win() -> None:
    environment = step_environment(BASE, {"PATH": "/mine"}, ["PREFECT_API_KEY", "NOT_SET"])
    assert environment["PREFECT_API_KEY"] == "key"
    assert environment["PATH"] == "/mine"
    assert "NOT_SET" not in environment


def test_a_protected_environment_gets_what_is_listed_only() -> None:
    assert protected_environment(BASE, {"A": "1"}, ["AWS_PROFILE"]) == {"PATH": "/bin", "AWS_PROFILE": "p", "A": "1"}


@pytest.mark.parametrize(
    ("name", "value"), [("A", "x\0y"), ("A", 1), ("A", None), ("", "x"), ("A=B", "x"), ("A\0", "x"), ("A", "\ud800")]
)
def test_what_no_process_can_be_given_is_refused_with_its_name(name: str, value: object) -> None:
    with pytest.raises(UsageError) as caught:
        step_environment({}, {name: value})  # type: ignore[dict-item]
    assert repr(name) in caught.value.message
    assert caught.value.hint
