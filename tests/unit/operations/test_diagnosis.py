"""What `doctor` says of a machine."""

import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from prefect_wfexec.operations.diagnosis.api import Api
from prefect_wfexec.operations.diagnosis.blocks import our_block_types
from prefect_wfexec.operations.diagnosis.machine import BOUNDS, local_findings, version_finding
from prefect_wfexec.operations.diagnosis.terraform import terraform_finding
from prefect_wfexec.settings import TERRAFORM

ROOT = Path(__file__).resolve().parents[3]


def test_the_bounds_are_those_of_the_package() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    specifiers = {one.name: one.specifier for one in map(Requirement, declared)}
    for package, bound in BOUNDS.items():
        assert specifiers[package] == Requirement(package + bound).specifier


@pytest.mark.parametrize(
    ("package", "version", "level"),
    [
        ("prefect", "3.8.8", "ok"),
        ("prefect", "3.8.9.dev2", "ok"),
        ("prefect", "3.7.9", "error"),
        ("fastapi", "0.155.0", "error"),
        ("sqlalchemy", "2.1.0", "error"),
        ("sqlalchemy", None, "error"),
    ],
)
def test_versions(package: str, version: str | None, level: str) -> None:
    finding = version_finding(package, version)
    assert finding.level == level
    assert (f"pip install '{package}{BOUNDS[package]}'" == finding.mend) is (level == "error")


def test_every_finding_has_a_name_of_its_own() -> None:
    names = [finding.name for finding in local_findings(lambda _package: None)]
    assert len(names) == len(set(names))


def program(folder: Path, text: str) -> str:
    path = folder / "tofu"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def test_terraform_tells_its_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = program(tmp_path, """test "$*" = "version -json" && echo '{"terraform_version": "1.9.2"}'""")
    monkeypatch.setenv(TERRAFORM.variable, path)
    finding = terraform_finding()
    assert (finding.level, finding.words) == ("ok", f"tofu 1.9.2: {path}")


@pytest.mark.parametrize("text", ["exit 3", "echo hello", "echo '[]'", "echo '{}'"])
def test_a_program_that_is_no_terraform(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = program(tmp_path, text)
    monkeypatch.setenv(TERRAFORM.variable, path)
    finding = terraform_finding()
    assert finding.level == "error" and path in finding.words and finding.mend


def test_our_block_types_are_found() -> None:
    assert "slack-bot-wfexec" in [kind.get_block_type_slug() for kind in our_block_types()]


@pytest.mark.parametrize(
    ("url", "is_local"),
    [("http://127.0.0.1:4200/api", True), ("http://[::1]:4200/api", True), ("https://prefect.example.com/api", False)],
)
def test_who_reaches_an_api(url: str, is_local: bool) -> None:
    assert Api(url).is_local is is_local
