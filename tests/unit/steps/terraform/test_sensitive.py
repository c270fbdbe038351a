"""Everything terraform marks as sensitive is found."""

from pathlib import Path
from typing import Any

import pytest

from prefect_wfexec.steps.terraform.sensitive import marked_strings, names_declared_sensitive, plan_secrets


@pytest.mark.parametrize(
    ("value", "marks", "found"),
    [
        ("s", True, ["s"]),
        ("s", False, []),
        ({"a": ["x", "y"], "b": "z"}, {"a": [False, True]}, ["y"]),
        ({"a": {"b": ["x", {"c": 1234567}]}}, {"a": True}, ["x", "1234567"]),
        ({"a": 12, "b": True, "c": None}, True, []),
        ({"a": "x"}, {"missing": True}, []),
        (["x"], [True, True], ["x"]),
        ("x", {"a": True}, []),
    ],
)
def test_marks(value: Any, marks: Any, found: list[str]) -> None:
    assert list(marked_strings(value, marks)) == found


def test_every_corner_of_a_plan() -> None:
    plan = {
        "resource_changes": [
            {"change": {"before": {"a": "s1"}, "before_sensitive": {"a": True}, "after": "s2", "after_sensitive": True}}
        ],
        "action_invocations": [{"config_values": {"payload": "s10"}, "config_sensitive": {"payload": True}}],
        "resource_drift": [{"change": {"before": ["s3"], "before_sensitive": [True]}}],
        "output_changes": {"o": {"after": "s4", "after_sensitive": True, "before": None, "before_sensitive": True}},
        "prior_state": {
            "values": {
                "outputs": {"o": {"sensitive": True, "value": "s5"}, "p": {"sensitive": False, "value": "seen"}},
                "root_module": {
                    "child_modules": [
                        {"child_modules": [{"resources": [{"values": {"k": "s6"}, "sensitive_values": {"k": True}}]}]}
                    ]
                },
            }
        },
        "variables": {"v": {"value": {"x": "s7"}}, "w": {"value": "seen"}},
        "configuration": {
            "root_module": {"variables": {"v": {"sensitive": True, "default": "s8"}, "w": {}, "e": {"ephemeral": True}}}
        },
    }
    assert plan_secrets(plan, {"e": "s9", "w": "seen"}) == {f"s{number}" for number in range(1, 11)}
    assert plan_secrets({}) == set()


def test_names_declared_sensitive(tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text(
        'variable "plain" {}\nvariable "one" { sensitive = true }\nvariable "two" {\n  type = string\n'
        '  sensitive   = true\n}\nvariable "three" {\n  ephemeral=true\n}\nvariable "four" {\n  sensitive = false\n}\n'
        'output "five" {\n  sensitive = true\n}\nvariable six {\n  validation {\n    condition = true\n  }\n'
        "  sensitive = true # yes\n}\n"
    )
    (tmp_path / "odd.tf").mkdir()
    (tmp_path / "bytes.tf").write_bytes(b"\xff\xfe")
    assert names_declared_sensitive(tmp_path) == {"one", "two", "three", "six"}
