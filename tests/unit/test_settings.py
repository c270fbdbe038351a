"""Settings, read from the environment."""

import re
from collections.abc import Mapping

import pytest

from prefect_wfexec import settings
from prefect_wfexec.settings import ALL, HTTP_ALLOW, PREFIX, USER, Setting


def test_every_setting_is_listed_once_and_described() -> None:
    declared = [value for value in vars(settings).values() if isinstance(value, Setting)]
    assert sorted(one.name for one in declared) == sorted(one.name for one in ALL)
    assert len({one.name for one in ALL}) == len(ALL)
    for one in ALL:
        assert re.fullmatch(r"[A-Z][A-Z_]*[A-Z]", one.name)
        assert one.description
        assert not one.description.endswith(".")
        assert one.variable == f"{PREFIX}{one.name}"


def test_a_key_is_never_shown() -> None:
    assert [one.name for one in ALL if one.is_secret] == ["SECRET_KEY", "DATABASE_URL"]


@pytest.mark.parametrize(
    ("environ", "value"),
    [
        ({}, "fallback"),
        ({"PREFECT_INTEGRATIONS_WFEXEC_X": ""}, "fallback"),
        ({"PREFECT_INTEGRATIONS_WFEXEC_X": "  "}, "fallback"),
        ({"PREFECT_INTEGRATIONS_WFEXEC_X": " a b "}, "a b"),
        ({"X": "other"}, "fallback"),
    ],
)
def test_a_value_or_its_default(environ: Mapping[str, str], value: str) -> None:
    assert Setting("X", "", "fallback").read(environ) == value


@pytest.mark.parametrize(
    ("text", "items"),
    [("", ()), ("a", ("a",)), (" a , b,,c ,", ("a", "b", "c")), (",", ())],
)
def test_a_list(text: str, items: tuple[str, ...]) -> None:
    assert HTTP_ALLOW.read_list({HTTP_ALLOW.variable: text}) == items


def test_the_environment_of_the_process_is_read_at_the_moment_of_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(USER.variable, "jane")
    assert USER.read() == "jane"
    monkeypatch.setenv(USER.variable, "joe")
    assert USER.read() == "joe"
    monkeypatch.delenv(USER.variable)
    assert USER.read() == ""
